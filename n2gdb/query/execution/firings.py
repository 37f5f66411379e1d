"""Neurons run on a text: firings read by statements, or walked along columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from n2gdb.grammar.ast import FiringOn
from n2gdb.query.execution.context import Session
from n2gdb.query.semantics.binder import Settled

if TYPE_CHECKING:
    from n2gdb.prediction.firing import Firing, Predictor

__all__ = ["FIRING", "fired", "positions_of"]

FIRING = "read the patterns that may match the text"


def fired(session: Session, settled: Settled, clause: FiringOn) -> list[Firing]:
    """Run the neurons of the models of a query on a text; return all firings, whatever WHERE says."""
    thresholds = {model.number: model.fire_threshold for model in session.models}
    return [
        firing
        for number, cut in session.cuts(settled.model, clause).items()
        for firing in _fired(session, clause, number, cut, thresholds[number])
    ]


def _fired(
    session: Session, clause: FiringOn, model: int, cut: Sequence[int], threshold: float
) -> list[Firing]:
    read, positions = session.stage_table(FIRING), positions_of(clause, cut)
    by: Predictor = clause.by.value
    if (columns := session.columns) is None:
        from n2gdb.prediction.firing import read_firings

        return read_firings(read, cut, model, threshold=threshold, positions=positions, by=by)
    from n2gdb.query.columnar.firing import firings_of

    return session.work(
        "run the neurons on the text",
        lambda: firings_of(read, columns, cut, model, threshold=threshold, positions=positions, by=by),
    )


def positions_of(clause: FiringOn, cut: Sequence[int]) -> list[int] | None:
    """Return the positions of a text that a clause looks at; None for all."""
    return None if clause.token is None else [clause.token % len(cut)]
