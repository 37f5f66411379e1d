"""Queries at random, and how they are written."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import strategies as st

from n2gdb.grammar.ast import (
    And,
    Between,
    Comparison,
    Condition,
    Formula,
    Key,
    Link,
    Matching,
    Not,
    Operator,
    Or,
    Pattern,
    Query,
    Run,
    Step,
    TokenLiteral,
)
from tests.oracle import positive

#: Tokens as they are typed: known by text, by norm, under both kinds of quotes, and not at all.
TYPED = (" the", "the", "THE", "end", " end", "of", "dog", " cat", "s", "\n", "xyzzy")

Leaf = TypeVar("Leaf")

_WHOLE = ("layer", "index", "n_patterns", "n_nodes", "n_activating", "n_context", "true_firings")
_REAL = ("f1", "precision", "recall", "max_activation")
_NUMBERS = st.sampled_from((0.25, 0.5, 0.6, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 3.5))


def queries() -> st.SearchStrategy[Query]:
    """Any query of the language over TYPED."""
    return st.one_of(_matching_queries(), _plain_queries())


@st.composite
def _matching_queries(draw: st.DrawFn) -> Query:
    clauses = draw(_formulas(st.builds(Matching, _patterns()), leaves=3))
    where = draw(st.none() | _formulas(st.one_of(_conditions(), _match_conditions()), leaves=3))
    keys = st.one_of(_keys(_WHOLE + _REAL), _keys(("activation", "importance")))
    order = draw(st.lists(keys if any(positive(clauses)) else _keys(_WHOLE), max_size=2))
    return Query(clauses, where, tuple(order), draw(_counts()), draw(_counts()))


def _plain_queries() -> st.SearchStrategy[Query]:
    where = st.none() | _formulas(_conditions(), leaves=4)
    order = st.lists(_keys((*_WHOLE, *_REAL, "state")), max_size=3).map(tuple)
    return st.builds(Query, st.none(), where, order, _counts(), _counts())


def _counts() -> st.SearchStrategy[int | None]:
    return st.none() | st.none() | st.integers(0, 8)


def _keys(names: tuple[str, ...]) -> st.SearchStrategy[Key]:
    return st.builds(Key, st.sampled_from(names), st.booleans())


@st.composite
def _patterns(draw: st.DrawFn) -> Pattern:
    token = st.builds(TokenLiteral, st.sampled_from(TYPED), st.sampled_from((False, False, True)))
    step: st.SearchStrategy[Step] = st.one_of(token, token, st.builds(Run))
    steps = draw(st.lists(step, min_size=1, max_size=4))
    links = [draw(_links()) for _ in steps[1:]]
    return Pattern(tuple(steps), tuple(links))


def _links() -> st.SearchStrategy[Link]:
    return st.sampled_from((Link(), Link(), Link(1, 1), Link(1, 2), Link(1, 4)))


def _conditions() -> st.SearchStrategy[Condition]:
    operators = st.sampled_from(Operator)
    whole = st.builds(Comparison, st.sampled_from(_WHOLE), operators, st.integers(0, 9))
    real = st.builds(Comparison, st.sampled_from(_REAL), operators, _NUMBERS)
    states = st.sampled_from(("live", "unpredicted", "dead"))
    state = st.builds(
        Comparison, st.just("state"), st.sampled_from((Operator.EQUAL, Operator.UNEQUAL)), states
    )
    return st.one_of(whole, real, state, _ranges(_WHOLE, st.integers(0, 9)), _ranges(_REAL, _NUMBERS))


def _match_conditions() -> st.SearchStrategy[Condition]:
    names = ("activation", "importance")
    compared = st.builds(Comparison, st.sampled_from(names), st.sampled_from(Operator), _NUMBERS)
    return st.one_of(compared, compared, _ranges(names, _NUMBERS))


def _ranges(
    names: tuple[str, ...], values: st.SearchStrategy[int] | st.SearchStrategy[float]
) -> st.SearchStrategy[Condition]:
    ends = st.tuples(values, values).map(sorted)
    return st.builds(lambda name, ends: Between(name, *ends), st.sampled_from(names), ends)


def _formulas(leaf: st.SearchStrategy[Leaf], leaves: int) -> st.SearchStrategy[Formula[Leaf]]:
    def deeper(inner: st.SearchStrategy[Formula[Leaf]]) -> st.SearchStrategy[Formula[Leaf]]:
        operands = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.one_of(st.builds(And, operands), st.builds(Or, operands), st.builds(Not, inner))

    return st.recursive(leaf, deeper, max_leaves=leaves)


def written(query: Query) -> str:
    """Return the text of a query; read again it is an equal query."""
    parts = ["neurons"]
    if query.clauses is not None:
        parts.append(_formula_text(query.clauses))
    if query.where is not None:
        parts.append(f"WHERE {_formula_text(query.where)}")
    if query.order:
        keys = (f"{key.field}{' DESC' if key.descending else ''}" for key in query.order)
        parts.append(f"ORDER BY {', '.join(keys)}")
    if query.limit is not None:
        parts.append(f"LIMIT {query.limit}")
    if query.offset is not None:
        parts.append(f"OFFSET {query.offset}")
    return " ".join(parts)


def _formula_text(formula: Formula[Matching] | Formula[Condition]) -> str:
    match formula:
        case And(operands):
            return " AND ".join(f"({_formula_text(each)})" for each in operands)
        case Or(operands):
            return " OR ".join(f"({_formula_text(each)})" for each in operands)
        case Not(each):
            return f"NOT ({_formula_text(each)})"
        case Comparison(name, operator, value):
            return f"{name} {operator.value} {value!r}"
        case Between(name, least, most):
            return f"{name} IN {least}..{most}"
        case Matching(pattern):
            return f"MATCHING {_pattern_text(pattern)}"


def _pattern_text(pattern: Pattern) -> str:
    """Write AFTER where the steps allow it by their number, so that both directions are read."""
    steps, links = [_step_text(step) for step in pattern.steps], pattern.links
    backwards = len(steps) == 3 and Link(1, 1) not in links
    if backwards:
        steps, links = steps[::-1], links[::-1]
    connectors = [_link_text(link, "AFTER" if backwards else "BEFORE") for link in links]
    return " ".join(part for pair in zip(steps, [*connectors, ""], strict=True) for part in pair).strip()


def _link_text(link: Link, word: str) -> str:
    if link == Link(1, 1):
        return "THEN"
    return word if link.most is None else f"{word}/{link.most}"


def _step_text(step: Step) -> str:
    if isinstance(step, Run):
        return "..."
    quote = '"' if step.exact else "'"
    escaped = step.text.replace("\\", "\\\\").replace("\n", "\\n").replace(quote, f"\\{quote}")
    return f"{quote}{escaped}{quote}"
