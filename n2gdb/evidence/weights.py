"""Evidence: a unit as signed weights of tokens, which add up to the log odds that it fires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

from n2gdb.core.arrays import BoolArray, FloatArray, Int64Array, IntArray

__all__ = ["UnitEvidence"]


@dataclass(frozen=True, slots=True, eq=False)
class UnitEvidence:
    """What speaks for and against a unit's firing at a position.

    The log odds of firing are ``base`` plus the weights of the tokens that stand there: ``weight`` of the
    token ``token``, ``depth`` positions back, or anywhere in the ``-depth`` positions before where ``depth``
    is below zero; plus ``graph`` where the unit's graph predicts a firing. Weights above zero excite, below
    zero inhibit. A token that has no weight at depth 0 never fires the unit: those that have one are its
    activating tokens. The log odds are calibrated: ``probability`` is the share of such positions at which
    the unit fires in ordinary text.

    depth   (weights,) int32    positions back from the activating token; 0 is the activating token itself;
                                -64 is anywhere in the 64 positions before it
    token   (weights,) int32    token id, or the number of a class of tokens, which is no token's
    weight  (weights,) float32  change of the log odds

    Weights are sorted by (depth, token).

    >>> [round(float(odds), 2) for odds in neuron.evidence.log_odds(neuron.tokenize(" on an other"))]
    [-inf, -inf, -0.46]
    """

    base: float
    threshold: float
    """Log odds from which the unit is predicted to fire."""
    depth: IntArray
    token: IntArray
    weight: FloatArray
    graph: float = 0.0
    """Change of the log odds where the unit's graph predicts a firing."""

    def __len__(self) -> int:
        return len(self.weight)

    def __repr__(self) -> str:
        return f"<UnitEvidence {len(self)} weights, up to {self.reach} positions before>"

    @property
    def reach(self) -> int:
        """Positions before an activating token that weights reach.

        >>> neuron.evidence.reach
        4
        """
        return int(abs(self.depth).max(initial=0))

    def log_odds(
        self,
        tokens: Sequence[int] | npt.NDArray[np.integer],
        classes: Int64Array | None = None,
        matched: BoolArray | None = None,
    ) -> FloatArray:
        """Return the log odds of firing at every position of a text: (positions,) float32.

        They are -inf at a token that is not activating. Negative numbers stand for no token. ``classes``
        gives the classes of every token, (kinds, tokens): a class weighs where one of its tokens stands.
        ``matched`` (positions,) is where the unit's graph predicts a firing; without it, nowhere.

        >>> [round(float(odds), 2) for odds in neuron.evidence.log_odds(neuron.tokenize(" an other"))]
        [-inf, -1.46]
        """
        import numpy as np  # 0.1 s: only where it is needed

        text = np.asarray(tokens, np.int64)
        total = np.full(len(text), -np.inf, np.float32)
        own = self.depth == 0
        place = _places(self.token[own], text)
        position = np.flatnonzero(place >= 0)
        total[position] = self.log_odds_at(text, position, self.weight[own][place[position]], classes)
        if matched is not None:
            total[matched] += np.float32(self.graph)
        return total

    def log_odds_at(
        self, text: Int64Array, position: Int64Array, own: FloatArray, classes: Int64Array | None = None
    ) -> FloatArray:
        """Return the log odds where activating tokens stand and the graph is silent: (some,) float32.

        ``own`` has the weight of the token at each of the positions (some,).

        >>> import numpy as np
        >>> evidence, text = neuron.evidence, np.array(neuron.tokenize(" on the other"))
        >>> own = evidence.weight[(evidence.token == text[2]) & (evidence.depth == 0)]
        >>> round(float(evidence.log_odds_at(text, np.array([2]), own)[0]), 2)
        -0.46
        """
        import numpy as np

        total = (self.base + own).astype(np.float32)
        for depth in np.unique(self.depth[self.depth != 0]).tolist():
            there = self.depth == depth
            known, weight = self.token[there], self.weight[there]
            if depth < 0:
                total += _anywhere(text, position, -depth, known, weight)
                continue
            row = np.flatnonzero(position >= depth)
            before = text[position[row] - depth]
            row, before = row[before >= 0], before[before >= 0]
            weights = np.append(weight, np.float32(0))  # the last is of what is not known
            for named in (before, *(() if classes is None else classes[:, before])):
                total[row] += weights[_places(known, named)]
        return total

    def probability(
        self,
        tokens: Sequence[int] | npt.NDArray[np.integer],
        classes: Int64Array | None = None,
        matched: BoolArray | None = None,
    ) -> FloatArray:
        """Return the probability of firing at every position of a text: (positions,); as ``log_odds``.

        >>> [round(float(each), 2) for each in neuron.evidence.probability(neuron.tokenize(" on an other"))]
        [0.0, 0.0, 0.39]
        """
        import numpy as np

        odds = self.log_odds(tokens, classes, matched)
        found: FloatArray = np.reciprocal(1 + np.exp(-np.maximum(odds, np.float32(-80))))
        found[np.isneginf(odds)] = 0
        return found

    def fires(
        self,
        tokens: Sequence[int] | npt.NDArray[np.integer],
        classes: Int64Array | None = None,
        matched: BoolArray | None = None,
    ) -> BoolArray:
        """Return where the unit is predicted to fire: (positions,); arguments as in ``log_odds``.

        >>> neuron.evidence.fires(neuron.tokenize(" on an other")).tolist()
        [False, False, False]
        """
        found: BoolArray = self.log_odds(tokens, classes, matched) >= self.threshold
        return found


def _anywhere(
    text: Int64Array, position: Int64Array, reach: int, known: IntArray, weight: FloatArray
) -> FloatArray:
    """Add up the weights of the known tokens that stand in the ``reach`` positions before each: (position,).

    A token weighs once, however often it stands there.
    """
    import numpy as np

    rising = np.argsort(position, kind="stable")
    position = position[rising]
    total = np.zeros(len(position), np.float32)
    place = _places(known, text)
    at = np.flatnonzero(place >= 0)
    order = np.argsort(place[at], kind="stable")
    bounds = np.searchsorted(place[at][order], np.arange(len(known) + 1))
    for number in range(len(known)):
        there = at[order[bounds[number] : bounds[number + 1]]]
        if len(there):
            first = np.searchsorted(position, there + 1)
            stop = np.searchsorted(position, there + (reach + 1))
            begun = np.bincount(first, minlength=len(position) + 1) - np.bincount(
                stop, minlength=len(position) + 1
            )
            total[np.cumsum(begun[:-1]) > 0] += weight[number]
    found = np.empty_like(total)
    found[rising] = total
    return found


def _places(rising: IntArray, wanted: Int64Array) -> IntArray:
    """Where each wanted number stands among some that rise; -1 where it doesn't, and for negative ones."""
    import numpy as np

    # A table beats a search in long texts, and every known number is a token's or a class's. Its first entry
    # is for negative numbers, its last for those above all that are known.
    table = np.full(int(rising[-1]) + 3 if len(rising) else 1, -1, np.int32)
    table[rising + 1] = np.arange(len(rising), dtype=np.int32)
    found: IntArray = table.take(wanted + 1, mode="clip")
    return found
