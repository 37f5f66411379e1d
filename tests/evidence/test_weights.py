"""Evidence on a text, beside a plain loop over positions and weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from n2gdb.evidence.influences import WeighedToken, written_influences
from n2gdb.evidence.weights import UnitEvidence

CLASSES = np.array([[20, 20, 21, 21, 22, 22, 23, 23, 24, 24]])


def evidence(seed: int) -> UnitEvidence:
    rng = np.random.default_rng(seed)
    keys = sorted({(int(rng.choice([0, 1, 2, 5, -3, -8])), int(rng.integers(0, 25))) for _ in range(40)})
    keys = [(depth, token) for depth, token in keys if depth > 0 or token < 10]
    depth, token = np.array(keys, np.int32).T
    return UnitEvidence(-1.0, 0.5, depth, token, rng.normal(size=len(keys)).astype(np.float32), 0.75)


def slowly(unit: UnitEvidence, text: list[int], matched: npt.NDArray[np.bool_]) -> list[float]:
    found = []
    for position, own in enumerate(text):
        named = {
            (depth, number)
            for depth in range(position + 1)
            for number in (text[position - depth], CLASSES[0, text[position - depth]] if depth else -1)
            if text[position - depth] >= 0
        }
        total = unit.base + unit.graph * bool(matched[position])
        fires = False
        for depth, token, weight in zip(unit.depth, unit.token, unit.weight, strict=True):
            if depth < 0:
                stands = any((back, token) in named for back in range(1, -depth + 1) if token < 10)
            else:
                stands = (depth, token) in named
            total += weight * stands
            fires |= bool(stands and depth == 0)
        found.append(total if fires and own >= 0 else -np.inf)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_log_odds_add_up_what_stands_before(seed: int) -> None:
    rng = np.random.default_rng(seed)
    text = rng.integers(-1, 10, 80)
    matched = rng.random(80) < 0.3
    unit = evidence(seed)
    assert (unit.depth < 0).any()
    odds = unit.log_odds(text, CLASSES, matched)
    np.testing.assert_allclose(odds, slowly(unit, text.tolist(), matched), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(unit.fires(text, CLASSES, matched), odds >= 0.5)
    np.testing.assert_allclose(unit.probability(text, CLASSES, matched), 1 / (1 + np.exp(-odds)), rtol=1e-5)
    assert unit.reach == 8


@pytest.mark.parametrize("seed", range(5))
def test_log_odds_at_positions_in_any_order_are_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    text, own = rng.integers(-1, 10, 80), rng.normal(size=80).astype(np.float32)
    position = rng.permutation(80)
    rising = evidence(seed).log_odds_at(text, np.arange(80), own, CLASSES)
    found = evidence(seed).log_odds_at(text, position, own[position], CLASSES)
    np.testing.assert_array_equal(found, rising[position])


def test_influences_are_one_line_whatever_the_tokens_hold() -> None:
    weighed = [
        WeighedToken(1, 7, "like \n\n \n\t the", 1.0, is_class=True),
        WeighedToken(2, 8, "newline", 0.5, is_class=True),
        WeighedToken(-64, 9, " \n", -0.5),
    ]
    assert written_influences(weighed, 3) == (
        "<like ⏎⏎ ⏎⇥ the> AT 1 (+1.0), <newline> AT 2 (+0.5), ·⏎ WITHIN 64 (-0.5)"
    )
