"""The logits that units write to the tokens that a query names."""

from __future__ import annotations

import numpy as np

from n2gdb.core.arrays import Float64Array, Int64Array, IntArray
from n2gdb.core.deadline import check_time
from n2gdb.grammar.ast import Effect, Matching, Writing
from n2gdb.query.columnar.columns import Columns
from n2gdb.query.columnar.units import stored_reals
from n2gdb.query.columnar.walk import Scope, found_patterns
from n2gdb.query.columnar.writes import loosely_written
from n2gdb.query.semantics.binder import Settled
from n2gdb.query.semantics.normal_form import Anchor
from n2gdb.query.semantics.token_sets import mask

__all__ = ["logits_of"]


def logits_of(columns: Columns, settled: Settled, scope: Scope, effect: Effect) -> Float64Array:
    """Return the strongest logit by which each unit writes a token that the query names: (units,), NaN: none.

    The tokens are those of the clauses that are not negated: of PROMOTING or SUPPRESSING itself, and those
    that its variable stands for in any match.
    """
    sign = 1.0 if effect is Effect.PROMOTING else -1.0
    strongest = np.full(len(columns.units), np.nan)
    for clause in settled.positive:
        check_time()
        if isinstance(clause, Writing) and clause.effect is effect:
            written = columns.writes.of(effect)
            named = mask(settled.written[clause], columns.tries.vocabulary)[written.token]
            owner = np.repeat(np.arange(len(strongest)), written.stop - written.first)
            np.fmax.at(strongest, owner[named], sign * written.logit[named])
        elif isinstance(clause, Matching) and any(each.effect is effect for each in clause.written):
            for form in settled.forms[clause]:
                for part, found in zip(
                    form.unfolded(), found_patterns(scope, form, columns.writes), strict=True
                ):
                    for place, anchor in enumerate(part.anchors):
                        owner, logit = _of_anchor(columns, found.anchors[:, place], anchor, effect)
                        np.fmax.at(strongest, owner, sign * logit)
    return stored_reals(sign * strongest)


def _of_anchor(
    columns: Columns, rows: IntArray, anchor: Anchor, effect: Effect
) -> tuple[Int64Array, Float64Array]:
    """Return the unit and the logit of each token that is written as an anchor on some nodes demands."""
    tries = columns.tries
    owners, logits = [np.zeros(0, np.int64)], [np.zeros(0)]
    if effect in anchor.effects:
        owners.append(tries.owner[rows].astype(np.int64))
        logits.append(tries.written[rows])
    for wanted, alike in anchor.loose_effects:
        if wanted is effect:
            written = columns.writes.of(effect)
            row, place = loosely_written(tries, rows, written, alike)
            owners.append(tries.owner[rows[row]].astype(np.int64))
            logits.append(written.logit[place])
    return np.concatenate(owners), np.concatenate(logits)
