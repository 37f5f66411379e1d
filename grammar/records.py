"""``dataclass`` of the standard library, for frozen classes with slots at a third of its cost.

The standard library compiles seven functions for such a class, which takes half a millisecond, and a query
loads a hundred of them. Here one is compiled, ``__init__``; the others are the same for all classes.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]


def _dataclass(plain: type | None = None, /, **options: bool) -> Any:
    """Return a dataclass of a class, or what makes one."""
    if plain is None and options == {"frozen": True, "slots": True}:
        return _record
    return dataclasses.dataclass(plain, **options)


def _record(plain: type) -> Any:
    """Return a frozen dataclass with slots, which compares, prints and pickles as the standard library's."""
    if _is_special(plain):
        return dataclasses.dataclass(frozen=True, slots=True)(plain)
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(plain)
    about = made.__dataclass_params__
    about.init = about.repr = about.eq = about.frozen = True
    fields = dataclasses.fields(made)
    state = _values([each.name for each in fields])
    key = _values([each.name for each in fields if each.compare])

    def __eq__(self: Any, other: object) -> Any:  # noqa: N807
        return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(key(self))

    def __getstate__(self: Any) -> list[Any]:  # noqa: N807
        return list(state(self))

    for method in (__eq__, __hash__, __getstate__, *_COMMON, _init(made, fields)):
        name = method.__name__
        if vars(made).get(name) is None:  # it is None for the hash of a class that says what equals it
            setattr(made, name, method)
    return made


def _is_special(plain: type) -> bool:
    """Whether a class is left to the standard library: one without a docstring, or with less usual fields."""
    return (
        plain.__doc__ is None
        or any(map(dataclasses.is_dataclass, plain.__mro__))
        or any("InitVar" in str(each) for each in vars(plain).get("__annotations__", {}).values())
        or any(isinstance(each, Field) and _is_unusual(each) for each in vars(plain).values())
    )


def _is_unusual(field: Field[Any]) -> bool:
    return field.default_factory is not MISSING or field.hash is not None or not field.init


def _values(names: list[str]) -> Callable[[object], tuple[object, ...]]:
    """Return what reads fields of a record."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda record: tuple(getattr(record, name) for name in names)


def _init(made: type, fields: tuple[Field[Any], ...]) -> Any:
    """Compile what makes a record: one statement a field, as the standard library writes it."""
    in_order: list[str] = []
    named: list[str] = []
    bound: dict[str, Any] = {"_set": object.__setattr__}
    for each in fields:
        given = each.name
        if each.default is not MISSING:
            given += f"=_default_{each.name}"
            bound[f"_default_{each.name}"] = each.default
        (named if each.kw_only else in_order).append(given)
    arguments = ", ".join(["self", *in_order, *(["*", *named] if named else [])])
    lines = [f"_set(self, {each.name!r}, {each.name})" for each in fields]
    lines += ["self.__post_init__()"] if hasattr(made, "__post_init__") else []
    body = "\n  ".join(lines or ["pass"])
    code = f"def make({', '.join(bound)}):\n def __init__({arguments}):\n  {body}\n return __init__"
    found: dict[str, Any] = {}
    exec(code, vars(sys.modules[made.__module__]), found)  # names of fields, nothing else
    init = found["make"](**bound)
    init.__qualname__ = f"{made.__qualname__}.__init__"
    init.__annotations__ = {each.name: each.type for each in fields} | {"return": None}
    return init


@recursive_repr()
def __repr__(self: Any) -> str:  # noqa: N807
    names = (each.name for each in dataclasses.fields(self) if each.repr)
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
    return f"{type(self).__qualname__}({shown})"


def __setattr__(self: Any, name: str, value: object) -> None:  # noqa: N807
    _check_free(self, name, "assign to")
    object.__setattr__(self, name, value)


def __delattr__(self: Any, name: str) -> None:  # noqa: N807
    _check_free(self, name, "delete")
    object.__delattr__(self, name)


def _check_free(record: Any, name: str, what: str) -> None:
    """Refuse to change a record; a class that is derived from its own may have more that can be changed."""
    if "__dataclass_fields__" in vars(type(record)) or name in record.__dataclass_fields__:
        raise FrozenInstanceError(f"cannot {what} field {name!r}")


def __setstate__(self: Any, state: list[Any]) -> None:  # noqa: N807
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)


#: The methods that are the same for all records.
_COMMON: tuple[Callable[..., Any], ...] = (__repr__, __setattr__, __delattr__, __setstate__)


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass
