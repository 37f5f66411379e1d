"""Paths: patterns in readable form, in text order, with any-tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from n2gdb.core.byte_tokens import side_by_side
from n2gdb.core.tokens import display
from n2gdb.grammar.records import dataclass

__all__ = ["PathStep", "filled", "readable", "written"]


@dataclass(frozen=True, slots=True)
class PathStep:
    """One position of a path: a token, or any token where ``token``, ``text`` and ``importance`` are None.

    ``depth`` counts back from the activating token; ``matched`` says that the query names this step.

    >>> [(step.depth, step.text) for step in db.query("neurons MATCHING 'on' BEFORE ...")[0].evidence[0].path]
    [(2, ' on'), (1, None), (0, ' other')]
    """

    depth: int
    token: int | None = None
    text: str | None = None
    importance: float | None = None
    matched: bool = False

    def __str__(self) -> str:
        return "_" if self.text is None else display(self.text)

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON.

        >>> db.query("patterns LIMIT 1")[0].steps[-1].as_dict()["depth"]
        0
        """
        return {
            "depth": self.depth,
            "token": self.token,
            "text": self.text,
            "importance": self.importance,
            "matched": self.matched,
        }


def written(path: Sequence[PathStep]) -> str:
    """Write a path on one line: ``·on · _ · ·other``."""
    return " · ".join(str(step) for step in readable(path))


def readable(path: Sequence[PathStep]) -> tuple[PathStep, ...]:
    """Return a path in which steps that only together make characters are one, the last of them."""
    return tuple(
        replace(
            path[stop - 1],
            text=text,
            importance=max((each.importance or 0.0 for each in path[start:stop]), default=None),
            matched=any(each.matched for each in path[start:stop]),
        )
        if stop - start > 1
        else path[start]
        for start, stop, text in side_by_side([step.text for step in path])
    )


def filled(named: Sequence[PathStep], matched: Collection[int] = ()) -> tuple[PathStep, ...]:
    """Return a path in text order, with any-tokens in the gaps and the steps of the query marked."""
    by_depth = {step.depth: step for step in named}

    def steps() -> Iterator[PathStep]:
        for depth in range(max(by_depth), -1, -1):
            step = by_depth.get(depth)
            if step is None:
                yield PathStep(depth)
            else:
                yield PathStep(depth, step.token, step.text, step.importance, depth in matched)

    return tuple(steps())
