"""Compiles queries for single patterns: one normal form, a whole query, or one page of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from n2gdb.grammar.ast import Condition, Formula, Key
from n2gdb.grammar.fields import FIELDS
from n2gdb.query.cypher.compiler import Compiled, neuron_truths, sort_key
from n2gdb.query.cypher.match import match_clause
from n2gdb.query.cypher.where import column, mentions, split
from n2gdb.query.semantics.binder import Settled
from n2gdb.query.semantics.normal_form import Lowered, PatternClause
from n2gdb.storage.parameters import Parameters
from n2gdb.storage.shapes import Page

__all__ = ["ANY", "DEFAULT_ORDER", "ordered_statement", "pattern_statement", "single_statement"]

#: Any pattern at all.
ANY = Lowered((), (), 0)

DEFAULT_ORDER = (Key("activation", descending=True),)


def pattern_statement(
    settled: Settled,
    form: Lowered,
    restrictions: Sequence[Formula[Condition]],
    among: Sequence[int] | None = None,
) -> Compiled:
    """Return the statement that finds the patterns of a normal form, in neurons that meet WHERE.

    Columns: neuron (its id), pattern (preorder index of its end), OF_MATCH; each pattern once.
    ``restrictions`` are conditions on a match, ``among`` the ids of neurons to look in.
    """
    parameters = Parameters()
    truths = neuron_truths(settled, None, parameters, among)
    rows = match_clause(form, "", restrictions, parameters, exactly=True, few_neurons=among is not None)
    parts = [
        f"MATCH (n:Neuron), {', '.join(rows.paths)}",
        *_where([*truths, *rows.conditions], rows.filters, rows.hint),
        f"RETURN n.id AS neuron, {rows.end} AS pattern, {rows.fields.activation} AS activation,"
        f" max({rows.fields.importance}) AS importance, {rows.fields.support} AS support,"
        f" {rows.fields.confidence} AS confidence",
    ]
    return Compiled("\n".join(parts), parameters.values)


def _where(truths: Sequence[str], filters: Sequence[str], hint: str) -> list[str]:
    """Return WHERE; filters on the ends follow it unless a hint keeps the engine from starting with them."""
    if hint:
        return [f"WHERE {' AND '.join([*truths, *filters])}{hint}"]
    first = [f"WHERE {' AND '.join(truths)}"] if truths else []
    return [*first, f"WITH * WHERE {' AND '.join(filters)}"]


def single_statement(settled: Settled) -> Compiled | None:
    """Return the statement that finds all rows of a query by itself; None if several are needed."""
    query = settled.query
    conditions = split(query.where).match
    if query.owners is not None or any(mentions(each, "importance") for each in conditions):
        return None
    if query.clauses is None:
        return pattern_statement(settled, ANY, conditions)
    forms = settled.forms.get(cast(PatternClause, query.clauses), ())
    return pattern_statement(settled, forms[0], conditions) if len(forms) == 1 else None


def ordered_statement(settled: Settled, statement: Compiled) -> Compiled:
    """Return a single statement with its rows in the query's order, limited like ``Page.clause``."""
    query = settled.query
    order = query.order or DEFAULT_ORDER
    fields = [key.field for key in order if not FIELDS[key.field].of_match]
    named = dict.fromkeys(["layer", "index", "id", *fields])
    parameters, page = Parameters(statement.parameters), Page.of(query.offset, query.limit)
    keys = [sort_key(settled, key, _column(key.field), parameters) for key in order]
    parts = [
        f"{statement.cypher}, {', '.join(f'{column(name)} AS by_{name}' for name in named)}",
        f"ORDER BY {', '.join([*keys, 'by_layer', 'by_index', 'by_id', 'pattern'])}",
        page.clause(parameters),
    ]
    return Compiled("\n".join(parts), parameters.values)


def _column(field: str) -> str:
    return field if FIELDS[field].of_match else f"by_{field}"
