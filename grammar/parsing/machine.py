"""Reads a text by the parser's tables, step by step as Lark does."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

from n2gdb.grammar.parsing.tables import TEXT, WORD, Tables
from n2gdb.grammar.tokens import Token

__all__ = ["read"]

_WORD_HERE = re.compile(r"\w*")
_END = "$END"
_compiled = cache(re.compile)

#: Characters from which on it pays to compile the terminals of a state as one expression.
_LONG = 1_000

#: Takes the number of an order and a place; returns a terminal and where it ends.
Find: TypeAlias = Callable[[int, int], tuple[str, int] | None]

#: Letters that case turns into others of ASCII: an expression that ignores case takes them for k, s and i.
_ODD_LETTERS = re.compile("[\u017f\u212a\u0130\u0131]")


def read(tables: Tables, text: str, builder: object) -> Any:
    """Return what a builder makes of a text, one call a rule; None where the text does not parse.

    A builder has a method for each rule, which takes what became of the rule's parts.
    """
    if _ODD_LETTERS.search(text):
        return None
    states: list[int] = [tables.start]
    values: list[Any] = []
    place, line, line_start = 0, 1, 0
    find = _finder(tables, text)
    while True:
        found = (_END, place) if place == len(text) else find(tables.states[states[-1]][0], place)
        if found is None:
            return None
        terminal, end = found
        if terminal not in tables.ignored:
            while (action := tables.states[states[-1]][1].get(terminal)) is not None and action < 0:
                _reduce(tables, ~action, states, values, builder)
                if terminal == _END and states[-1] == tables.end:
                    return values[-1]
            if action is None or terminal == _END:
                return None
            states.append(action)
            values.append(Token.of(terminal, text[place:end], line, place - line_start + 1))
        if breaks := text.count("\n", place, end):
            line, line_start = line + breaks, text.rindex("\n", place, end) + 1
        place = end


def _finder(tables: Tables, text: str) -> Find:
    """Return what finds the terminal that stands at a place of a text: the first of an order that matches."""

    @cache
    def joined(order: int) -> re.Pattern[str]:
        each = (f"(?P<{name}>{_expression(*tables.terminals[name])})" for name in tables.orders[order])
        return re.compile("|".join(each))

    def find_by_one(order: int, place: int) -> tuple[str, int] | None:
        found = joined(order).match(text, place)
        return None if found is None or found.lastgroup is None else (found.lastgroup, found.end())

    def find_by_each(order: int, place: int) -> tuple[str, int] | None:
        word_end = _WORD_HERE.match(text, place).end()  # type: ignore[union-attr]
        word = text[place:word_end].lower()
        for name in tables.orders[order]:
            how, pattern = tables.terminals[name]
            if how == WORD:
                if word == pattern:
                    return name, word_end
            elif how == TEXT:
                if text.startswith(pattern, place):
                    return name, place + len(pattern)
            elif (found := _compiled(pattern).match(text, place)) is not None:
                return name, found.end()
        return None

    return find_by_one if len(text) > _LONG else find_by_each


def _expression(how: str, pattern: str) -> str:
    if how == WORD:
        return rf"(?i:{pattern}\b)"
    return re.escape(pattern) if how == TEXT else pattern


def _reduce(tables: Tables, number: int, states: list[int], values: list[Any], builder: object) -> None:
    """Replace the parts of a rule by what they become."""
    name, size, callback, is_single, kept, nones_after = tables.rules[number]
    parts = values[len(values) - size :]
    children: list[Any] = []
    for place, has_own, nones_before in kept:
        children += [None] * nones_before
        if has_own and not children:
            children = parts[place]  # not copied: a long repetition grows by one part each time
        else:
            children += parts[place] if has_own else [parts[place]]
    children += [None] * nones_after
    if size:
        del states[-size:], values[-size:]
    if name.startswith("_"):  # a repetition, which its rule takes part by part
        values.append(children)
    elif is_single and len(children) == 1:
        values.append(children[0])
    else:
        values.append(getattr(builder, callback)(*children))
    states.append(tables.states[states[-1]][1][name])
