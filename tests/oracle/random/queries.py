"""Statements at random, every construct mixed with every other.

One generator, which asks a ``random.Random`` for each of its choices: a seed's for long runs, Hypothesis's
where a failure is to be made small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from n2gdb.grammar.ast import (
    And,
    Clause,
    Comparison,
    Condition,
    ContainedIn,
    Contains,
    Count,
    Effect,
    FiringOn,
    Formula,
    GroupBy,
    Grouping,
    Influence,
    Influenced,
    Key,
    LikeVariable,
    Listed,
    Matching,
    Measure,
    Mentioning,
    Metric,
    NeuronRef,
    Not,
    Operator,
    OtherVariable,
    Predictor,
    Query,
    RankBy,
    Role,
    Showing,
    SimilarTo,
    Statement,
    Statistic,
    Subject,
    TokenLiteral,
    TokenPattern,
    TokenQuery,
    TokenSetQuery,
    TokensOf,
    TokenTerm,
    Variable,
    Writing,
    WrittenVariable,
)
from n2gdb.grammar.unparse import written
from tests.oracle.clauses import is_pattern_clause, positive
from tests.oracle.random.conditions import (
    OF_EFFECTS,
    OF_MATCH,
    OF_PATTERN,
    REAL,
    WHOLE,
    WORDS,
    random_condition,
    random_formula,
)
from tests.oracle.random.known import Known
from tests.oracle.random.patterns import TokenPath, random_pattern, random_test, text_along

__all__ = ["queries", "random_statement", "statements", "written"]

_SHOWN = ("neuron", "model", "path", "similarity", "size", *OF_MATCH, *OF_EFFECTS, *WHOLE, *REAL, *WORDS)
#: Rows from which on an answer is long: the engine sorts it in parts.
_MANY = 1000
_ABOVE = (0, 0.1, 0.25, 0.5, 0.6, 0.75, 0.9, 1.0)


def statements(known: Known) -> st.SearchStrategy[Statement]:
    """Any statement of the language."""
    return st.randoms(use_true_random=False).map(lambda random: random_statement(random, known))


#: What a query can name where no database says what units write, or what a class of one holds.
_SMALL = Known(neurons=(NeuronRef(0, 1, "small"), NeuronRef(1, 2, "small")))


def queries() -> st.SearchStrategy[Query]:
    """Any query that starts with neurons or patterns, over TYPED."""
    return st.randoms(use_true_random=False).map(lambda random: random_query(random, _SMALL))


def random_statement(random: Random, known: Known) -> Statement:
    """Return a statement; one in fourteen asks for tokens."""
    if random.random() < 0.03:
        return _token_sets(random, known)
    if random.random() < 0.07:
        limit, offset = _cut(random, 20), _cut(random, 20)
        return TokenQuery(random.choice(list(Role)), random.choice(known.neurons), limit, offset)
    return random_query(random, known)


def _token_sets(random: Random, known: Known) -> TokenSetQuery:
    terms = []
    for place in range(random.choice((1, 2, 2, 3))):
        clauses = _clause(random, known) if random.random() < 0.5 else None
        where = random_condition(random, (), known.values) if random.random() < 0.6 else None
        units = Query(clauses, where, subject=_units(random, known))
        if random.random() < 0.3:
            units = Query(Listed((random.choice(known.neurons),)), subject=Subject.UNITS)
        terms.append(TokenTerm(random.choice(list(Role)), units, bool(place) and random.random() < 0.6))
    if len(terms) == 1 and terms[0].units.subject is Subject.UNITS:
        terms *= 2
    return TokenSetQuery(tuple(terms), _cut(random, 20), _cut(random, 20))


def random_query(random: Random, known: Known) -> Query:
    """Return a query for neurons, for patterns, or for a count of either."""
    if known.rows > _MANY and random.random() < 0.3:
        return _whole(random, known)
    subject = Subject.PATTERNS if random.random() < 0.2 else _units(random, known)
    model = random.choice(known.models) if random.random() < 0.15 else None
    leaves = random.choice((1, 1, 1, 1, 1, 1, 1, 2, 2, 3))
    clauses = None
    if random.random() < 0.8:
        clauses = random_formula(random, lambda: _clause(random, known), leaves)
    owners = _units(random, known) if subject is Subject.PATTERNS and random.random() < 0.25 else None
    has_match = any(is_pattern_clause(each) for each in positive(clauses))
    if random.random() < 0.06:
        among = Listed(tuple(random.sample(known.neurons, min(len(known.neurons), random.randint(1, 12)))))
        rest = clauses.operands if isinstance(clauses, And) else () if clauses is None else (clauses,)
        clauses = And((among, *rest)) if rest else among
    on_match: Sequence[str] = OF_MATCH if has_match else ()
    if subject is Subject.PATTERNS and owners is None:
        on_match = OF_PATTERN
    logits = _logits_in(clauses)
    on_match = (*on_match, *logits)
    where = None
    if random.random() < 0.5:
        leaves = random.choice((1, 1, 1, 1, 2, 3))
        where = random_formula(random, lambda: random_condition(random, on_match, known.values), leaves)
    query = Query(
        clauses,
        where,
        (),
        _cut(random, known.rows),
        _cut(random, known.rows),
        subject,
        model,
        owners=owners,
    )
    if random.random() < 0.06:
        query = replace(query, sample=random.choice((0, 1, 2, 3, 5, 8, 13, 50)), seed=random.randint(0, 3))
    return _ended(random, known, query, on_match if owners is None else (*OF_PATTERN, *logits))


def _logits_in(clauses: Formula[Clause] | None) -> tuple[str, ...]:
    """Return the fields of the logits that clauses ask about."""
    effects = set()
    for clause in positive(clauses):
        if isinstance(clause, Matching):
            effects |= {each.effect.field for each in clause.written}
        elif isinstance(clause, Writing):
            effects.add(clause.effect.field)
    return tuple(sorted(effects))


def _whole(random: Random, known: Known) -> Query:
    """Return a query whose answer is long, and which is ordered by a few keys and often cut far behind."""
    subject = Subject.PATTERNS if random.random() < 0.15 else _units(random, known)
    on_match = OF_PATTERN if subject is Subject.PATTERNS else ()
    where = random_condition(random, on_match, known.values) if random.random() < 0.4 else None
    cut = _cut(random, known.rows), _cut(random, known.rows)
    return Query(None, where, _order(random, on_match), *cut, subject)


def _units(random: Random, known: Known) -> Subject:
    """Return a word for units, by what kinds of them there are."""
    if random.random() < (0.06 if known.values.words.get("kind", ["mlp"]) == ["mlp"] else 0.6):
        return random.choice((Subject.UNITS, Subject.UNITS, Subject.LATENTS))
    return Subject.NEURONS


def _ended(random: Random, known: Known, query: Query, on_match: Sequence[str]) -> Query:
    """Say how the rows of a query are counted, ranked or ordered, and what is shown of them."""
    kind = random.random()
    if kind < 0.1:
        return replace(query, count=_grouped(random, query, on_match))
    if kind < 0.22:
        return replace(query, count=Count(random.choice((None, *Grouping))))
    if kind < 0.32 and query.subject is not Subject.PATTERNS:
        return _ranked(random, known, query)
    if kind < 0.6:
        query = replace(query, order=_order(random, on_match))
    if random.random() < 0.1:
        query = replace(query, returns=tuple(random.sample(_SHOWN, random.randint(1, 4))))
    return query


def _grouped(random: Random, query: Query, on_match: Sequence[str]) -> Count:
    """Part by one or several fields, some in steps; count, or say something of a field."""
    known = tuple(dict.fromkeys(("model", *WORDS, *WHOLE, *REAL, *on_match)))
    names = random.sample(known, random.randint(0, 3))
    groups = tuple(
        GroupBy(name, random.choice((0.1, 0.25, 2, 5)))
        if name in (*WHOLE, *REAL, *on_match) and random.random() < 0.4
        else GroupBy(name)
        for name in names
    )
    if groups and random.random() < 0.4 and (len(groups) > 1 or groups[0].width is not None):
        return Count(None, groups)
    logits = tuple(each for each in on_match if each in OF_EFFECTS)  # few statements have any
    fields = (*WHOLE, *REAL, *(*on_match,) * 3, *logits * 9)
    return Count(None, groups, Measure(random.choice(list(Statistic)), random.choice(fields)))


def _ranked(random: Random, known: Known, query: Query) -> Query:
    """Rank by a neuron that WHERE may hold of, or leave out."""
    named = random.choice(known.neurons)
    if random.random() < 0.3:
        own: Formula[Condition] = And((_equal("layer", named.layer), _equal("index", named.index)))
        itself: Formula[Condition] = Not(own) if random.random() < 0.5 else own
        query = replace(query, where=itself if query.where is None else And((query.where, itself)))
    return replace(query, rank=RankBy(named, random.choice(list(Metric))))


def _equal(field: str, value: int) -> Condition:
    return Comparison(field, Operator.EQUAL, value)


def _order(random: Random, on_match: Sequence[str]) -> tuple[Key, ...]:
    """Return one to four keys, of every type: words, whole numbers, reals, and what may be missing."""
    of_match = tuple(on_match)
    kinds = [WORDS, WHOLE, REAL, *((of_match,) * 2 if of_match else ())]
    number = random.choice((1, 1, 2, 2, 3, 4))
    fields = dict.fromkeys(random.choice(random.choice(kinds)) for _ in range(number))
    return tuple(Key(name, random.random() < 0.5) for name in fields)


def _text(random: Random, known: Known, path: TokenPath) -> str:
    """Return a text to run graphs on: along stored paths, one behind the other, or a piece of the corpus.

    Of several paths many tokens are known, in other places too than where their own path has them.
    """
    if not known.examples or random.random() < 0.7:
        others = random.choices(known.paths, k=random.choice((0, 1, 1, 2, 3)))
        return "".join(text_along(random, known.texts, each) for each in (*others, path))
    example = random.choice(known.examples)
    start = random.randrange(max(1, len(example) - 20))
    return example[start : start + random.randint(1, 120)]


def _clause(random: Random, known: Known) -> Clause:
    kind = random.random()
    path = random.choice(known.paths)
    if kind < 0.06 and known.neurons[0].model is None:
        unit = TokensOf(random.choice(known.neurons), random.random() < 0.3)
        whole = random_pattern(random, known.texts, path)
        steps = [unit if isinstance(step, TokenLiteral) else step for step in whole.steps]
        return Matching(TokenPattern(tuple(steps), whole.links))
    if kind < 0.08 and known.has_windows:
        text = random.choice(known.texts).replace("\\", "") or "the"
        return Showing(text + random.choice(("", " dog")), random.random() < 0.4)
    if kind < 0.55:
        return _matching(random, random_pattern(random, known.texts, path), known.has_effects)
    if kind < 0.6 and known.has_effects:
        test = random_test(random, known.texts, random.choice((random.choice(known.texts), path[0][1])))
        return Writing(random.choice(list(Effect)), test)
    if kind < 0.66 and known.has_evidence:
        return _influenced(random, known, path)
    if kind < 0.7:
        return Mentioning(random_test(random, known.texts, random.choice(path)[1]))
    if kind < 0.83 and known.has_tokenizer:
        at = None if random.random() < 0.6 else random.choice((-1, -1, 0, 1, -2, 40))
        return FiringOn(_text(random, known, path), at, random.choice(list(Predictor)))
    neuron, above = random.choice(known.neurons), random.choice(_ABOVE)
    sharing = random.choice((1, 1, 1, 2, 3, 5))
    if kind < 0.9:
        return SimilarTo(neuron, random.choice(list(Metric)), random.choice((above, None)), sharing)
    return ContainedIn(neuron, above, sharing) if kind < 0.95 else Contains(neuron, above, sharing)


def _influenced(random: Random, known: Known, path: TokenPath) -> Influenced:
    test = random_test(random, known.texts, random.choice((random.choice(known.texts), path[-1][1])))
    influence, far = random.choice(list(Influence)), random.randint(1, 6)
    kind = random.random()
    if kind < 0.4:
        return Influenced(influence, test)
    if kind < 0.7:
        return Influenced(influence, test, 1, far)
    depth = random.choice((0, 1, far))
    return Influenced(influence, test, depth, depth)


def _matching(random: Random, pattern: TokenPattern, has_effects: bool) -> Matching:
    """Ask of some variables that the neuron writes their token, where what neurons write is known."""
    only = random.random() < 0.08
    if not has_effects:
        return Matching(pattern, (), only)
    names = dict.fromkeys(step.name for step in pattern.steps if isinstance(step, Variable))
    wanted = [name for name in names if random.random() < 0.4]
    kinds = (Variable, Variable, LikeVariable, OtherVariable)
    return Matching(
        pattern,
        tuple(WrittenVariable(random.choice(list(Effect)), random.choice(kinds)(name)) for name in wanted),
        only,
    )


def _cut(random: Random, rows: int) -> int | None:
    """Return a LIMIT or an OFFSET: a few rows, as many as there may be, or more."""
    kind = random.random()
    if kind < 0.12:
        return random.randint(0, 8)
    if kind < 0.18:
        return random.randint(0, rows)
    return random.choice((4_001, 5_000, rows + 1, 10 * rows, 1_000_000)) if kind < 0.22 else None
