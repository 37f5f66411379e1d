"""Tree builder: one method per grammar rule, each checking what the grammar cannot."""

# A method is named after its rule, which query.lark explains.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn, TypeAlias

from lark import Token, v_args

from n2gdb.grammar.ast import (
    And,
    Clause,
    ContainedIn,
    Contains,
    Count,
    Effect,
    FiringOn,
    Formula,
    Grouping,
    Influence,
    Influenced,
    Key,
    Matching,
    Mentioning,
    Metric,
    Mode,
    NeuronRef,
    Not,
    Or,
    Predictor,
    Query,
    RankBy,
    Role,
    SimilarTo,
    Statement,
    Subject,
    TokenPattern,
    TokenQuery,
    TokenTest,
    Variable,
    Writing,
    WrittenVariable,
)
from n2gdb.grammar.conditions import Condition
from n2gdb.grammar.errors import shortened
from n2gdb.grammar.fields import RETURNED, nearest
from n2gdb.grammar.parsing.build_conditions import ConditionBuilder
from n2gdb.grammar.parsing.build_patterns import PatternBuilder
from n2gdb.grammar.patterns import Position
from n2gdb.grammar.unit_names import read_unit
from n2gdb.grammar.values import LARGEST, count_of, fail, field_of, number_of, position_of, unescaped

__all__ = ["Builder"]

#: What may follow WHERE: its keyword, the field of the statement that it sets, and what it sets it to.
_Tail: TypeAlias = tuple[Token, str, object]

#: A query, and the keyword of each part that follows WHERE, by the field that it sets.
_Parted: TypeAlias = tuple[Query, dict[str, Token]]


@v_args(inline=True)
class Builder(PatternBuilder, ConditionBuilder):
    """Builds a statement bottom-up while the parser runs; raises MeaningError where it makes no sense."""

    def start(self, mode: Mode | None, statement: Statement) -> Statement:
        return statement if mode is None else replace(statement, mode=mode)

    def mode(self, keyword: Token) -> Mode:
        return Mode(keyword.upper())

    def query(
        self,
        subject: tuple[Subject, bool],
        model: Token | None,
        clauses: Formula[Clause] | None,
        where: Formula[Condition] | None,
        *tails: _Tail,
    ) -> _Parted:
        query = Query(clauses, where, subject=subject[0], of_neurons=subject[1])
        if model is not None:
            query = replace(query, model=unescaped(model), model_at=position_of(model))
        given = _once(tails)
        for keyword, _, _ in tails:
            _check_together(keyword, given, subject[0])
        return replace(query, **{name: value for _, name, value in tails}), given  # type: ignore[arg-type]

    def listed(self, parted: _Parted) -> Query:
        query, given = parted
        if "count" in given:
            fail(
                "BY groups a count: start the query with COUNT, or write ORDER BY",
                position_of(given["count"]),
            )
        return query

    def counted(self, parted: _Parted) -> Query:
        query, given = parted
        for name in ("order", "rank", "returns"):
            if name in given:
                word = given[name].upper()
                fail(f"COUNT has nothing but its counts: leave {word} out", position_of(given[name]))
        return replace(query, count=query.count or Count())

    def subject(self, keyword: Token, of_neurons: Token | None = None) -> tuple[Subject, bool]:
        return Subject(keyword.lower()), of_neurons is not None

    def in_model(self, name: Token) -> Token:
        return name

    def token_query(self, role: Role, neuron: NeuronRef, *slices: _Tail) -> TokenQuery:
        _once(slices)
        query = TokenQuery(role, neuron)
        return replace(query, **{name: value for _, name, value in slices})  # type: ignore[arg-type]

    def activating_role(self, _: Token) -> Role:
        return Role.ACTIVATING

    def context_role(self) -> Role:
        return Role.CONTEXT

    # -- clauses

    def conjunction(self, *operands: Formula[object]) -> And[object]:
        return And(operands)

    def disjunction(self, *operands: Formula[object]) -> Or[object]:
        return Or(operands)

    def negation(self, operand: Formula[object]) -> Not[object]:
        return Not(operand)

    def matching(
        self, keyword: Token, pattern: TokenPattern, *written: Writing | WrittenVariable
    ) -> Formula[Clause]:
        """Join what is written: a variable's token belongs to the match, any other is a clause of its own."""
        variables = tuple(each for each in written if isinstance(each, WrittenVariable))
        known = {step.name for step in pattern.steps if isinstance(step, Variable)}
        for each in variables:
            if each.variable.name not in known:
                _fail_unmatched(f"${each.variable.name}", each.effect, each.variable.at)
        clause = Matching(pattern, variables, at=position_of(keyword))
        others = tuple(each for each in written if isinstance(each, Writing))
        return And((clause, *others)) if others else clause

    def writing(self, effect: tuple[Effect, Position], test: TokenTest) -> Writing:
        return Writing(effect[0], test, at=effect[1])

    def unmatched_variable(self, effect: tuple[Effect, Position], name: Token) -> Writing:
        _fail_unmatched(str(name), effect[0], position_of(name))

    def written_token(self, effect: tuple[Effect, Position], test: TokenTest) -> Writing:
        return self.writing(effect, test)

    def written_variable(self, effect: tuple[Effect, Position], name: Token) -> WrittenVariable:
        return WrittenVariable(effect[0], self.variable(name))

    def effect(self, keyword: Token) -> tuple[Effect, Position]:
        return Effect(keyword.upper()), position_of(keyword)

    def mentioning(self, keyword: Token, test: TokenTest) -> Mentioning:
        return Mentioning(test, at=position_of(keyword))

    def activating_on(self, keyword: Token, test: TokenTest) -> Matching:
        return Matching(TokenPattern((test,)), at=position_of(keyword))

    def influence(self, keyword: Token, _: Token) -> tuple[Influence, Position]:
        return Influence(f"{keyword.upper()} BY"), position_of(keyword)

    def influenced(
        self, influence: tuple[Influence, Position], test: TokenTest, place: tuple[int, int] | None
    ) -> Influenced:
        clause = Influenced(influence[0], test, at=influence[1])
        return clause if place is None else replace(clause, nearest=place[0], farthest=place[1])

    def at_depth(self, back: Token) -> tuple[int, int]:
        depth = _depth(back, "AT", 0)
        return depth, depth

    def within_depth(self, back: Token) -> tuple[int, int]:
        return 1, _depth(back, "WITHIN", 1)

    def firing_on(self, keyword: Token, text: Token, token: Token | None, by: Predictor | None) -> FiringOn:
        if not (read := unescaped(text)):
            fail("an empty text: write what neurons are run on between the quotes", position_of(text))
        clause = FiringOn(read, by=by or Predictor.EVIDENCE, at=position_of(keyword))
        return clause if token is None else replace(clause, token=_token(token), token_at=position_of(token))

    def similar_to(
        self, keyword: Token, neuron: NeuronRef, metric: Metric | None, above: float | None
    ) -> SimilarTo:
        clause = SimilarTo(neuron, metric or Metric.GRAPH, at=position_of(keyword))
        return clause if above is None else replace(clause, above=above)

    def contained_in(self, keyword: Token, neuron: NeuronRef, above: float | None) -> ContainedIn:
        clause = ContainedIn(neuron, at=position_of(keyword))
        return clause if above is None else replace(clause, above=above)

    def contains(self, keyword: Token, neuron: NeuronRef, above: float | None) -> Contains:
        clause = Contains(neuron, at=position_of(keyword))
        return clause if above is None else replace(clause, above=above)

    def at(self, token: Token) -> Token:
        return token

    def using(self, name: Token) -> Metric:
        return Metric(_word(name, "metric", tuple(metric.value for metric in Metric)))

    def predictor(self, name: Token) -> Predictor:
        return Predictor(_word(name, "predictor", tuple(predictor.value for predictor in Predictor)))

    def above(self, value: Token) -> float:
        number = float(number_of(value))
        if not 0 <= number <= 1:
            fail(f"ABOVE takes a similarity from 0 to 1, not {value}", position_of(value))
        return number

    def neuron(self, name: Token, model: Token | None) -> NeuronRef:
        unit = read_unit(name)
        assert unit is not None, "the terminal is what read_unit reads"
        ref = NeuronRef(
            unit.layer,
            unit.index,
            side=unit.side,
            latent=unit.latent,
            source=unit.source,
            at=position_of(name),
        )
        return ref if model is None else replace(ref, model=unescaped(model), model_at=position_of(model))

    # -- what follows WHERE

    def order(self, keyword: Token, _: Token, *keys: Key) -> _Tail:
        for place, key in enumerate(keys):
            if key.field in (earlier.field for earlier in keys[:place]):
                fail(f"ORDER BY names {key.field} twice: once is enough", key.at)
        return keyword, "order", keys

    def key(self, name: Token, direction: Token | None) -> Key:
        descending = direction is not None and direction.upper() == "DESC"
        return Key(field_of(name).name, descending, at=position_of(name))

    def rank(self, keyword: Token, _: Token, neuron: NeuronRef, metric: Metric | None) -> _Tail:
        return keyword, "rank", RankBy(neuron, metric or Metric.GRAPH, at=position_of(keyword))

    def limit(self, keyword: Token, count: Token) -> _Tail:
        return keyword, "limit", count_of(count, "LIMIT")

    def offset(self, keyword: Token, count: Token) -> _Tail:
        return keyword, "offset", count_of(count, "OFFSET")

    def returning(self, keyword: Token, *names: Token) -> _Tail:
        return keyword, "returns", tuple(_word(name, "column", RETURNED) for name in names)

    def grouping(self, keyword: Token, name: Token) -> _Tail:
        word = _word(name, "group", tuple(grouping.value for grouping in Grouping))
        return keyword, "count", Count(Grouping(word))


#: What is not a column, and what to write.
_COLUMNS = {
    **dict.fromkeys(("all", "everything", "any"), "columns are named, as in RETURN neuron, f1"),
    **dict.fromkeys(("token", "tokens", "pattern", "patterns", "context"), "write path"),
    "count": "COUNT stands first, as in COUNT neurons MATCHING 'the'",
    **dict.fromkeys(("name", "id"), "write neuron"),
    "distinct": "every row of an answer is another one",
}


def _fail_unmatched(name: str, effect: Effect, at: Position) -> NoReturn:
    fail(
        f"{name} stands in no pattern right before {effect.value}: write MATCHING {name} {effect.value}"
        f" {name}, with no AND between",
        at,
    )


def _token(token: Token) -> int:
    number = number_of(token)
    if not isinstance(number, int):
        fail(f"AT takes a whole number, 0 the first token and -1 the last, not {token}", position_of(token))
    return number


def _depth(back: Token, word: str, least: int) -> int:
    number = number_of(back)
    if not isinstance(number, int) or not least <= number <= LARGEST:
        zero = ", 0 at the activating token itself" if least == 0 else ""
        fail(
            f"{word} takes how many positions before the activating token{zero}: a whole number from {least}"
            f" on, not {back}",
            position_of(back),
        )
    return number


def _word(name: Token, what: str, known: tuple[str, ...]) -> str:
    word = name.lower()
    if word not in known:
        near = nearest(name, known)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(known)}"
        hint = _COLUMNS.get(word, hint) if what == "column" else hint
        fail(f"no {what} {shortened(name)}: {hint}", position_of(name))
    return word


def _once(tails: tuple[_Tail, ...]) -> dict[str, Token]:
    """Return the keyword of each part; refuse one that stands twice."""
    given: dict[str, Token] = {}
    for keyword, name, _ in tails:
        if name in given:
            fail(f"{keyword.upper()} stands here twice: once is enough", position_of(keyword))
        given[name] = keyword
    return given


def _check_together(keyword: Token, given: dict[str, Token], subject: Subject) -> None:
    word = keyword.upper()
    if word == "RANK" and "order" in given:
        fail("RANK BY SIMILARITY is an order: leave ORDER BY out", position_of(keyword))
    if word == "RANK" and subject is Subject.PATTERNS:
        fail("RANK BY SIMILARITY orders neurons, not patterns: start with neurons", position_of(keyword))
