"""Records are dataclasses of the standard library in everything but when their methods are made."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar, get_type_hints

import pytest

from n2gdb.grammar.records import dataclass

Leaf = TypeVar("Leaf")


def classes(make: Any) -> dict[str, type]:
    """Return one class of each kind, made by a decorator like ``dataclass``."""

    @make(frozen=True, slots=True)
    class Simple:
        """A simple one."""

        first: int
        second: str = "b"
        named: int = field(default=3, compare=False, repr=False, kw_only=True)
        wanted: int | None = field(default=None, kw_only=True)
        other: ClassVar[int] = 7

        def __str__(self) -> str:
            return "simple"

    @make(frozen=True, slots=True)
    class One:
        """A one."""

        first: int

        def __hash__(self) -> int:
            return 3

    @make(frozen=True, slots=True)
    class Alike:
        """All are alike."""

        first: int
        second: str = "b"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self))

    @make(frozen=True, slots=True)
    class Made:
        """One with a list."""

        first: int
        second: str = "b"
        made: list[int] = field(default_factory=list)
        named: int = field(default=3, compare=False, repr=False, kw_only=True)
        other: ClassVar[int] = 7

    @make(frozen=True, slots=True, order=True)
    class Ordered:
        """It has a text."""

        first: int
        second: str = field(default="b", hash=False)

    @make(frozen=True, slots=True, eq=False, repr=False)
    class Bare:
        """A bare one."""

        first: int
        second: str

        def __repr__(self) -> str:
            return f"bare {self.first}"

    @make(frozen=True, slots=True, order=True, init=False)
    class Own:
        """Its own."""

        first: int
        second: str = "b"

        def __init__(self, first: int, second: str = "c") -> None:
            object.__setattr__(self, "first", first)
            object.__setattr__(self, "second", second)

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self)) and self.first == other.first

    @make(frozen=True, slots=True)
    class Parametrised(Generic[Leaf]):
        """A parametrised one."""

        first: Leaf
        second: str = "b"

    @make(frozen=True, slots=True)
    class Checked:
        """A checked one."""

        first: int
        second: str = "b"

        def __post_init__(self) -> None:
            if self.first > 3:
                raise ValueError("more than 3")

    @make(frozen=True, slots=True)
    class Derived(Checked):
        """A derived one."""

        third: int = 4

    @make(slots=True)
    class Changed:
        """A changed one."""

        first: int
        second: str = "b"

    @make(frozen=True, slots=True)
    class Empty:
        """Nothing."""

    @make(frozen=True, slots=True)
    class Doubled:
        """It is made with what it does not keep."""

        first: int
        times: dataclasses.InitVar[int]
        second: str = "b"

        def __post_init__(self, times: int) -> None:
            object.__setattr__(self, "first", self.first * int(times))

    @make(frozen=True, slots=True)
    class Looped:
        """It may hold itself."""

        first: Any

    @make
    class Plain:
        """One without options."""

        first: int
        second: str = "b"

    made = (
        Simple,
        One,
        Alike,
        Made,
        Ordered,
        Bare,
        Own,
        Parametrised,
        Checked,
        Derived,
        Changed,
        Empty,
        Doubled,
        Looped,
        Plain,
    )
    return {each.__name__: each for each in made}


def _said(ask: Callable[[], object]) -> str:
    """Return what is answered or raised, without addresses."""
    try:
        answer = ask()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return repr(answer).split(" at 0x")[0]


def _holding_itself(kind: Any) -> object:
    held: list[Any] = []
    held.append(kind(held))
    return held[0]


def _assigned(record: Any, name: str) -> object:
    setattr(record, name, 9)
    return getattr(record, name)


def _deleted(record: Any, name: str) -> object:
    delattr(record, name)
    return hasattr(record, name)


#: Questions of a class; each is asked of a class that was not used before, so that each may be the first.
QUESTIONS: dict[str, Callable[[Any], object]] = {
    "repr": lambda kind: kind(1, "x"),
    "no arguments": lambda kind: kind(),
    "too many": lambda kind: kind(1, "x", [2], 3, 4),
    "by name": lambda kind: kind(second="y", first=2),
    "defaults": lambda kind: [getattr(kind(1), name) for name in kind.__match_args__],
    "two": lambda kind: kind(2, 3),
    "itself": lambda kind: _holding_itself(kind),
    "methods": lambda kind: [
        (name, method.__name__, method.__module__.split(".")[0] in ("tests", "n2gdb", "reprlib"))
        for name in ("__init__", "__eq__", "__hash__", "__repr__", "__setattr__", "__delattr__")
        if callable(method := vars(kind).get(name))
    ],
    "keyword only": lambda kind: kind(1, named=5).named,
    "unknown": lambda kind: kind(1, unknown=5),
    "equal": lambda kind: (kind(1) == kind(1), kind(1) == kind(2), kind(1) != kind(1, "z"), kind(1) == 1),
    "hash": lambda kind: (hash(kind(1)) == hash(kind(1)), hash(kind(1, "b")) == hash(kind(1, "c"))),
    "order": lambda kind: (kind(1) < kind(2), kind(1) <= kind(1, "a"), kind(2) > kind(1), kind(1) >= kind(2)),
    "other order": lambda kind: kind(1) < 2,
    "fields": lambda kind: [(each.name, each.type, each.kw_only) for each in dataclasses.fields(kind)],
    "parameters": lambda kind: kind.__dataclass_params__,
    "match": lambda kind: kind.__match_args__,
    "signature": lambda kind: str(inspect.signature(kind)),
    "hints": lambda kind: kind.__init__.__annotations__,
    "read hints": lambda kind: get_type_hints(kind.__init__, localns={"Leaf": Leaf}),
    "slots": lambda kind: (kind.__slots__, hasattr(kind(1), "__dict__")),
    "replace": lambda kind: dataclasses.replace(kind(1, "x"), first=2),
    "replace by copy": lambda kind: getattr(copy, "replace", dataclasses.replace)(kind(1, "x"), first=2),
    "asdict": lambda kind: dataclasses.asdict(kind(1, "x")),
    "assign": lambda kind: _assigned(kind(1, "x"), "first"),
    "assign what is above": lambda kind: _assigned(type("Below", (kind,), {})(1, "x"), "first"),
    "delete": lambda kind: _deleted(kind(1, "x"), "first"),
    "copy": lambda kind: copy.deepcopy(kind(1, "x")),
    "state": lambda kind: kind(1, "x").__getstate__(),
    "class variable": lambda kind: kind.other,
    "name": lambda kind: (kind.__name__, kind.__qualname__.rpartition(".")[2], kind.__module__),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_record_answers_as_the_standard_library_has_it(question: str) -> None:
    ask = QUESTIONS[question]
    expected = {name: _said(partial(ask, kind)) for name, kind in classes(dataclasses.dataclass).items()}
    assert {name: _said(partial(ask, kind)) for name, kind in classes(dataclass).items()} == expected


@dataclass(frozen=True, slots=True)
class Pair:
    """Two numbers, where pickle finds them."""

    first: int
    second: int = 2


def test_a_record_is_pickled_before_anything_else_is_asked() -> None:
    assert pickle.loads(pickle.dumps(Pair(1))) == Pair(1)


def test_a_frozen_record_stays_as_it_is() -> None:
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'unknown'"):
        _assigned(Pair(1), "unknown")
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'first'"):
        _deleted(Pair(1), "first")


def test_a_class_below_may_have_more_that_can_be_changed() -> None:
    assert _assigned(type("Below", (Pair,), {})(1), "more") == 9
