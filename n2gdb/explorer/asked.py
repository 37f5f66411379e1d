"""Parameters of a request, read and validated."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from n2gdb.errors import QueryError

__all__ = ["Asked"]

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
            raise QueryError(f"{name} is a whole number up to a million, not {text[:40]!r}")
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
            raise QueryError(f"{name} is a number from 0 to 1, not {text[:40]!r}")
        return number
