"""From a query to one Cypher statement and its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, product

from n2gdb.branches import Branch, part
from n2gdb.clause import ClauseMatch, match_clause
from n2gdb.conditions import column, condition_text, split
from n2gdb.errors import QueryError, QuerySyntaxError
from n2gdb.grammar import GrammarError, parse
from n2gdb.grammar.ast import And, Formula, Key, Matching, Not, Or, Query, TokenLiteral
from n2gdb.grammar.fields import FIELDS
from n2gdb.parameters import Parameters

__all__ = [
    "ANSWER_COLUMNS",
    "Compiled",
    "compile_count",
    "compile_evidence",
    "compile_query",
    "positive_clauses",
    "read_query",
]

#: The columns of an answer's rows: all that is known of a neuron.
ANSWER_COLUMNS = (
    "id",
    "model",
    "layer",
    "index",
    "state",
    "max_activation",
    "precision",
    "recall",
    "f1",
    "true_firings",
    "predicted_firings",
    "n_patterns",
    "n_nodes",
    "n_activating",
    "n_context",
)

_DEFAULT_ORDER = (Key("f1", descending=True),)
#: What settles a tie, so that an order is always whole.
_TIES = ("n.layer", "n.`index`", "n.id")

_NO_NUMBER = 'CAST(NULL, "FLOAT")'


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement, the values of its parameters, and the tokens that the query names."""

    cypher: str
    parameters: dict[str, object]
    literals: tuple[TokenLiteral, ...]


def read_query(text: str) -> Query:
    """Read a query; raise QuerySyntaxError, which shows where it fails and what was expected."""
    try:
        return parse(text)
    except GrammarError as error:
        raise QuerySyntaxError(
            error.message, text=error.text, line=error.line, column=error.column
        ) from error


def compile_query(query: Query) -> Compiled:
    """Return the statement that answers ``query``: rows of ANSWER_COLUMNS, in order and limited."""
    parameters = Parameters()
    parts = [_found(query, parameters)]
    order = query.order or _DEFAULT_ORDER
    ranks = [key.field for key in order if FIELDS[key.field].of_match]
    if ranks:
        parts += _ranks(query, tuple(dict.fromkeys(ranks)), parameters)
    parts.append("RETURN " + ", ".join(column(name) for name in ANSWER_COLUMNS))
    parts.append("ORDER BY " + ", ".join([*(_key(key) for key in order), *_TIES]))
    if query.offset is not None:
        parts.append(f"SKIP {parameters.bind(query.offset)}")
    if query.limit is not None:
        parts.append(f"LIMIT {parameters.bind(query.limit)}")
    return _compiled(parts, parameters, query)


def compile_count(query: Query) -> Compiled:
    """Return the statement that counts the neurons of ``query``, LIMIT and OFFSET aside."""
    parameters = Parameters()
    return _compiled([_found(query, parameters), "RETURN count(*)"], parameters, query)


def compile_evidence(query: Query, neurons: Sequence[int]) -> tuple[Compiled, ...]:
    """Return, for each positive clause, the statement that finds its matches in ``neurons`` (ids).

    Rows: neuron id, preorder index of the pattern's end, activation, importance, then the depth of
    each token that the clause names, in text order.
    """
    return tuple(_evidence(clause, query, neurons) for clause in positive_clauses(query.clauses))


def positive_clauses(clauses: Formula[Matching] | None) -> tuple[Matching, ...]:
    """Return the clauses that a neuron is found by, not in spite of: those under no NOT, or under two."""
    return tuple(clause for clause, positive in _signed(clauses) if positive)


def _evidence(clause: Matching, query: Query, neurons: Sequence[int]) -> Compiled:
    parameters = Parameters()
    rows = match_clause(clause, "", split(query.where).match, parameters, exactly=True)
    conditions = (f"n.id IN {parameters.bind(neurons)}", *rows.conditions)
    answer = ("n.id", rows.end, rows.activation, rows.importance or "NULL", *rows.depths)
    parts = [
        f"MATCH (n:Neuron), {', '.join(rows.paths)}",
        f"WHERE {' AND '.join(conditions)}{rows.hint}",
        # Filtered only here, the engine starts from the few neurons, not from all that it filters.
        f"WITH * WHERE {' AND '.join(rows.filters)}",
        f"RETURN {', '.join(answer)}",
    ]
    return _compiled(parts, parameters, query)


def _found(query: Query, parameters: Parameters) -> str:
    """MATCH and WHERE that leave ``n`` on every neuron of the answer."""
    conditions = split(query.where)
    truths = [f"({condition_text(each, None, parameters)})" for each in conditions.neuron]
    if query.clauses is not None:
        truths.append(_holds(query.clauses, part(conditions.match), count(), parameters))
    elif conditions.match:
        raise QueryError("activation and importance are fields of a match: they need a MATCHING clause")
    return f"MATCH (n:Neuron)\nWHERE {' AND '.join(truths)}" if truths else "MATCH (n:Neuron)"


def _holds(
    clauses: Formula[Matching], branches: Sequence[Branch], names: Iterator[int], parameters: Parameters
) -> str:
    match clauses:
        case And(operands):
            return f"({' AND '.join(_holds(each, branches, names, parameters) for each in operands)})"
        case Or(operands):
            return f"({' OR '.join(_holds(each, branches, names, parameters) for each in operands)})"
        case Not(operand):
            return f"NOT {_holds(operand, branches, names, parameters)}"
        case Matching():
            ways = [_exists(clauses, branch, f"_{next(names)}", parameters) for branch in branches]
            return ways[0] if len(ways) == 1 else f"({' OR '.join(ways)})"


def _exists(clause: Matching, branch: Branch, name: str, parameters: Parameters) -> str:
    rows = match_clause(clause, name, branch.match, parameters)
    truths = [*_guards(branch, parameters), f"EXISTS {{ {rows.text} }}"]
    return truths[0] if len(truths) == 1 else f"({' AND '.join(truths)})"


def _guards(branch: Branch, parameters: Parameters) -> list[str]:
    """Return what a branch asks of the neuron; unknown counts as false, so that NOT may stand before it."""
    return [f"coalesce({condition_text(each, None, parameters)}, false)" for each in branch.neuron]


def _ranks(query: Query, fields: Sequence[str], parameters: Parameters) -> list[str]:
    """Carry the largest ``fields`` over all the matches of positive clauses along with ``n``."""
    clauses = positive_clauses(query.clauses)
    if not clauses:
        raise QueryError(f"ORDER BY {fields[0]} needs a MATCHING clause that is not negated")
    parts = ["WITH " + ", ".join(["n", *(f"{_NO_NUMBER} AS {field}" for field in fields)])]
    for place, (clause, branch) in enumerate(product(clauses, part(split(query.where).match))):
        rows = match_clause(clause, f"_r{place}", branch.match, parameters)
        largest = [f"max({_ranked(rows, field)}) AS next_{field}" for field in fields]
        skipped = [f"NOT {guard}" for guard in _guards(branch, parameters)]
        larger = [
            f"CASE WHEN {' OR '.join([*skipped, f'next_{field} IS NULL', f'{field} >= next_{field}'])} "
            f"THEN {field} ELSE next_{field} END AS {field}"
            for field in fields
        ]
        parts.append(f"OPTIONAL {rows.text}")
        parts.append(f"WITH n, {', '.join([*fields, *largest])}")
        parts.append(f"WITH n, {', '.join(larger)}")
    return parts


def _ranked(rows: ClauseMatch, field: str) -> str:
    expression = rows.activation if field == "activation" else rows.importance
    return _NO_NUMBER if expression is None else expression


def _key(key: Key) -> str:
    expression = key.field if FIELDS[key.field].of_match else column(key.field)
    return f"{expression} IS NULL, {expression}{' DESC' if key.descending else ''}"


def _signed(clauses: Formula[Matching] | None, positive: bool = True) -> Iterator[tuple[Matching, bool]]:
    match clauses:
        case And(operands) | Or(operands):
            for operand in operands:
                yield from _signed(operand, positive)
        case Not(operand):
            yield from _signed(operand, not positive)
        case Matching():
            yield clauses, positive


def _compiled(parts: Sequence[str], parameters: Parameters, query: Query) -> Compiled:
    literals = dict.fromkeys(
        step
        for clause, _ in _signed(query.clauses)
        for step in clause.pattern.steps
        if isinstance(step, TokenLiteral)
    )
    return Compiled("\n".join(parts), parameters.values, tuple(literals))
