"""Chooses the log odds from which evidence predicts a firing, or the graph alone where that does better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from n2gdb.core.arrays import BoolArray, FloatArray, Int64Array
from n2gdb.core.graph import NeuronGraph
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.evidence.rows import TopWindows, UnitRows

__all__ = ["Trial", "match_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """The rows of one unit, by what they are told apart: every array is (row,)."""

    fires: BoolArray
    importance: FloatArray
    top: BoolArray  # lies in a top window
    other: BoolArray  # lies in a top window that the graph has not seen
    train: BoolArray  # lies in a window that the graph was read off
    elsewhere: float

    @classmethod
    def of(cls, text: CorpusText, rows: UnitRows, windows: TopWindows, fires: BoolArray) -> Self:
        """Part a unit's rows by their windows."""
        window = rows.position // text.width
        train, other = np.isin(window, windows.train), np.isin(window, windows.others)
        return cls(fires, rows.importance, train | other, other, train, rows.elsewhere)

    def threshold(
        self, odds: FloatArray, matches: BoolArray, worth: tuple[float, float, int]
    ) -> float | None:
        """The log odds of the best F1 on the corpus plus so much times that on top windows.

        odds (row,) come of weights that have not seen the row; ``matches`` (row,) is where the graph fires.
        None if the graph's own figures, on text that it has not seen, are better.
        """
        base, factor, power = worth
        unseen = bool((self.fires & self.other).any())
        own_top = self._f1(matches, self.other) if unseen else 0.0
        weight = base + factor * own_top**power
        level = self._best(odds, weight)
        if unseen:
            fires = odds >= level
            own = self._f1(matches, ~self.train, self.elsewhere) + weight * own_top
            evidence = self._f1(fires, ~self.train, self.elsewhere) + weight * self._f1(fires, self.other)
            if own > evidence:
                return None
        return level

    def _best(self, odds: FloatArray, weight: float) -> float:
        order = np.argsort(-odds, kind="stable")
        rising, importance = odds[order], self.importance[order]
        fires, top = self.fires[order], self.top[order]
        hits, said = np.cumsum(importance * fires), np.cumsum(importance)
        score = 2 * hits / (said + hits[-1] + self.elsewhere)
        hits, said = np.cumsum(importance * (fires & top)), np.cumsum(importance * top)
        score = score + weight * 2 * hits / np.maximum(said + hits[-1], 1)
        score[:-1][rising[1:] == rising[:-1]] = -1
        best = int(np.argmax(score))
        following = rising[best + 1] if best + 1 < len(rising) else rising[best] - 2
        return float((rising[best] + following) / 2)

    def _f1(self, said: BoolArray, where: BoolArray, elsewhere: float = 0.0) -> float:
        """F1 of a prediction on some of the rows, each counting as often as it stands for."""
        hits = self.importance[said & where & self.fires].sum()
        both = self.importance[said & where].sum() + self.importance[self.fires & where].sum() + elsewhere
        return float(2 * hits / both) if both else 0.0


def match_rows(graph: NeuronGraph, text: CorpusText, position: Int64Array, threshold: float) -> BoolArray:
    """Where a graph predicts a firing, among some positions of a corpus, as ``NeuronGraph.matched``."""
    tokens = text.tokens[position]
    longest = np.full(len(position), -1, np.int64)
    strongest = np.zeros(len(position), np.float32)
    at: list[npt.NDArray[np.intp]] = []
    named: list[int] = []
    for node in range(len(graph)):
        parent, depth, token = int(graph.parent[node]), int(graph.depth[node]), graph.token[node]
        if parent < 0:
            at.append(np.flatnonzero(tokens == token))
            named.append(1)
        else:
            above = at[parent]
            at.append(above[text.before(position[above], depth) == token])
            named.append(named[parent] + 1)
        end = graph.end[node]
        if np.isnan(end):
            continue
        here, rank = at[node], (depth << 16) + named[node]
        better = (rank > longest[here]) | ((rank == longest[here]) & (end > strongest[here]))
        longest[here[better]], strongest[here[better]] = rank, end
    found: BoolArray = strongest >= threshold
    return found
