"""Tree builder: one method per grammar rule, each checking what the grammar cannot."""

# A method is named after its rule, which query.lark explains.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn, TypeAlias

from n2gdb.grammar.ast import (
    DEFAULT_METRIC,
    And,
    Clause,
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
    LikeVariable,
    Listed,
    Matching,
    Measure,
    Mentioning,
    Metric,
    Mode,
    NeuronRef,
    Not,
    Or,
    OtherVariable,
    Predictor,
    Query,
    Role,
    Showing,
    SimilarTo,
    Statement,
    Statistic,
    Subject,
    TokenPattern,
    TokenQuery,
    TokenSetQuery,
    TokenTerm,
    TokenTest,
    Variable,
    Writing,
    WrittenVariable,
)
from n2gdb.grammar.conditions import Condition
from n2gdb.grammar.errors import shortened
from n2gdb.grammar.fields import Kind
from n2gdb.grammar.parsing.bounds import Bound, as_fields, bound_of
from n2gdb.grammar.parsing.build_conditions import ConditionBuilder
from n2gdb.grammar.parsing.build_patterns import PatternBuilder
from n2gdb.grammar.parsing.build_tails import Tail, TailBuilder, word_of
from n2gdb.grammar.patterns import Position
from n2gdb.grammar.records import dataclass
from n2gdb.grammar.tokens import Token
from n2gdb.grammar.unit_names import read_unit
from n2gdb.grammar.values import LARGEST, fail, field_of, number_of, position_of, unescaped

__all__ = ["Builder"]


@dataclass(frozen=True, slots=True)
class _Term:
    """A role, and the units in whose graphs tokens have it."""

    role: Role
    units: NeuronRef | Query
    negated: bool = False

    @property
    def term(self) -> TokenTerm:
        units = self.units
        if isinstance(units, NeuronRef):
            units = Query(Listed((units,), at=units.at), subject=Subject.UNITS)
        return TokenTerm(self.role, units, self.negated)


#: A query, and the keyword of each part that follows WHERE, by the field that it sets.
_Parted: TypeAlias = tuple[Query, dict[str, Token]]


class Builder(PatternBuilder, ConditionBuilder, TailBuilder):
    """Builds a statement bottom-up while the parser runs; raises MeaningError if it makes no sense."""

    def start(self, mode: Mode | None, statement: Statement) -> Statement:
        return statement if mode is None else replace(statement, mode=mode)

    def mode(self, keyword: Token) -> Mode:
        return Mode(keyword.upper())

    def query(
        self,
        subject: Query,
        model: Token | None,
        among: Listed | None,
        clauses: Formula[Clause] | None,
        where: Formula[Condition] | None,
        *tails: Tail,
    ) -> _Parted:
        clauses = _narrowed(subject.clauses, _narrowed(among, clauses))
        query = replace(subject, clauses=clauses, where=where)
        if model is not None:
            query = replace(query, model=unescaped(model), model_at=position_of(model))
        given = _once(tails)
        for keyword, _, _ in tails:
            _check_together(keyword, given, subject.subject)
        changes = {name: value for _, name, value in tails if name != "sample"}
        for _, _, value in (each for each in tails if each[1] == "sample"):
            changes["sample"], changes["seed"] = value  # type: ignore[misc]
        return replace(query, **changes), given  # type: ignore[arg-type]

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
        _check_counted(given, "COUNT has nothing but its counts")
        return replace(query, count=query.count or Count())

    def measured(self, statistic: Statistic, name: Token, parted: _Parted) -> Query:
        query, given = parted
        word = statistic.value
        _check_counted(given, f"{word} has nothing but its figures")
        field = field_of(name)
        if field.kind is Kind.CHOICE:
            fail(
                f"{field.name} is a word: {word} takes a field of numbers, as in {word} f1 OF",
                position_of(name),
            )
        count = query.count or Count()
        groups = count.groups
        if count.by in (Grouping.ACTIVATING, Grouping.CONTEXT):
            fail(f"{word} is grouped by fields of neurons, as in BY layer", position_of(given["count"]))
        if count.by is not None:
            groups = (GroupBy(count.by.value),)
        return replace(query, count=Count(None, groups, Measure(statistic, field.name, at=position_of(name))))

    def statistic(self, keyword: Token) -> Statistic:
        return Statistic(keyword.upper())

    def subject(self, keyword: Token, owners: Token | None = None) -> Query:
        of = None if owners is None else Subject(owners.lower())
        return Query(subject=Subject(keyword.lower()), owners=of, units_at=position_of(owners or keyword))

    def patterns_of_neuron(self, keyword: Token, neuron: NeuronRef) -> Query:
        return Query(Listed((neuron,), at=neuron.at), subject=Subject.PATTERNS)

    def saved(self, name: Token) -> Listed:
        return Listed((), name[1:].lower(), at=position_of(name))

    def among(self, *neurons: NeuronRef) -> Listed:
        return Listed(neurons, at=neurons[0].at)

    def in_model(self, name: Token) -> Token:
        return name

    def token_query(self, *parts: _Term | Tail) -> TokenQuery | TokenSetQuery:
        terms = [part for part in parts if isinstance(part, _Term)]
        slices = [part for part in parts if not isinstance(part, _Term)]
        _once(tuple(slices))
        given = {name: value for _, name, value in slices}
        first = terms[0]
        if len(terms) == 1 and isinstance(first.units, NeuronRef):
            return replace(TokenQuery(first.role, first.units), **given)  # type: ignore[arg-type]
        return replace(TokenSetQuery(tuple(each.term for each in terms)), **given)  # type: ignore[arg-type]

    def tokens_of_neuron(self, role: Role, neuron: NeuronRef) -> _Term:
        return _Term(role, neuron)

    def tokens_of_units(self, role: Role, units: Query) -> _Term:
        return _Term(role, units)

    def and_term(self, word: Token, term: _Term) -> _Term:
        return replace(term, negated=word.type == "AND_NOT_ROLE")

    def term_units(
        self,
        keyword: Token,
        model: Token | None,
        among: Listed | None,
        clauses: Formula[Clause] | None,
        where: Formula[Condition] | None,
    ) -> Query:
        at = position_of(keyword)
        query = Query(_narrowed(among, clauses), where, subject=Subject(keyword.lower()), units_at=at)
        if model is None:
            return query
        return replace(query, model=unescaped(model), model_at=position_of(model))

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
        self, keyword: Token, only: Token | None, pattern: TokenPattern, *written: Writing | WrittenVariable
    ) -> Formula[Clause]:
        """Join what is written: a variable's token belongs to the match, any other is a clause of its own."""
        variables = tuple(each for each in written if isinstance(each, WrittenVariable))
        known = {step.name for step in pattern.steps if isinstance(step, Variable)}
        for each in variables:
            if each.variable.name not in known:
                _fail_unmatched(f"${each.variable.name}", each.effect, each.variable.at)
        for step in pattern.steps:
            if isinstance(step, LikeVariable | OtherVariable) and step.name not in known:
                sign = "~" if isinstance(step, LikeVariable) else "!"
                fail(
                    f"{sign}${step.name} compares with ${step.name}, which the pattern lacks: write"
                    f" ${step.name} BEFORE {sign}${step.name}",
                    step.at,
                )
        clause = Matching(pattern, variables, only is not None, at=position_of(keyword))
        others = tuple(each for each in written if isinstance(each, Writing))
        return And((clause, *others)) if others else clause

    def writing(self, effect: tuple[Effect, Position], test: TokenTest) -> Writing:
        return Writing(effect[0], test, at=effect[1])

    def unmatched_variable(
        self, effect: tuple[Effect, Position], name: Variable | LikeVariable | OtherVariable
    ) -> Writing:
        _fail_unmatched(f"${name.name}", effect[0], name.at)

    def written_token(self, effect: tuple[Effect, Position], test: TokenTest) -> Writing:
        return self.writing(effect, test)

    def written_variable(
        self, effect: tuple[Effect, Position], name: Variable | LikeVariable | OtherVariable
    ) -> WrittenVariable:
        return WrittenVariable(effect[0], name)

    def effect(self, keyword: Token) -> tuple[Effect, Position]:
        return Effect(keyword.upper()), position_of(keyword)

    def mentioning(self, keyword: Token, test: TokenTest) -> Mentioning:
        return Mentioning(test, at=position_of(keyword))

    def activating_on(self, keyword: Token, only: Token | None, test: TokenTest) -> Matching:
        return Matching(TokenPattern((test,)), only=only is not None, at=position_of(keyword))

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

    def showing(self, keyword: Token, text: Token) -> Showing:
        if not (read := unescaped(text)):
            fail("an empty text: write what the examples show between the quotes", position_of(text))
        return Showing(read, text.startswith('"'), at=position_of(keyword))

    def similar_to(
        self, keyword: Token, neuron: NeuronRef, metric: Metric | None, *bounds: Bound
    ) -> SimilarTo:
        clause = SimilarTo(neuron, metric or DEFAULT_METRIC, at=position_of(keyword))
        return replace(clause, **as_fields(bounds))

    def contained_in(self, keyword: Token, neuron: NeuronRef, *bounds: Bound) -> ContainedIn:
        return replace(ContainedIn(neuron, at=position_of(keyword)), **as_fields(bounds))

    def contains(self, keyword: Token, neuron: NeuronRef, *bounds: Bound) -> Contains:
        return replace(Contains(neuron, at=position_of(keyword)), **as_fields(bounds))

    def at(self, token: Token) -> Token:
        return token

    def using(self, name: Token) -> Metric:
        return Metric(word_of(name, "metric", tuple(metric.value for metric in Metric)))

    def predictor(self, name: Token) -> Predictor:
        return Predictor(word_of(name, "predictor", tuple(predictor.value for predictor in Predictor)))

    def bound(self, keyword: Token, value: Token) -> Bound:
        return keyword, bound_of(keyword, value)

    def neuron(self, name: Token, model: Token | None) -> NeuronRef:
        if (unit := read_unit(name)) is None:
            fail(f"{shortened(name)} is no neuron: no model has so large a number", position_of(name))
        ref = NeuronRef(
            unit.layer,
            unit.index,
            side=unit.side,
            latent=unit.latent,
            source=unit.source,
            at=position_of(name),
        )
        return ref if model is None else replace(ref, model=unescaped(model), model_at=position_of(model))


def _narrowed(among: Formula[Clause] | None, clauses: Formula[Clause] | None) -> Formula[Clause] | None:
    """Put the units that a query lists before its clauses."""
    if among is None:
        return clauses
    if clauses is None:
        return among
    rest = clauses.operands if isinstance(clauses, And) else (clauses,)
    return And((among, *rest))


def _check_counted(given: dict[str, Token], has: str) -> None:
    for name in ("order", "rank", "returns"):
        if name in given:
            fail(f"{has}: leave {given[name].upper()} out", position_of(given[name]))


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


def _once(tails: tuple[Tail, ...]) -> dict[str, Token]:
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
