"""Decides which clauses are too broad for joins and are scanned along the tries instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from n2gdb.grammar.ast import FiringOn, Key, Subject
from n2gdb.grammar.fields import FIELDS, WALKED, WRITTEN
from n2gdb.query.cypher.where import fields_of, mentions, split
from n2gdb.query.semantics.binder import PatternClause, Settled, clauses_of
from n2gdb.query.semantics.normal_form import Lowered, is_of_patterns
from n2gdb.query.semantics.token_sets import is_broad, is_listable, members

__all__ = ["is_scanned", "is_walked", "needs_columns", "of_columns"]


def needs_columns(settled: Settled) -> bool:
    """Tell whether a query asks for what is only known once whole tries are walked."""
    query = settled.query
    if of_columns(settled):
        return True
    if query.count is not None and (query.count.groups or query.count.measure is not None):
        return True
    if query.sample is not None or any(getattr(each, "only", False) for each in settled.forms):
        return True
    return any(
        anchor.is_compared for forms in settled.forms.values() for form in forms for anchor in form.anchors
    )


def of_columns(settled: Settled) -> tuple[str, ...]:
    """Return the fields that no statement knows, of those that a query asks for."""
    query = settled.query
    named = [*query.returns, *(key.field for key in query.order)]
    conditions = split(query.where)
    return tuple(
        name
        for name in sorted((*WALKED, *WRITTEN))
        if name in named or any(mentions(each, name) for each in (*conditions.match, *conditions.neuron))
    )


def is_scanned(settled: Settled, clause: PatternClause) -> bool:
    """Whether scanning the tries for a clause is faster than a join.

    A clause whose matches WHERE restricts is left to Cypher, and so is one with a repeated token or a token
    that the neuron writes: stored flags narrow those joins.
    """
    if split(settled.query.where).match:
        return False
    forms = settled.forms[clause]
    return any(_is_broad(form) for form in forms) and not any(
        _repeats(form) or _is_bare(form) or _is_written(form) for form in forms
    )


def is_walked(
    settled: Settled, outlined: Collection[str], order: Sequence[Key] = (), *, by_token: bool = False
) -> bool:
    """Whether walking the outline of all tries is faster, beside which fields of matches are ``outlined``.

    Once there are some it is as good as read. Otherwise it is for single patterns, for neurons by broad
    patterns or by a text, or to count them by token.
    """
    query, conditions = settled.query, split(settled.query.where).match
    named = {key.field for key in order}.union(*map(fields_of, conditions))
    if query.rank is not None or any(FIELDS[name].of_match for name in named.difference(outlined)):
        return False
    forms = [form for each in settled.forms.values() for form in each]
    on_text = [isinstance(each, FiringOn) for each in clauses_of(query.clauses) if not is_of_patterns(each)]
    is_broad = by_token or query.subject is Subject.PATTERNS or bool(on_text) or any(map(_is_wide, forms))
    return all(on_text) and (bool(outlined) or is_broad)


def _is_wide(form: Lowered) -> bool:
    """Whether no anchor narrows a join."""
    sets = [anchor.tokens for anchor in form.anchors]
    if not form.context:
        return all(map(is_broad, sets))
    return all(each is None or members(each) is None for each in sets)


def _is_broad(form: Lowered) -> bool:
    broad = [anchor for anchor in form.context if is_broad(anchor.tokens)]
    return len(broad) > 1 or not all(is_listable(anchor.tokens) for anchor in form.anchors)


def _repeats(form: Lowered) -> bool:
    names = Counter(anchor.variable for anchor in form.anchors if anchor.variable is not None)
    return any(count > 1 for count in names.values())


def _is_written(form: Lowered) -> bool:
    return any(anchor.effects for anchor in form.anchors)


def _is_bare(form: Lowered) -> bool:
    return not form.context
