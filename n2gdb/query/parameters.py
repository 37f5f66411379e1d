"""Parameters of a query's text: ``:name`` stands for a value, written as the language writes it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from n2gdb.core import arguments
from n2gdb.core.arguments import shown
from n2gdb.core.neuron_view import model_given
from n2gdb.core.units import UnitName
from n2gdb.errors import ArgumentError, UnknownNameError
from n2gdb.grammar.unit_names import read_unit
from n2gdb.grammar.unparse import quoted

__all__ = ["filled_in", "unit_text"]

#: What may hold a colon or a dollar without being a parameter, and then a parameter.
_PIECES = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|--[^\n]*"
    r"|(?<![\w:?]):(?P<name>[A-Za-z_]\w*)"
    r"|(?P<set>(?i:\bin)\s+)\$(?P<listed>[A-Za-z_]\w*)",
    re.DOTALL,
)
#: After what a unit is named rather than a text.
_UNIT_DUE = re.compile(
    r"(?:\b(?:to|of|activating)|\b(?:neurons|latents|units|patterns)(?:\s+in\s+model\s+(?:'[^']*'|\"[^\"]*\"))?"
    r"\s+in)\s*(?:\((?:[^()]*,)?\s*)?\Z",
    re.IGNORECASE,
)
#: After what a token is tested: a list there is of alternatives.
_TEST_DUE = re.compile(
    r"(?:\b(?:matching|only|mentioning|then|promoting|suppressing|(?:excited|inhibited)\s+by"
    r"|(?:only|activating)\s+on|(?:before|after|near)(?:/[\d.]+)?)\s*\(?|[|&!])\s*\Z",
    re.IGNORECASE,
)
#: After what a unit is named between < and >, as a token class names it: without its model.
_CLASS_DUE = re.compile(r"<(?:context\s+)?\Z", re.IGNORECASE)


def filled_in(text: str, values: Mapping[str, Any]) -> str:
    """Return a query's text with the values of its parameters in it.

    Raises ArgumentError for a parameter without a value, a value without a parameter, and for what the
    language cannot write.
    """
    used: set[str] = set()

    def value(found: re.Match[str]) -> str:
        name = found["name"] or found["listed"]
        if not name or (found["listed"] and name not in values):
            return found[0]
        if name not in values:
            raise ArgumentError(f"no value for :{name}: give one, as in query(text, {{{name!r}: ...}})")
        used.add(name)
        before = text[: found.start()] + (found["set"] or "")
        if _CLASS_DUE.search(before) and text[found.end() :].startswith(">"):
            return str(UnitName.of(values[name]))
        joint = " | " if _TEST_DUE.search(before) else ", "
        return (found["set"] or "") + _written(name, values[name], bool(_UNIT_DUE.search(before)), joint)

    filled = _PIECES.sub(value, text)
    if unused := sorted(values.keys() - used):
        raise ArgumentError(f"the query has no :{unused[0]}: leave its value out")
    return filled


def unit_text(unit: object) -> str | None:
    """Return the name of a unit as queries write it, its model too where it says it; None for aught else."""
    if isinstance(unit, str):
        return unit if read_unit(unit) is not None else None
    if isinstance(unit, tuple):
        return None
    try:
        name = UnitName.of(unit)
    except UnknownNameError:
        return None
    model = model_given(unit)
    return f"{name} OF {quoted(model)}" if isinstance(model, str) else str(name)


def _written(name: str, value: Any, is_unit: bool, joint: str = ", ") -> str:
    if isinstance(value, str) and not (is_unit and read_unit(value) is not None):
        return quoted(value)
    if isinstance(value, bool) or value is None:
        raise ArgumentError(
            f":{name} is {shown(value)}: a value must be a text, a number, a neuron, or a list of these"
        )
    if isinstance(value, int):
        return repr(arguments.whole(f":{name}", value, -arguments.LARGEST))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ArgumentError(f":{name} is {shown(value)}, which is not a number")
        return repr(value)
    if (unit := unit_text(value)) is not None:
        return unit
    if is_unit and _is_place(value):
        return str(UnitName.of(UnitName(*value)))
    if isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
        parts = list(_parts(name, value, is_unit))
        if not parts:
            raise ArgumentError(f":{name} is empty: a list holds one value or more")
        return f"({joint.join(parts)})"
    if hasattr(value, "item"):  # a number of numpy's
        return _written(name, value.item(), is_unit)
    raise ArgumentError(
        f":{name} is {shown(value)}: a value must be a text, a number, a neuron, or a list of these"
    )


def _is_place(value: object) -> bool:
    """Whether a value is a layer and an index, as ``db[3, 45]`` takes them."""
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(type(each) is int and each >= 0 for each in value)
    )


def _parts(name: str, values: Iterable[Any], is_unit: bool) -> Iterator[str]:
    written = (_written(name, each, is_unit) for each in values)
    yield from dict.fromkeys(written) if is_unit else written
