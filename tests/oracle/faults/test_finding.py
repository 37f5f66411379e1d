"""The oracle is not blind: it finds faults that are put back, within the pairs that it is asked here.

The seeds are such that few pairs are needed; how many others need tells ``python -m tests.oracle.faults``.
"""

from __future__ import annotations

import pytest

from tests.generators.worlds import missing
from tests.oracle.faults.finding import Search, searched
from tests.oracle.faults.old import FAULTS

_FIRING = "FIRING ON filters by IN"
#: Found in one of 800 pairs, and of 60 whose answers are long: that takes minutes.
_RARE = {"activating tokens by IN", "ORDER BY source as a string"}


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - _RARE))
def test_statements_find_a_fault_that_is_put_back(fault: str) -> None:
    _check_found(fault, texts=False)


def test_texts_find_that_firing_on_filters_by_in() -> None:
    _check_found(_FIRING, texts=True)


def _check_found(fault: str, *, texts: bool) -> None:
    if why := missing(FAULTS[fault].world):
        pytest.skip(why)
    assert searched(Search(fault, FAULTS[fault].world, FAULTS[fault].seed, 2_000, texts)).wrong
