"""Whatever a statement says, and however it is ended, the engine survives it and answers the next one.

A long run of the same is ``python -m tests.generators.fuzz``.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.generators.fuzz import fuzzed
from tests.generators.statements import Job


@pytest.mark.parametrize("kind", ["small", "wide"])
def test_no_statement_ends_the_process(kind: str) -> None:
    outcomes = [
        each for found in fuzzed([Job(kind, 3, 200), Job(kind, 4, 200)], children=2) for each in found
    ]
    wrong = [f"{outcome}\n{said}" for outcome, said in outcomes if said]
    assert not wrong, "\n\n".join(wrong)
    came_to = Counter(outcome for outcome, _ in outcomes)
    assert came_to["answered"] > 100
    assert came_to["refused"] > 50
    assert came_to["timed out"]
    assert came_to["interrupted"]
