"""Compiler: a bound query to Cypher statements with parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from n2gdb.errors import QueryError
from n2gdb.evidence.quality import FEW_FIRINGS
from n2gdb.grammar.ast import Clause, Formula, Influence, Influenced, Key, Writing
from n2gdb.grammar.fields import FIELDS, OF_MATCH, WRITTEN, Kind
from n2gdb.grammar.records import dataclass
from n2gdb.query.cypher.match import WRITES, match_clause
from n2gdb.query.cypher.where import column, condition_text, fields_of, mentions_neuron, split
from n2gdb.query.semantics.binder import PatternClause, Settled, fold
from n2gdb.query.semantics.normal_form import Lowered, is_of_patterns
from n2gdb.query.semantics.token_sets import is_listable, reads
from n2gdb.storage.columns import STORED_COLUMNS
from n2gdb.storage.parameters import Parameters
from n2gdb.storage.shapes import NO_NUMBER, Page, node_in, order_key, word_key

__all__ = [
    "DEFAULT_ORDER",
    "Compiled",
    "compile_count",
    "compile_evidence",
    "compile_influenced",
    "compile_joined",
    "compile_page",
    "compile_query",
    "compile_ranks",
    "compile_rows",
    "compile_written",
    "found",
    "neuron_truths",
    "ranked_fields",
    "sort_key",
]

#: The best predicted first: on held-out text where that is known, else on their top examples. Those judged
#: on enough firings of held-out text go before all others, see ``quality.FEW_FIRINGS``.
DEFAULT_ORDER = (Key("heldout_f1", descending=True), Key("f1", descending=True))
#: Subqueries of one statement: twice as many do not fit the engine's memory.
MOST_SUBQUERIES = 64
#: Context tokens that they name together: the engine plans as many in half a second, deaf to all else.
MOST_JOINED = 256

#: What settles a tie, so that an order is always whole.
_TIES = ("n.layer", "n.`index`", "n.id")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement and the values of its parameters."""

    cypher: str
    parameters: dict[str, object]


def compile_query(settled: Settled) -> Compiled:
    """Return the statement that answers a query by itself: STORED_COLUMNS, in order, limited.

    It is ordered by fields of the neurons, and includes the rows that OFFSET skips (see ``Page``).
    """
    parameters = Parameters()
    query = settled.query
    parts = [found(settled, query.clauses, parameters)]
    parts.append("RETURN " + ", ".join(column(name) for name in STORED_COLUMNS))
    keys = [sort_key(settled, key, column(key.field), parameters) for key in query.order or DEFAULT_ORDER]
    if not query.order:
        keys.insert(0, f"CASE WHEN n.heldout_firings >= {FEW_FIRINGS} THEN 0 ELSE 1 END")
    parts.append(f"ORDER BY {', '.join([*keys, *_TIES])}")
    parts.append(Page.of(query.offset, query.limit).clause(parameters))
    return Compiled("\n".join(filter(None, parts)), parameters.values)


def sort_key(settled: Settled, key: Key, expression: str, given: Parameters) -> str:
    """Return the Cypher sort keys for one key of ORDER BY with the value ``expression``."""
    field = FIELDS[key.field]
    if field.kind is Kind.CHOICE and not field.choices:
        return word_key(expression, settled.sources, given, descending=key.descending)
    return order_key(expression, field.choices, descending=key.descending)


def compile_rows(
    settled: Settled,
    clauses: Formula[Clause] | None,
    fields: Sequence[str],
    among: Sequence[int] | None = None,
) -> Compiled:
    """Return the statement that reads the ``fields`` of all neurons that meet ``clauses``, unordered."""
    parameters = Parameters()
    parts = [found(settled, clauses, parameters, among)]
    parts.append("RETURN " + ", ".join(column(name) for name in fields))
    return Compiled("\n".join(parts), parameters.values)


def compile_ranks(settled: Settled) -> Iterator[Compiled]:
    """Yield, for each normal form of a positive clause, the statement that ranks the neurons which match it.

    Rows: Neuron.id, the largest of its matches of each field of OF_MATCH, null where it is not asked for.
    """
    for form in settled.matched_forms:
        parameters = Parameters()
        asked = ranked_fields(settled.query.order)
        rows = match_clause(form, "", split(settled.query.where).match, parameters, asked=asked)
        ranks = (
            f"max({getattr(rows.fields, name) if name in asked else NO_NUMBER}) AS {name}"
            for name in OF_MATCH
        )
        truths = [*neuron_truths(settled, None, parameters), *rows.conditions, *rows.filters]
        parts = [
            f"MATCH (n:Neuron), {', '.join(rows.paths)}",
            *([f"WHERE {' AND '.join(truths)}"] if truths else []),
            *([rows.hint.strip()] if rows.hint else []),
            f"RETURN n.id, {', '.join(ranks)}",
        ]
        yield Compiled("\n".join(parts), parameters.values)


def compile_page(neurons: Sequence[int]) -> Compiled:
    """Return the statement that reads STORED_COLUMNS of a few neurons by id."""
    columns = ", ".join(column(name) for name in STORED_COLUMNS)
    return Compiled(f"MATCH (n:Neuron) WHERE n.id IN $neurons RETURN {columns}", {"neurons": list(neurons)})


def compile_joined(settled: Settled, clause: PatternClause) -> Iterator[Compiled]:
    """Yield, for each normal form of a clause, the statement that reads the ids of the matching neurons.

    It uses a plain join, for conditions that compare a match with its neuron, which a subquery cannot.
    """
    restrictions = split(settled.query.where).match
    for form in settled.forms[clause]:
        parameters = Parameters()
        rows = match_clause(form, "", restrictions, parameters)
        truths = [*neuron_truths(settled, None, parameters), *rows.conditions]
        parts = [
            f"MATCH (n:Neuron), {', '.join(rows.paths)}",
            *([f"WHERE {' AND '.join(truths)}"] if truths else []),
            *([rows.hint.strip()] if rows.hint else []),
            f"WITH * WHERE {' AND '.join(rows.filters)}",
            "RETURN DISTINCT n.id",
        ]
        yield Compiled("\n".join(parts), parameters.values)


def compile_written(settled: Settled, clause: Writing) -> Compiled:
    """Return the statement that reads the effects of a clause: Neuron.id, and the row of the token.

    Columns: neuron, token. The tokens are the clause's, or all tokens if they are too many to list.
    """
    parameters = Parameters()
    truths = neuron_truths(settled, None, parameters)
    truths.append(f"w.logit {WRITES[clause.effect]}")
    tokens = settled.written[clause]
    if is_listable(tokens):
        truths.append(reads("t", tokens, parameters))
    return Compiled(
        f"MATCH (n:Neuron)-[w:WRITES]->(t:Token)\nWHERE {' AND '.join(truths)}"
        "\nRETURN n.id AS neuron, offset(id(t)) AS token",
        parameters.values,
    )


#: What a weight is of a token that excites, or inhibits.
_WEIGHS = {Influence.EXCITED: "> 0.0", Influence.INHIBITED: "< 0.0"}


def compile_influenced(
    settled: Settled, clause: Influenced, classes: Sequence[int] | None = None
) -> Compiled:
    """Return the statement of Neuron.id and the token's row of all weights that a clause may mean.

    Columns: neuron, token; the tokens are the clause's, or any where they are too many to be listed. With
    ``classes`` the weights are those of classes of tokens, by TokenClass.id, and so are the rows.
    """
    parameters = Parameters()
    truths = neuron_truths(settled, None, parameters)
    truths += [f"e.weight {_WEIGHS[clause.influence]}", _at_places(clause, parameters)]
    tokens, kind = settled.influences[clause], "EVIDENCE]->(t:Token)"
    if classes is not None:
        truths.append(node_in("t.id", classes, parameters))
        kind = "CLASS_EVIDENCE]->(t:TokenClass)"
    elif is_listable(tokens):
        truths.append(reads("t", tokens, parameters))
    return Compiled(
        f"MATCH (n:Neuron)-[e:{kind}\nWHERE {' AND '.join(truths)}"
        "\nRETURN n.id AS neuron, offset(id(t)) AS token",
        parameters.values,
    )


def _at_places(clause: Influenced, parameters: Parameters) -> str:
    """Return what holds of the depth of a weight; one below zero is anywhere in so many positions before."""
    nearest = parameters.bind(clause.nearest)
    exactly = f"e.depth >= {nearest}"
    if clause.farthest is not None:
        exactly += f" AND e.depth <= {parameters.bind(clause.farthest)}"
    return f"({exactly} OR e.depth <= -{nearest})" if clause.nearest else f"({exactly})"


def compile_count(settled: Settled) -> Compiled:
    """Return the statement that counts the neurons of a query, without LIMIT and OFFSET."""
    parameters = Parameters()
    text = found(settled, settled.query.clauses, parameters)
    return Compiled(f"{text}\nRETURN count(*)", parameters.values)


def compile_evidence(settled: Settled, clause: PatternClause, neurons: Sequence[int]) -> tuple[Compiled, ...]:
    """Return, for each normal form of a clause, the statement that finds its matches in ``neurons`` (ids).

    Rows: neuron id, preorder index of the pattern's end, OF_MATCH, then the depth of each token that the
    clause names, in text order.
    """
    return tuple(_evidence(form, settled, neurons) for form in settled.forms[clause])


def _evidence(form: Lowered, settled: Settled, neurons: Sequence[int]) -> Compiled:
    parameters = Parameters()
    restrictions = split(settled.query.where).match
    rows = match_clause(form, "", restrictions, parameters, exactly=True, few_neurons=True)
    conditions = (node_in("n.id", neurons, parameters), *rows.conditions)
    answer = ("n.id", rows.end, *(getattr(rows.fields, name) for name in OF_MATCH), *rows.depths)
    parts = [
        f"MATCH (n:Neuron), {', '.join(rows.paths)}",
        f"WHERE {' AND '.join(conditions)}{rows.hint}",
        f"WITH * WHERE {' AND '.join(rows.filters)}",
        f"RETURN {', '.join(answer)}",
    ]
    return Compiled("\n".join(parts), parameters.values)


def found(
    settled: Settled,
    clauses: Formula[Clause] | None,
    parameters: Parameters,
    among: Sequence[int] | None = None,
) -> str:
    """Return MATCH and WHERE that bind ``n`` to every neuron that meets WHERE and ``clauses``."""
    truths = neuron_truths(settled, clauses, parameters, among)
    return f"MATCH (n:Neuron)\nWHERE {' AND '.join(truths)}" if truths else "MATCH (n:Neuron)"


def neuron_truths(
    settled: Settled,
    clauses: Formula[Clause] | None,
    parameters: Parameters,
    among: Sequence[int] | None = None,
) -> list[str]:
    """Return the conditions on ``n`` that express WHERE, as far as a statement can, and ``clauses``."""
    conditions = [each for each in split(settled.query.where).neuron if not fields_of(each) & {*WRITTEN}]
    truths = [] if settled.model is None else [f"n.model = {parameters.bind(settled.model)}"]
    if among is not None:
        truths.append(node_in("n.id", among, parameters))
    truths += [f"({condition_text(each, None, parameters)})" for each in conditions]
    if clauses is not None:
        truths.append(_holds(settled, clauses, parameters))
    return truths


def _holds(settled: Settled, clauses: Formula[Clause], parameters: Parameters) -> str:
    restrictions = split(settled.query.where).match
    if any(mentions_neuron(each) for each in restrictions):
        raise QueryError("a match and its neuron are compared by a join, not in a subquery")
    asked: list[Lowered] = []

    def name(form: Lowered) -> str:
        asked.append(form)
        _check_size(asked)
        return f"_{len(asked) - 1}"

    def leaf(clause: Clause) -> str:
        if not is_of_patterns(clause):
            raise QueryError(f"{type(clause).__name__} is not compiled to Cypher by itself")
        ways = [
            f"EXISTS {{ {match_clause(form, name(form), restrictions, parameters).text} }}"
            for form in settled.forms[clause]
        ]
        return _joined(" OR ")(ways)

    return fold(clauses, leaf, _joined(" AND "), _joined(" OR "), lambda operand: f"NOT {operand}")


def _check_size(asked: Sequence[Lowered]) -> None:
    """Raise QueryError where one statement would ask too many subqueries, or too much in them."""
    if len(asked) > MOST_SUBQUERIES:
        raise QueryError(
            f"the query needs more than {MOST_SUBQUERIES} subqueries: write fewer clauses, or fewer NEAR"
            " and texts of several tokens"
        )
    if sum(len(form.context) for form in asked) > MOST_JOINED:
        raise QueryError(
            f"the clauses name more than {MOST_JOINED} context tokens together: write fewer, or shorter ones"
        )


def _joined(word: str) -> Callable[[Sequence[str]], str]:
    def join(operands: Sequence[str]) -> str:
        if len(operands) == 1:
            return operands[0]
        return f"({word.join(operands)})" if operands else "false"

    return join


def ranked_fields(order: Sequence[Key]) -> tuple[str, ...]:
    """Return the fields of a match in an order."""
    return tuple(dict.fromkeys(key.field for key in order if FIELDS[key.field].of_match))
