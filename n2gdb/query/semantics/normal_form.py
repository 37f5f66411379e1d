"""Normal forms of clauses: named tokens, and the distances between them.

    'a' BEFORE/2 ... THEN 'b' BEFORE ...    →    a  --[2, any]-->  b  --[1, any]-->  activating token

One clause has several normal forms where a text is several tokens, or where two steps may change places;
it holds where any of them does. Every meaning of the language's steps and links is decided here, once, for
all that runs a query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, product
from math import prod
from typing import Any, TypeAlias, TypeGuard

from n2gdb.errors import QueryError, QuerySyntaxError
from n2gdb.grammar.ast import (
    AllOf,
    AnyToken,
    Effect,
    Influenced,
    LikeVariable,
    Link,
    Matching,
    Mentioning,
    Negated,
    OneOf,
    OtherVariable,
    Run,
    Step,
    TokenLiteral,
    TokenPattern,
    TokenTest,
    Variable,
    Writing,
)
from n2gdb.grammar.records import dataclass
from n2gdb.query.semantics.token_sets import Among, AnyOf, Reads, TokenSet
from n2gdb.query.semantics.vocabulary import Vocabulary, literals_of

__all__ = [
    "HERE",
    "MOST_ANCHORS",
    "Anchor",
    "Lowered",
    "PatternClause",
    "TokenRun",
    "is_of_patterns",
    "lower",
    "named_tokens",
    "names_tokens",
    "tests_of",
]

#: The clauses that are asked of single patterns, and compile to Cypher.
PatternClause: TypeAlias = Matching | Mentioning
#: The clauses that name tokens.
TokenClause: TypeAlias = PatternClause | Writing | Influenced

#: The engine plans joins in a time that grows steeply with their number: seconds beyond this one.
MOST_ANCHORS = 12
#: Normal forms of one clause: each is a subquery.
MOST_FORMS = 64

#: Steps that say nothing of a token by itself.
UNTESTED = (Variable, LikeVariable, OtherVariable, AnyToken, Run)

#: The distance of the activating token from itself.
HERE = Link(0, 0)
_NEXT = Link(1, 1)


#: An effect of the neuron on a token that reads like an anchor's, or with False on any other token.
LooseEffect: TypeAlias = tuple[Effect, bool]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A named token of a pattern: one of ``tokens``, or any where that is None.

    Anchors of one normal form that have the same ``variable`` stand on the same token. The neuron itself has
    these ``effects`` on its logit. One with ``like`` reads as the token of that variable does, case and
    leading space aside; one with ``other`` is another token. ``loose_effects`` are those that the neuron has
    on a token that is like this one, or another.
    """

    tokens: TokenSet | None
    variable: str | None = None
    effects: tuple[Effect, ...] = ()
    like: str | None = None
    other: str | None = None
    loose_effects: tuple[LooseEffect, ...] = ()

    @property
    def is_compared(self) -> bool:
        """Whether it is compared with another's token, or with what is written, in a way of no statement."""
        return self.like is not None or self.other is not None or bool(self.loose_effects)


@dataclass(frozen=True, slots=True)
class TokenRun:
    """Anchors side by side that a text of several tokens stands on, from number ``start`` on.

    ``sequences`` are the ways to read it as tokens (Token.ids), all of one length.
    """

    start: int
    sequences: tuple[tuple[int, ...], ...]

    @property
    def is_free(self) -> bool:
        """Whether the tokens of each anchor say it all: any may stand beside any."""
        return prod(len(set(column)) for column in zip(*self.sequences, strict=True)) == len(self.sequences)


@dataclass(frozen=True, slots=True)
class Lowered:
    """A pattern's normal form.

    ``anchors`` are the named tokens in text order; ``gaps[i]`` is the distance from anchor i to the
    next, the last one's to the activating token, HERE when that is the last anchor itself.
    ``reach`` is how many positions the stored pattern must go back beyond its first anchor, or beyond
    the activating token when there is no anchor. ``runs`` are texts that stand on several anchors.
    """

    anchors: tuple[Anchor, ...]
    gaps: tuple[Link, ...]
    reach: int
    runs: tuple[TokenRun, ...] = ()

    @property
    def context(self) -> tuple[Anchor, ...]:
        """The anchors that stand before the activating token."""
        return self.anchors[:-1] if self.activating else self.anchors

    @property
    def activating(self) -> Anchor | None:
        """The anchor on the activating token, if it is named."""
        return self.anchors[-1] if self.anchors and self.gaps[-1] == HERE else None

    def unfolded(self) -> Iterator[Lowered]:
        """Yield one form for each way to read the texts, where the anchors leave open which go together."""
        bound = [run for run in self.runs if not run.is_free]
        for chosen in product(*(run.sequences for run in bound)):
            anchors = list(self.anchors)
            for run, tokens in zip(bound, chosen, strict=True):
                anchors[run.start : run.start + len(tokens)] = [Anchor(Among((token,))) for token in tokens]
            yield Lowered(tuple(anchors), self.gaps, self.reach)


#: A step that is settled: what stands on one position, or on a run of them, or a text on several.
_Slot: TypeAlias = Anchor | AnyToken | Run
_Reading: TypeAlias = _Slot | TokenRun


def lower(clause: PatternClause, vocabulary: Vocabulary) -> tuple[Lowered, ...]:
    """Return the normal forms of a clause; none where it names a text that no model has tokens for.

    Raises QueryError if it names too many tokens or has too many forms.
    """
    vocabulary.learn(tests_of(clause))
    forms: dict[Lowered, None] = {}
    ordered = (each for pattern in _PATTERNS[type(clause)](clause) for each in _orders(pattern))
    for pattern in ordered:
        for readings, links in _settled(pattern, vocabulary):
            forms[_with_effects(_normal_form(readings, links), clause)] = None
            if len(forms) > MOST_FORMS:
                raise QueryError(
                    f"a clause can be read in more than {MOST_FORMS} ways: write fewer NEAR, or fewer texts"
                    " that may be cut into more or fewer tokens"
                )
    return tuple(forms)


def named_tokens(clause: Writing | Influenced, vocabulary: Vocabulary) -> TokenSet:
    """Return the tokens of a clause on single tokens; raises QuerySyntaxError for several at once."""
    word = clause.effect if isinstance(clause, Writing) else clause.influence
    _check_single(clause.test, vocabulary, f"{word.value} takes one token, and", "one of them")
    sets, sequences = _read(clause.test, vocabulary)
    ones = tuple(sorted({tokens[0] for tokens in sequences if len(tokens) == 1}))
    return AnyOf((*sets, Among(ones)))


def _with_effects(form: Lowered, clause: PatternClause) -> Lowered:
    """Mark the first anchor of each variable that the neuron writes: on context, unless it stands alone."""
    written = clause.written if isinstance(clause, Matching) else ()
    names = [anchor.variable for anchor in form.anchors]
    anchors = list(form.anchors)
    for each in written:
        place = names.index(each.variable.name)
        if not isinstance(each.variable, Variable):
            loose = (each.effect, isinstance(each.variable, LikeVariable))
            known = anchors[place].loose_effects
            anchors[place] = replace(anchors[place], loose_effects=tuple(dict.fromkeys((*known, loose))))
            continue
        effects = anchors[place].effects
        if each.effect not in effects:
            anchors[place] = replace(anchors[place], effects=(*effects, each.effect))
    return replace(form, anchors=tuple(anchors)) if written else form


def is_of_patterns(clause: object) -> TypeGuard[PatternClause]:
    """Return whether something is a clause that is asked of single patterns: one with normal forms."""
    return type(clause) in _PATTERNS


def names_tokens(clause: object) -> TypeGuard[TokenClause]:
    """Return whether something is a clause that names tokens."""
    return type(clause) in _STEPS


def tests_of(clause: TokenClause) -> tuple[TokenTest, ...]:
    """Return what a clause asks of single tokens."""
    steps = dict.fromkeys(_STEPS[type(clause)](clause))
    return tuple(step for step in steps if not isinstance(step, UNTESTED))


def _mentioned(clause: Mentioning) -> tuple[TokenPattern, ...]:
    return TokenPattern((clause.test,)), TokenPattern((clause.test, Run()), (Link(),))


#: By class of clause, for those that are asked of single patterns: the patterns of which one is to match.
_PATTERNS: Mapping[type, Callable[[Any], tuple[TokenPattern, ...]]] = {
    Matching: lambda clause: (clause.pattern,),
    Mentioning: _mentioned,
}

#: By class of clause, for those that name tokens: the steps that do.
_STEPS: Mapping[type, Callable[[Any], tuple[Step, ...]]] = {
    Matching: lambda clause: clause.pattern.steps,
    Mentioning: lambda clause: (clause.test,),
    Writing: lambda clause: (clause.test,),
    Influenced: lambda clause: (clause.test,),
}


def _orders(pattern: TokenPattern) -> Iterator[TokenPattern]:
    """Yield the pattern in every order that NEAR leaves open; pairs of NEAR never overlap."""
    pairs = [place for place, link in enumerate(pattern.links) if link.either]
    if any(right == left + 1 for left, right in pairwise(pairs)):
        raise QueryError("NEAR joins two tokens: write a chain of them as several clauses")
    links = tuple(Link(link.least, link.most) for link in pattern.links)
    for swapped in product((False, True), repeat=len(pairs)):
        steps = list(pattern.steps)
        for place, swap in zip(pairs, swapped, strict=True):
            if swap:
                steps[place], steps[place + 1] = steps[place + 1], steps[place]
        yield TokenPattern(tuple(steps), links)


def _settled(
    pattern: TokenPattern, vocabulary: Vocabulary
) -> Iterator[tuple[tuple[_Reading, ...], tuple[Link, ...]]]:
    """Yield the pattern with every step settled, once for each choice of how many tokens its texts are."""
    for chosen in product(*[_readings(step, vocabulary) for step in pattern.steps]):
        yield chosen, pattern.links


def _readings(step: Step, vocabulary: Vocabulary) -> list[_Reading]:
    """Return what a step may stand on: one position, or a text's tokens on so many side by side."""
    if isinstance(step, AnyToken | Run):
        return [step]
    match step:
        case Variable(name):
            return [Anchor(None, name)]
        case LikeVariable(name):
            return [Anchor(None, like=name)]
        case OtherVariable(name):
            return [Anchor(None, other=name)]
    single, sequences = _read(step, vocabulary)
    by_length: dict[int, list[tuple[int, ...]]] = {}
    for tokens in dict.fromkeys(sequences):
        by_length.setdefault(len(tokens), []).append(tokens)
    ones = tuple(sorted(token for (token,) in by_length.pop(1, [])))
    sets = [*single, *([Among(ones)] if ones else [])]
    readings: list[_Reading] = []
    if sets:
        readings.append(Anchor(sets[0] if len(sets) == 1 else AnyOf(tuple(sets))))
    readings += [TokenRun(0, tuple(sorted(by_length[length]))) for length in sorted(by_length)]
    return readings


def _read(test: TokenTest, vocabulary: Vocabulary) -> tuple[list[TokenSet], list[tuple[int, ...]]]:
    """Return the sets of single tokens that pass a test, and the sequences of tokens that read as it says."""
    match test:
        case TokenLiteral():
            single = vocabulary.settle(test)
            assert isinstance(single, Reads)
            return [single] if single.tokens else [], list(vocabulary.held(test))
        case OneOf(alternatives):
            read = [_read(each, vocabulary) for each in alternatives]
            return [each for sets, _ in read for each in sets], [each for _, cuts in read for each in cuts]
        case Negated(inner):
            _check_single(inner, vocabulary)
            return [vocabulary.settle(test)], []
        case AllOf(tests):
            for each in tests:
                _check_single(each, vocabulary, "& takes one token, and", "one of them")
            return [vocabulary.settle(test)], []
        case _:
            return [vocabulary.settle(test)], []


def _check_single(
    test: TokenTest,
    vocabulary: Vocabulary,
    refused: str = "! takes one token, and",
    way_out: str = "! before one of them, or NOT MATCHING for the whole text",
) -> None:
    """Refuse a text of several tokens where one is meant."""
    for literal in literals_of(test):
        cuts = vocabulary.cuts(literal)
        if cuts and not vocabulary.reads(literal) and not any(len(cut) == 1 for cut in cuts):
            raise QuerySyntaxError(
                f"{refused} {literal} is {len(cuts[0])} for the model: write {way_out}",
                line=literal.at.line,
                column=literal.at.column,
            )


def _normal_form(readings: Sequence[_Reading], links: Sequence[Link]) -> Lowered:
    slots, links, runs = _laid(readings, links)
    named = sum(isinstance(slot, Anchor) for slot in slots)
    if named > MOST_ANCHORS:
        raise QueryError(_too_many(readings, named))
    anchors: list[Anchor] = []
    gaps: list[Link] = []
    reach = 0
    gap = HERE  # from the last anchor, or from the first position of all, to the slot at hand
    last = len(slots) - 1
    for place, slot in enumerate(slots):
        if place:
            gap = _sum(gap, links[place - 1])
        if isinstance(slot, Anchor):
            if anchors:
                gaps.append(gap)
            else:
                reach = gap.least
            anchors.append(slot)
            gap = HERE
        elif place == last and anchors:
            gaps.append(gap)
        elif place == last:
            reach = gap.least
        elif isinstance(slot, Run):
            gap = Link(gap.least, None)  # a run is as long as it likes
    if isinstance(slots[-1], Anchor):
        gaps.append(HERE)
    return Lowered(tuple(anchors), tuple(gaps), reach, runs)


def _laid(
    readings: Sequence[_Reading], links: Sequence[Link]
) -> tuple[list[_Slot], list[Link], tuple[TokenRun, ...]]:
    """Lay readings on single positions; return these, the links between them, and which are of one text."""
    slots: list[_Slot] = []
    between: list[Link] = []
    runs: list[TokenRun] = []
    for place, reading in enumerate(readings):
        if isinstance(reading, TokenRun):
            start = sum(isinstance(slot, Anchor) for slot in slots)
            columns = list(zip(*reading.sequences, strict=True))
            slots += [Anchor(Among(tuple(sorted(set(column))))) for column in columns]
            between += [_NEXT] * (len(columns) - 1)
            if len(reading.sequences) > 1:
                runs.append(TokenRun(start, reading.sequences))
        else:
            slots.append(reading)
        between += links[place : place + 1]
    return slots, between, tuple(runs)


def _too_many(readings: Sequence[_Reading], named: int) -> str:
    texts = [len(reading.sequences[0]) for reading in readings if isinstance(reading, TokenRun)]
    cut = f", {' and '.join(map(str, texts))} of them in texts that the model cuts in pieces" if texts else ""
    return f"a pattern names {named} tokens{cut}: name at most {MOST_ANCHORS}"


def _sum(first: Link, second: Link) -> Link:
    unbounded = first.most is None or second.most is None
    return Link(first.least + second.least, None if unbounded else (first.most or 0) + (second.most or 0))
