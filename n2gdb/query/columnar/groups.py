"""Counts and statistics by groups: by several fields, or by fields in steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from n2gdb.core.deadline import check_time, timed
from n2gdb.grammar.ast import Count, GroupBy, Grouping, Statistic
from n2gdb.grammar.fields import FIELDS, Kind
from n2gdb.query.columnar.units import Column, Words

if TYPE_CHECKING:
    from n2gdb.core.arrays import Float64Array, Int64Array

__all__ = ["Group", "groups_of", "kinds_of_groups", "names_of_groups"]

#: The values of the groups' fields, how many rows there are, and the statistic of those that have a value.
Group: TypeAlias = tuple[tuple[int | float | str | None, ...], int, float | None]

_STATISTICS: dict[Statistic, Callable[[Sequence[float]], float]] = {
    Statistic.AVG: lambda values: math.fsum(values) / len(values),
    Statistic.SUM: math.fsum,
    Statistic.MEDIAN: median,
    Statistic.MIN: min,
    Statistic.MAX: max,
}


@dataclass(frozen=True, slots=True)
class _Parted:
    """A group's field as whole numbers to part rows by, and what each stands for: (rows,)."""

    codes: Int64Array
    values: Sequence[int | float | str | None]


def named_groups(count: Count) -> tuple[GroupBy, ...]:
    """Return what a count is grouped by, one group too."""
    return count.groups if count.by is None else (GroupBy(count.by.value),)


def names_of_groups(count: Count) -> tuple[str, ...]:
    """Return the names of the columns that tell the groups: ``group`` where there is one."""
    groups = named_groups(count)
    return tuple(each.name for each in groups) if len(groups) > 1 else ("group",)


def kinds_of_groups(count: Count) -> dict[str, Kind]:
    """Return what these columns hold."""
    return {
        name: Kind.CHOICE if each.name not in FIELDS else _kind(each)
        for name, each in zip(names_of_groups(count), named_groups(count), strict=False)
    }


def _kind(group: GroupBy) -> Kind:
    kind = FIELDS[group.name].kind
    return Kind.REAL if kind is Kind.WHOLE and isinstance(group.width, float) else kind


def groups_of(
    count: Count, read: Callable[[str], Column], models: Callable[[], Sequence[str]], rows: int
) -> list[Group]:
    """Return the groups of some rows by their values, what is missing last; ``read`` gives a column."""
    parted = [
        _words(models()) if each.name == Grouping.MODEL.value else _parted(read(each.name), each)
        for each in named_groups(count)
    ]
    place, first = np.zeros(rows, np.int64), np.zeros(1, np.int64)
    for part in parted:  # places are few: no product of theirs overflows
        check_time()
        code = place * len(part.values) + part.codes
        _, first, place = np.unique(code, return_index=True, return_inverse=True)
    counts = np.bincount(place, minlength=len(first)).tolist()
    figures: list[float | None] = [None] * len(counts)
    if count.measure is not None:
        values = read(count.measure.field)
        assert not isinstance(values, Words), "the parser lets no word be measured"
        for group, of_group in enumerate(_by_group(values, place, len(counts))):
            if of_group:
                figures[group] = round(_STATISTICS[count.measure.statistic](of_group), 9)
    keys = [tuple(part.values[part.codes[row]] for part in parted) for row in (first if parted else [0])]
    found = list(zip(keys, counts, figures, strict=True))
    return sorted(
        found, key=lambda group: [(value is None, "" if value is None else value) for value in group[0]]
    )


def _by_group(values: Float64Array, place: Int64Array, groups: int) -> list[list[float]]:
    parts: list[list[float]] = [[] for _ in range(groups)]
    for group, value in timed(zip(place.tolist(), values.tolist(), strict=True)):
        if value == value:
            parts[group].append(value)
    return parts


def _words(words: Sequence[str]) -> _Parted:
    names = sorted(set(words))
    place = {name: at for at, name in enumerate(names)}
    return _Parted(np.array([place[each] for each in timed(words)], np.int64), names)


def _parted(column: Column, group: GroupBy) -> _Parted:
    if isinstance(column, Words):
        return _Parted(np.where(column.codes < 0, len(column.names), column.codes), [*column.names, None])
    if group.width is not None:
        steps = np.floor(np.round(column / group.width, 9))
        column = np.round(steps * group.width, 9)
    known = np.unique(column[~np.isnan(column)])
    codes = np.where(np.isnan(column), len(known), np.searchsorted(known, column))
    whole = _kind(group) is Kind.WHOLE
    return _Parted(codes, [*(int(each) if whole else each for each in known.tolist()), None])
