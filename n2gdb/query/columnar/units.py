"""Every unit of a database as columns, and conditions of WHERE over columns of any rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array
from n2gdb.core.reals import as_stored
from n2gdb.core.units import model_of
from n2gdb.grammar.ast import (
    Absolute,
    And,
    Arithmetic,
    Between,
    Comparison,
    Computed,
    Condition,
    Expression,
    FieldValue,
    Formula,
    InList,
    Missing,
    Not,
    Number,
    Operator,
    Or,
)
from n2gdb.grammar.conditions import simplified
from n2gdb.grammar.fields import FIELDS, Kind
from n2gdb.query.cypher.where import column
from n2gdb.storage.columns import ANSWER_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Column", "Units", "holding", "read_units", "stored_reals"]

Table = Callable[[str, Mapping[str, object]], "pa.Table"]


@dataclass(frozen=True, eq=False)
class Words:
    """A column of words: the place of each among ``names``, which are sorted; -1 of none: (rows,)."""

    codes: Int64Array
    names: tuple[str, ...]


#: Numbers, NaN where there is none, or words: (rows,).
Column: TypeAlias = Float64Array | Words

#: Where a condition holds, and where it does not; what is neither is unknown.
_Truth: TypeAlias = tuple[BoolArray, BoolArray]

_COMPARE: Mapping[Operator, Callable[[Any, Any], BoolArray]] = {
    Operator.EQUAL: np.equal,
    Operator.UNEQUAL: np.not_equal,
    Operator.LESS: np.less,
    Operator.LESS_EQUAL: np.less_equal,
    Operator.MORE: np.greater,
    Operator.MORE_EQUAL: np.greater_equal,
}


@dataclass(frozen=True, eq=False)
class Units:
    """The units of a database by rising id: ANSWER_COLUMNS, as they are stored and as columns.

    ``read`` returns some of the units' properties, written in Cypher, by name.
    """

    ids: Int64Array  # Neuron.id: (units,)
    read: Callable[[Mapping[str, str]], pa.Table]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def table(self) -> pa.Table:
        """ANSWER_COLUMNS as they are stored."""
        return self.read({name: column(name) for name in ANSWER_COLUMNS})

    @cached_property
    def weighed(self) -> BoolArray:
        """Which have evidence: (units,)."""
        found: BoolArray = self.read({"weighed": "n.evidence_threshold IS NOT NULL"})["weighed"].to_numpy()
        return found

    @cached_property
    def models(self) -> Int64Array:
        """The number of the model of each: (units,)."""
        found: Int64Array = model_of(self.ids)
        return found

    @cached_property
    def _columns(self) -> dict[str, Column]:
        return {}

    def column(self, name: str) -> Column:
        """Return a field of all units."""
        if name not in self._columns:
            stored = self.table if "table" in vars(self) else self.read({name: column(name)})
            values = stored[name].combine_chunks()
            if FIELDS[name].kind is Kind.CHOICE:
                found = values.to_pylist()
                names = tuple(sorted({each for each in found if each is not None}))
                place = {each: at for at, each in enumerate(names)} | {None: -1}
                self._columns[name] = Words(np.array([place[each] for each in found], np.int64), names)
            else:
                self._columns[name] = values.to_numpy(zero_copy_only=False).astype(np.float64)
        return self._columns[name]

    def places(self, ids: Sequence[int] | Int64Array) -> Int64Array:
        """Return the places of units, by their ids, all of which are there."""
        return np.searchsorted(self.ids, np.asarray(ids, np.int64))

    def rows(self, places: Int64Array) -> list[dict[str, Any]]:
        """Return units as mappings of ANSWER_COLUMNS to what is stored."""
        rows: list[dict[str, Any]] = self.table.take(places).to_pylist()
        return rows


def read_units(table: Table, among: Sequence[int] = ()) -> Units:
    """Return some units, by Neuron.id, or all; their fields are read as they are asked for."""
    where = " WHERE n.id IN $among" if among else ""
    given = {"among": list(among)} if among else {}

    def read(columns: Mapping[str, str]) -> pa.Table:
        named = ", ".join(f"{value} AS `{name}`" for name, value in {"key": "n.id", **columns}.items())
        found = table(f"MATCH (n:Neuron){where} RETURN {named}", given)
        return found.sort_by("key").combine_chunks()

    return Units(read({})["key"].to_numpy(), read)


def stored_reals(values: Float64Array) -> Float64Array:
    """Round numbers to what a real field can hold: see ``reals.as_stored``."""
    different, place = np.unique(values, return_inverse=True)
    rounded = np.array([value if value != value else as_stored(value) for value in different.tolist()])
    return rounded[place] if len(values) else values


def holding(formula: Formula[Condition], read: Callable[[str], Column], rows: int) -> BoolArray:
    """Return of which rows a condition holds; ``read`` gives a field's column: (rows,)."""
    with np.errstate(all="ignore"):
        return _truth(formula, read, rows)[0]


def _truth(formula: Formula[Condition], read: Callable[[str], Column], rows: int) -> _Truth:
    match formula:
        case And(operands):
            parts = [_truth(each, read, rows) for each in operands]
            return np.logical_and.reduce([each[0] for each in parts]), np.logical_or.reduce(
                [each[1] for each in parts]
            )
        case Or(operands):
            parts = [_truth(each, read, rows) for each in operands]
            return np.logical_or.reduce([each[0] for each in parts]), np.logical_and.reduce(
                [each[1] for each in parts]
            )
        case Not(operand):
            holds, fails = _truth(operand, read, rows)
            return fails, holds
        case Missing(name):
            stored = read(name)
            missing = stored.codes < 0 if isinstance(stored, Words) else np.isnan(stored)
            return missing, ~missing
        case Computed() if isinstance(compared := simplified(formula), Comparison):
            return _truth(compared, read, rows)
        case Computed(left, sign, right):
            first, known = _value(left, read, rows)
            second, also = _value(right, read, rows)
            return _known(_COMPARE[sign](first, second), known & also)
        case Comparison(name, sign, value):
            return _compared(read(name), name, sign, [value])
        case InList(name, values):
            return _compared(read(name), name, Operator.EQUAL, values)
        case Between(name, least, most):
            low = _compared(read(name), name, Operator.MORE_EQUAL, [least])
            high = _compared(read(name), name, Operator.LESS_EQUAL, [most])
            return low[0] & high[0], low[1] | high[1]


def _compared(stored: Column, name: str, sign: Operator, values: Sequence[Any]) -> _Truth:
    """Compare a column with a value, or with any of several."""
    if isinstance(stored, Words):
        place = {word: at for at, word in enumerate(stored.names)}
        wanted = [place.get(value, -2) for value in values]
        return _known(_COMPARE[sign](stored.codes, wanted[0]) if len(wanted) == 1
                      else np.isin(stored.codes, wanted), stored.codes >= 0)  # fmt: skip
    numbers = [as_stored(value) if FIELDS[name].kind is Kind.REAL else float(value) for value in values]
    holds = _COMPARE[sign](stored, numbers[0]) if len(numbers) == 1 else np.isin(stored, numbers)
    return _known(holds, ~np.isnan(stored))


def _known(holds: BoolArray, known: BoolArray) -> _Truth:
    return holds & known, ~holds & known


def _value(
    expression: Expression, read: Callable[[str], Column], rows: int
) -> tuple[Float64Array, BoolArray]:
    """Return the values of an expression, and where they are known: (rows,) each."""
    match expression:
        case Number(value):
            return np.full(rows, float(value)), np.ones(rows, np.bool_)
        case FieldValue(name):
            stored = read(name)
            assert not isinstance(stored, Words), "the parser lets no word into arithmetic"
            return stored, ~np.isnan(stored)
        case Absolute(operand):
            values, known = _value(operand, read, rows)
            return np.abs(values), known
        case Arithmetic(sign, left, right):
            (first, known), (second, also) = _value(left, read, rows), _value(right, read, rows)
            known = known & also
            match sign:
                case "+":
                    return first + second, known
                case "-":
                    return first - second, known
                case "*":
                    return first * second, known
                case "/":
                    return first / second, known & (second != 0)
                case _:
                    return np.fmod(first, second), known & (second != 0)
