"""Parameters of a request, and the query among them, read and validated."""

from __future__ import annotations

from dataclasses import dataclass, replace

from starlette.requests import Request

from n2gdb.errors import QueryError
from n2gdb.grammar.ast import Query, Statement, TokenSetQuery

__all__ = ["LONGEST_QUERY", "Asked", "read_asked"]

#: Characters of a query.
LONGEST_QUERY = 8_000

#: What an address may hold; anything else is nothing to the answer.
_NAMES = frozenset(
    (
        *("name", "layer", "first", "second", "first_model", "second_model", "model"),
        *("q", "at", "text", "metric", "limit", "offset", "order", "find", "most"),
        *("names", "format", "above", "across_layers", "min_size", "which", "by", "band"),
    )
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The named parts of an address and its parameters; of one that is given twice the last counts."""

    parts: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, request: Request) -> Asked:
        """Read a request."""
        named = {name: str(value) for name, value in request.path_params.items()}
        every = {**dict(request.query_params), **named}
        return cls(tuple(sorted((name, value) for name, value in every.items() if name in _NAMES)))

    def given(self, name: str) -> str | None:
        """Return a part, None if it is missing or empty."""
        return dict(self.parts).get(name) or None

    def text(self, name: str) -> str:
        """Return a part, empty if it is missing."""
        return dict(self.parts).get(name, "")

    def needed(self, name: str) -> str:
        """Return a part; raise QueryError if it is missing."""
        found = self.given(name)
        if found is None:
            raise QueryError(f"the address lacks {name}: add ?{name}=...")
        return found

    def whole(self, name: str, default: int) -> int:
        """Return a whole number from 0 to a million; raise QueryError for anything else."""
        text = self.given(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdecimal() and int(text[:8]) <= 1_000_000 and len(text) <= 7):
            raise QueryError(f"{name} must be a whole number up to a million, not {text[:40]!r}")
        return int(text)

    def share(self, name: str, default: float) -> float:
        """Return a number from 0 to 1; raise QueryError for anything else."""
        text = self.given(name)
        if text is None:
            return default
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            raise QueryError(f"{name} must be a number from 0 to 1, not {text[:40]!r}")
        return number


def read_asked(query: str, model: str | None) -> Statement:
    """Read a query, in one model where it names none itself; raise QueryError for one that is too long."""
    from n2gdb.query.parse import read_query

    if len(query) > LONGEST_QUERY:
        raise QueryError(
            f"a query of {len(query):,} characters is too long: write {LONGEST_QUERY:,} or fewer"
        )
    asked = read_query(query)
    if model is None:
        return asked
    if isinstance(asked, Query):
        return replace(asked, model=asked.model or model)
    if isinstance(asked, TokenSetQuery):
        terms = (
            replace(each, units=replace(each.units, model=each.units.model or model)) for each in asked.terms
        )
        return replace(asked, terms=tuple(terms))
    return replace(asked, neuron=replace(asked.neuron, model=asked.neuron.model or model))
