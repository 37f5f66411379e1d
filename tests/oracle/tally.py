"""What came of pairs of a world and a question: how many, what they held, and what differed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.support.child_process import Death

__all__ = ["Tally", "kind_of", "total_of"]


@dataclass
class Tally:
    """How many pairs there were, which were refused, what they held, what differed and crashed.

    ``differences`` holds of each shape of a question that came out wrong the first, with what was wrong.
    """

    pairs: int = 0
    refused: int = 0
    found: int = 0
    had: Counter[str] = field(default_factory=Counter)
    had_and_found: Counter[str] = field(default_factory=Counter)
    differences: dict[str, str] = field(default_factory=dict)
    differing: int = 0
    deaths: int = 0

    def add(self, other: Tally | Death) -> None:
        """Add what came of other pairs, or that the child died at one."""
        if isinstance(other, Death):
            self.pairs += 1
            self.deaths += 1
            self.differences.setdefault(f"{other.how}: {kind_of(other.piece)}", f"{other.how}\n{other.piece}")
            return
        self.pairs += other.pairs
        self.refused += other.refused
        self.found += other.found
        self.had += other.had
        self.had_and_found += other.had_and_found
        self.differences = {**other.differences, **self.differences}
        self.differing += other.differing
        self.deaths += other.deaths

    @property
    def is_right(self) -> bool:
        """Whether nothing differed, and nothing died."""
        return not self.differing and not self.deaths

    def wrong(self) -> str:
        """Return the differences as text."""
        return "\n\n".join(self.differences.values())


def total_of(tallies: Iterable[Tally | Death]) -> Tally:
    """Return what came of all of them."""
    total = Tally()
    for each in tallies:
        total.add(each)
    return total


def kind_of(said: object) -> str:
    """Return what an error, or a question, shares with its like: no numbers, no texts, its beginning."""
    first = str(said).partition("\n")[0]
    named = f"{type(said).__name__}: {first}" if isinstance(said, Exception) else first
    return re.sub(r"\d+|'.*'|\".*\"", "_", named)[:60]
