"""Sort keys, groups of counts, and statistics of a field, in Python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from n2gdb.core import arguments
from n2gdb.core.arguments import shown
from n2gdb.errors import ArgumentError
from n2gdb.grammar.ast import Count, GroupBy, Grouping, Key, Measure, Query, Statistic
from n2gdb.grammar.fields import GROUPS
from n2gdb.query.builder.clauses import known
from n2gdb.query.builder.conditions import field_name

__all__ = ["counting", "measuring", "order_key"]


def measuring(tree: Query, name: str, field: str, by: str | Sequence[str] | None) -> Query:
    """Return the query for a statistic of a field, by its name in small letters."""
    words = tuple(each.value.lower() for each in Statistic)
    statistic = Statistic(known(name, words, "statistic").upper())
    groups = counting(tree, by).count or Count()
    parted = groups.groups or ((GroupBy(groups.by.value),) if groups.by is not None else ())
    return replace(tree, count=Count(None, parted, Measure(statistic, field_name(field))))


def counting(tree: Query, by: str | Sequence[str] | None) -> Query:
    """Return the query for how many there are, in all or in each group."""
    named = () if by is None else tuple(by) if isinstance(by, Iterable) and not isinstance(by, str) else (by,)
    groups = tuple(map(_group, named))
    classic = tuple(grouping.value for grouping in Grouping)
    if len(groups) == 1 and groups[0].width is None and groups[0].name in classic:
        return replace(tree, count=Count(Grouping(groups[0].name)))
    return replace(tree, count=Count(None, groups))


def _group(by: str) -> GroupBy:
    name, slash, width = arguments.text("a group", by).partition("/")
    word = known(name.strip(), GROUPS, "group")
    if not slash:
        return GroupBy(word)
    try:
        step = float(width)
    except ValueError:
        raise ArgumentError(f"{shown(by)}: a step is a number, as in 'f1 / 0.1'") from None
    return GroupBy(word, int(step) if step.is_integer() else step)


def order_key(key: str) -> Key:
    """Return a key of the order: a field, after a minus a falling one."""
    name = arguments.text("a key", key).removeprefix("-")
    return Key(field_name(name), descending=name != key)
