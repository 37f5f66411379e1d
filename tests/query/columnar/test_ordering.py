"""The order of rows: the first of them are those of the whole order, however few are asked for."""

from __future__ import annotations

import numpy as np
import pytest

from n2gdb.query.columnar.ordering import in_order
from n2gdb.query.columnar.units import Words


@pytest.mark.parametrize("seed", range(20))
def test_the_first_rows_are_those_of_a_plain_sort(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = int(random.integers(1, 60))
    numbers = random.choice([0.0, -1.5, 2.0, np.nan], rows)
    words = Words(random.integers(-1, 3, rows), ("a", "b", "c"))
    names = random.permutation(rows)
    falls, word_falls = random.integers(0, 2, 2).astype(bool).tolist()

    def place(row: int) -> tuple[object, ...]:
        number, code = numbers[row], int(words.codes[row])
        return (
            *(bool(np.isnan(number)), 0.0 if np.isnan(number) else -number if falls else number),
            *(code < 0, 0 if code < 0 else -code if word_falls else code),
            names[row],
        )

    expected = sorted(range(rows), key=place)
    for most in (None, 0, 1, 2, rows // 2, rows, rows + 1, 2**70):
        found = in_order([(numbers, falls), (words, word_falls)], [names.__getitem__], rows, most)
        assert found.tolist() == expected[:most]
