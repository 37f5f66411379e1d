"""Calibrates log odds, and chooses their threshold for a firing, or none where the graph predicts better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from n2gdb.core.arrays import BoolArray, FloatArray, Int64Array
from n2gdb.core.graph import NeuronGraph
from n2gdb.ingest.evidence.additive import sigmoid
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.evidence.rows import TopWindows, UnitRows

__all__ = ["Trial", "match_rows"]

#: Log odds are taken as no further from 0 when they are calibrated: few rows would tell how far they reach.
_CLIPPED = (-12.0, 8.0)
#: Newton steps of a calibration.
_NEWTON = 12
#: The least that odds are scaled by, so that their order stays.
_LEAST_SCALE = 0.05
#: Penalty on the shift.
_LOOSE = 0.02


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

    def calibration(self, odds: FloatArray) -> tuple[float, float]:
        """Scale and shift that make true log odds of some: (row,), of weights that have not seen the row."""
        return _platt(odds, self.fires, self.importance)

    def threshold(
        self, odds: FloatArray, matches: BoolArray, worth: tuple[float, float, int]
    ) -> float | None:
        """The log odds of the best F1 on the corpus plus so much times that on top windows.

        odds (row,) are calibrated; ``matches`` (row,) is where the graph fires. None where the graph's own
        figures, on text that it has not seen, are better.
        """
        base, factor, power = worth
        # Where the unit fires in no other top window, those that the graph was read off have to do: evidence
        # is cross-fitted there and the graph is not, so the graph stays unless it is clearly worse.
        unseen = bool((self.fires & self.other).any())
        top, where = (self.other, ~self.train) if unseen else (self.train, np.ones_like(self.train))
        own_top = self._f1(matches, top)
        weight = base + factor * own_top**power
        level = self._best(odds, weight)
        if (self.fires & top).any():
            fires = odds >= level
            own = self._f1(matches, where, self.elsewhere) + weight * own_top
            evidence = self._f1(fires, where, self.elsewhere) + weight * self._f1(fires, top)
            if own > evidence:
                return None
        return level

    def _best(self, odds: FloatArray, weight: float) -> float:
        """The best level by expected firings: the few that were seen would leave it to chance.

        In top windows firings are many more than the log odds say, so these are calibrated by themselves.
        """
        order = np.argsort(-odds, kind="stable")
        rising, importance, top = odds[order], self.importance[order], self.top[order]
        score = _f1_from(sigmoid(rising), importance, self.elsewhere)
        if top.any():
            scale, shift = _platt(rising[top], self.fires[order][top], importance[top])
            score = score + weight * _f1_from(sigmoid(scale * rising + shift), importance * top, 0.0)
        score[:-1][rising[1:] == rising[:-1]] = -1
        best = int(np.argmax(score))
        following = rising[best + 1] if best + 1 < len(rising) else rising[best] - 2
        return float((rising[best] + following) / 2)

    def _f1(self, said: BoolArray, where: BoolArray, elsewhere: float = 0.0) -> float:
        """F1 of a prediction on some of the rows, each counting as often as it stands for."""
        hits = self.importance[said & where & self.fires].sum()
        both = self.importance[said & where].sum() + self.importance[self.fires & where].sum() + elsewhere
        return float(2 * hits / both) if both else 0.0


def _f1_from(probability: FloatArray, importance: FloatArray, elsewhere: float) -> FloatArray:
    """Expected F1 of saying that the first row fires, the first two, ...: (row,) each."""
    hits, said = np.cumsum(importance * probability), np.cumsum(importance)
    found: FloatArray = 2 * hits / np.maximum(said + hits[-1] + elsewhere, 1e-9)
    return found


def _platt(odds: FloatArray, fires: BoolArray, importance: FloatArray) -> tuple[float, float]:
    """Scale and shift of log odds that are likeliest, drawn a little to 1 and 0.

    Source: Platt 1999, Probabilistic outputs for support vector machines.
    """
    odds = np.clip(odds, *_CLIPPED).astype(np.float64)
    scale, shift = 1.0, 0.0
    for _ in range(_NEWTON):
        probability = sigmoid((scale * odds + shift).astype(np.float32))
        miss, doubt = importance * (fires - probability), importance * probability * (1 - probability)
        slope = np.array([miss @ odds - (scale - 1), miss.sum() - shift * _LOOSE])
        cross = doubt @ odds
        curve = np.array([[doubt @ odds**2 + 1, cross], [cross, doubt.sum() + _LOOSE]])
        step = np.clip(np.linalg.solve(curve, slope), -1, 1)
        scale, shift = max(scale + float(step[0]), _LEAST_SCALE), shift + float(step[1])
    return scale, shift


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
