"""Tree builder for what follows WHERE: one method per rule of the section *THE REST* of query.lark."""

# A method is named after its rule, which query.lark explains.
# ruff: noqa: D102

from __future__ import annotations

import math
from typing import TypeAlias

from n2gdb.grammar.ast import (
    DEFAULT_METRIC,
    Count,
    GroupBy,
    Grouping,
    Key,
    Metric,
    NeuronRef,
    RankBy,
)
from n2gdb.grammar.errors import shortened
from n2gdb.grammar.fields import FIELDS, GROUP_WORDS, GROUPS, RETURNED, Kind, nearest
from n2gdb.grammar.tokens import Token
from n2gdb.grammar.values import count_of, fail, field_of, number_of, position_of

__all__ = ["Tail", "TailBuilder", "word_of"]

#: Groups are named by where they begin, with nine decimals.
_LEAST_STEP = 1e-9

#: What may follow WHERE: its keyword, the field of the statement that it sets, and what it sets it to.
Tail: TypeAlias = tuple[Token, str, object]


class TailBuilder:
    """Builds orders, slices, groups and columns."""

    def order(self, keyword: Token, _: Token, *keys: Key) -> Tail:
        for place, key in enumerate(keys):
            if key.field in (earlier.field for earlier in keys[:place]):
                fail(f"ORDER BY names {key.field} twice: once is enough", key.at)
        return keyword, "order", keys

    def key(self, name: Token, direction: Token | None) -> Key:
        descending = direction is not None and direction.upper() == "DESC"
        return Key(field_of(name).name, descending, at=position_of(name))

    def rank(self, keyword: Token, _: Token, neuron: NeuronRef, metric: Metric | None) -> Tail:
        return keyword, "rank", RankBy(neuron, metric or DEFAULT_METRIC, at=position_of(keyword))

    def limit(self, keyword: Token, count: Token) -> Tail:
        return keyword, "limit", count_of(count, "LIMIT")

    def offset(self, keyword: Token, count: Token) -> Tail:
        return keyword, "offset", count_of(count, "OFFSET")

    def returning(self, keyword: Token, *names: Token) -> Tail:
        columns = tuple(word_of(name, "column", RETURNED) for name in names)
        for place, (column, name) in enumerate(zip(columns, names, strict=True)):
            if column in columns[:place]:
                fail(f"RETURN names {column} twice: once is enough", position_of(name))
        return keyword, "returns", columns

    def grouping(self, keyword: Token, *groups: GroupBy) -> Tail:
        names = [each.name for each in groups]
        for place, each in enumerate(groups):
            if each.name in names[:place]:
                fail(f"BY names {each.name} twice: once is enough", each.at)
        classic = {grouping.value: grouping for grouping in Grouping}
        if len(groups) == 1 and groups[0].width is None and groups[0].name in classic:
            return keyword, "count", Count(classic[groups[0].name])
        for each in groups:
            if each.name in ("activating", "context"):
                fail(f"tokens stand alone after BY: write BY {each.name}", each.at)
        return keyword, "count", Count(None, groups)

    def group(self, name: Token, _: Token | None, width: Token | None) -> GroupBy:
        at = position_of(name)
        word = word_of(name, "group", GROUPS)
        if width is None:
            return GroupBy(word, at=at)
        if word not in FIELDS or FIELDS[word].kind is Kind.CHOICE:
            fail(f"{word} is a word: steps part a field of numbers, as in BY f1 / 0.1", at)
        if not 0 < (step := number_of(width)) < math.inf:
            fail(f"a step is a number above 0, as in BY {word} / 0.1", position_of(width))
        if step < _LEAST_STEP:
            fail(f"a step is {_LEAST_STEP:g} or more, as in BY {word} / 0.1", position_of(width))
        return GroupBy(word, step, at=at)

    def sample(self, keyword: Token, number: Token, _: Token | None, seed: Token | None) -> Tail:
        drawn = count_of(number, "SAMPLE")
        return keyword, "sample", (drawn, 0 if seed is None else count_of(seed, "SEED"))


#: What is not a column, and what to write.
_COLUMNS = {
    **dict.fromkeys(("all", "everything", "any"), "columns are named, as in RETURN neuron, f1"),
    **dict.fromkeys(("token", "tokens", "pattern", "patterns", "context"), "write path"),
    "count": "COUNT stands first, as in COUNT neurons MATCHING 'the'",
    **dict.fromkeys(("name", "id"), "write neuron"),
    "distinct": "every row of an answer is another one",
}


def word_of(name: Token, what: str, known: tuple[str, ...]) -> str:
    """Return a word in small letters; refuse one that is not known, with the nearest."""
    word = name.lower()
    if word not in known:
        if what == "group":
            near = nearest(name, GROUPS[:5])
            hint = f"did you mean {near}?" if near else GROUP_WORDS
            fail(f"no group {shortened(name)}: {hint}", position_of(name))
        near = nearest(name, known)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(known)}"
        hint = _COLUMNS.get(word, hint) if what == "column" else hint
        fail(f"no {what} {shortened(name)}: {hint}", position_of(name))
    return word
