"""The graphs run on a text: firings read by statements, or walked along columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from n2gdb.errors import QueryError
from n2gdb.grammar.ast import FiringOn
from n2gdb.query.execution.context import Session
from n2gdb.query.semantics.binder import Settled
from n2gdb.query.semantics.places import placed

if TYPE_CHECKING:
    from n2gdb.prediction.firing import Firing
    from n2gdb.query.columnar.columns import Columns

__all__ = ["FIRING", "cuts_of", "fired", "positions_of"]

FIRING = "read the patterns that may match the text"


def fired(session: Session, settled: Settled, clause: FiringOn) -> list[Firing]:
    """Run the graphs of the models of a query on a text; return all firings, whatever WHERE says."""
    from n2gdb.prediction.firing import read_firings

    if session.columns is not None:
        return _walked_firings(session, session.columns, settled, clause)
    thresholds = {model.number: model.fire_threshold for model in session.models}
    read = session.stage_table(FIRING)
    return [
        firing
        for number, cut in cuts_of(session, settled, clause).items()
        for firing in read_firings(
            read, cut, number, threshold=thresholds[number], positions=positions_of(clause, cut)
        )
    ]


def _walked_firings(session: Session, columns: Columns, settled: Settled, clause: FiringOn) -> list[Firing]:
    from n2gdb.query.columnar.firing import firings_of

    thresholds = {model.number: model.fire_threshold for model in session.models}
    return [
        firing
        for number, cut in cuts_of(session, settled, clause).items()
        for firing in session.work(
            "run the graphs on the text",
            lambda number=number, cut=cut: firings_of(  # type: ignore[misc]
                columns, cut, number, thresholds[number], positions_of(clause, cut)
            ),
        )
    ]


def cuts_of(session: Session, settled: Settled, clause: FiringOn) -> dict[int, tuple[int, ...]]:
    """Return the tokens of the text in each model that the clause reaches, by the model's number.

    Raises QueryError where no model can cut it, or none has the token that the clause names.
    """
    models = [model for model in session.models if settled.model in (None, model.number)]
    cuts = {model.number: session.cut(model.number, clause.text) for model in models}
    if not any(cut is not None for cut in cuts.values()):
        raise QueryError(
            f"{' and '.join(model.name for model in models)} came without a tokenizer, so no text can be cut"
            " for FIRING ON: ingest the model again with one"
        )
    at = clause.token
    reached = {
        number: cut for number, cut in cuts.items() if cut and (at is None or -len(cut) <= at < len(cut))
    }
    if at is not None and not reached:
        longest = max((len(cut) for cut in cuts.values() if cut is not None), default=0)
        tokens = "1 token, 0" if longest == 1 else f"{longest} tokens, 0 to {longest - 1}"
        with placed(clause.token_at):
            raise QueryError(f"AT {at} lies outside the text: it has {tokens}")
    return reached


def positions_of(clause: FiringOn, cut: Sequence[int]) -> list[int] | None:
    """Return the positions of a text that a clause looks at; None for all."""
    return None if clause.token is None else [clause.token % len(cut)]
