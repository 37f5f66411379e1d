"""The rows of one unit by activating token, and what patterns meet there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from n2gdb.core.arrays import FloatArray, IndexArray, IntArray, distinct
from n2gdb.core.graph import Pattern, Step
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.evidence.rows import TopWindows, UnitRows

__all__ = ["Located", "Path", "RevisionConfig", "RevisionRows"]

#: The context of a pattern: (depth, token) of every token that it names, the activating one first.
Path = tuple[tuple[int, int], ...]

#: Consecutive windows that count as one place: of one document, mostly, which repeats itself.
_STRETCH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionConfig:
    """Parameters of the revision."""

    firings: float = 8
    """Firings on the corpus that a unit needs, outside of the windows that its graph was read off."""
    windows: int = 20
    """Top windows beside a unit's examples that patterns are weighed on."""
    tokens: int = 32
    """Tokens that a unit fires on, at most, beside those of its graph."""
    drawn: int = 8000
    """Occurrences below the record that are drawn for a unit, about."""
    levels: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7)
    """Confidence from which a pattern stays, by option."""
    deepen: bool = True
    """Whether deeper patterns replace those that go."""
    add: bool = True
    """Whether tokens get patterns that have none in the graph."""
    depth: int = 6
    """Positions back that context is looked for."""
    children: int = 6
    """Deeper patterns that replace one, at most."""
    tried: int = 3
    """Tokens of context that are too seldom right by themselves, and get a second one."""
    top_worth: float = 1.0
    """How much F1 on top windows counts beside that on the corpus."""
    train_worth: float = 1.0
    """How much the windows that the graph was read off count among top windows: its patterns match there."""
    doubt: float = 3.0
    """Firings on the corpus that half of the weight of F1 there is given for."""
    node: float = 0.0005
    """F1 that a node must bring."""
    change: float = 0.01
    """F1 that a change of a token's patterns must bring."""
    nodes: float = 2.0
    """Nodes at most, as a multiple of those before."""
    rounds: int = 3


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """A pattern, and the rows that it matches."""

    steps: tuple[Step, ...]
    activation: float
    rows: IndexArray
    credit: float
    """Share of its hits that it would have, had it been found without the place of each of them."""

    @property
    def path(self) -> Path:
        """Every token that it names, with its depth."""
        return tuple((step.depth, step.token) for step in self.steps)


class RevisionRows:
    """The rows of one unit, by activating token."""

    def __init__(
        self, text: CorpusText, rows: UnitRows, windows: TopWindows, threshold: float, config: RevisionConfig
    ) -> None:
        order = np.argsort(text.tokens[rows.position], kind="stable")
        self._text, self._position = text, rows.position[order]
        self.config, self.threshold = config, threshold
        self.token = text.tokens[self._position]
        self.activation = rows.activation[order]
        self.fires = self.activation >= threshold
        window = self._position // text.width
        train, other = np.isin(window, windows.train), np.isin(window, windows.others)
        # Patterns match the windows that they were read off: these say nothing of how they do elsewhere.
        self.importance = np.where(train, np.float32(0), rows.importance[order])
        self.top: FloatArray = other + np.float32(config.train_worth) * train
        self.place = window // _STRETCH
        self.firings = float(self.importance[self.fires].sum()) + rows.elsewhere
        self.top_firings = float(self.top[self.fires].sum())
        self._before: dict[int, IntArray] = {}

    def of(self, token: int) -> IndexArray:
        """The rows of one activating token, one after another."""
        start, stop = np.searchsorted(self.token, (token, token + 1))
        return np.arange(start, stop)

    def before(self, depth: int) -> IntArray:
        """The token so far before each row."""
        if depth not in self._before:
            self._before[depth] = self._text.before(self._position, depth)
        return self._before[depth]

    def fired(self, rows: IndexArray) -> IndexArray:
        """Those of some rows on which the unit fires."""
        return rows[self.fires[rows]]

    def places(self, rows: IndexArray) -> int:
        """In how many places of the corpus some rows lie."""
        return len(distinct(self.place[rows]))

    def are_apart(self, rows: IndexArray) -> bool:
        """Whether some rows lie in two places or more."""
        place = self.place[rows]
        return bool((place[1:] != place[:1]).any())

    def standing(self, pattern: Pattern) -> Located:
        """A pattern that the graph has already."""
        rows = self.of(pattern.steps[0].token)
        for step in pattern.steps[1:]:
            rows = rows[self.before(step.depth)[rows] == step.token]
        return Located(pattern.steps, pattern.activation, rows, 1.0)

    def counted(self, steps: tuple[Step, ...], rows: IndexArray) -> Located:
        """A pattern that was found by counting; its end mark carries what it meets in top windows."""
        fired = self.fired(rows)
        places = self.places(fired)
        shown = rows[self.top[rows] > 0]
        met = self.activation[shown if len(shown) else fired]
        mean = float(met.mean()) if len(met) else self.threshold
        activation = min(max(mean, self.threshold), 1.0)
        return Located(steps, activation, rows, (places - 1) / places if places else 0.0)

    def hits(self, found: Located) -> float:
        """How many firings on the corpus a pattern meets, less its doubtful ones."""
        return float(self.importance[self.fired(found.rows)].sum()) * found.credit

    def confidence(self, found: Located) -> float:
        """The share of its matches on the corpus on which the unit fires."""
        said = float(self.importance[found.rows].sum())
        return self.hits(found) / said if said else 0.0

    def mean(self, rows: IndexArray) -> float:
        """Mean activation where rows stand for as many positions as they do; 0 of none."""
        weight = self.importance[rows]
        return float(self.activation[rows] @ weight / weight.sum()) if weight.any() else 0.0
