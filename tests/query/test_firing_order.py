"""Neurons that fire on a text, ordered by a field of their matches, as the rows of the answer show it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.generators.worlds import Asked, asked

TEXT = "ÉTheYork dogTh12"


@pytest.fixture(scope="module")
def world() -> Iterator[Asked]:
    """Two models of other words; the text fires some neurons by patterns with context and some without."""
    with asked("small", 7_000_132) as opened:
        yield opened


@pytest.mark.parametrize("field", ["activation", "importance", "support", "confidence"])
@pytest.mark.parametrize("direction", ["", " DESC"])
@pytest.mark.parametrize(
    "clauses",
    [
        f'FIRING ON "{TEXT}" USING graph',
        f'FIRING ON "{TEXT}" USING graph AND MATCHING ...',
        f'FIRING ON "{TEXT}" USING graph OR MENTIONING <upper>',
        f'FIRING ON "{TEXT}" USING graph AND NOT FIRING ON "dog"',
    ],
)
def test_rows_are_in_the_order_of_what_they_show(
    world: Asked, clauses: str, field: str, direction: str
) -> None:
    rows = list(world.database.query(f"neurons {clauses} ORDER BY {field}{direction}"))
    values = [getattr(row, field) for row in rows]
    known = [value for value in values if value is not None]
    assert len(known) > 1
    assert values == [*sorted(known, reverse=bool(direction)), *[None] * (len(rows) - len(known))]
    ties = [(values[place], row.neuron, row.model) for place, row in enumerate(rows)]
    for one, other in pairwise(ties):
        assert one[0] != other[0] or one[1:] < other[1:]


def test_firings_by_evidence_are_ordered_by_their_activation(world: Asked) -> None:
    rows = list(world.database.query(f'neurons FIRING ON "{TEXT}" ORDER BY activation DESC, layer'))
    assert [row.activation for row in rows] == sorted((row.activation for row in rows), reverse=True)
    weighed = [row for row in rows if row.statistics["heldout_f1"] is not None and row.importance is None]
    assert any(row.support is None and row.path for row in weighed)


def test_firings_without_context_have_no_importance_and_come_last(world: Asked) -> None:
    rows = list(world.database.query(f'neurons FIRING ON "{TEXT}" USING graph ORDER BY importance DESC'))
    found = [row.importance for row in rows]
    assert found[0] is not None and found[-1] is None
    assert found == sorted(found, key=lambda value: value is None)
