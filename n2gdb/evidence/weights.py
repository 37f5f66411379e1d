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
    token ``token``, ``depth`` positions back. Weights above zero excite, below zero inhibit. A token that
    has no weight at depth 0 never fires the unit: those that have one are its activating tokens.

    depth   (weights,) int32    positions back from the activating token; 0 is the activating token itself
    token   (weights,) int32    token id, or the number of a class of tokens, which is no token's
    weight  (weights,) float32  change of the log odds

    Weights are sorted by (depth, token).
    """

    base: float
    threshold: float
    """Log odds from which the unit is predicted to fire."""
    depth: IntArray
    token: IntArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.weight)

    def log_odds(
        self, tokens: Sequence[int] | npt.NDArray[np.integer], classes: Int64Array | None = None
    ) -> FloatArray:
        """Return the log odds of firing at every position of a text: (positions,) float32.

        They are -inf at a token that is not activating. Negative numbers stand for no token. ``classes``
        gives the classes of every token, (kinds, tokens): a class weighs where one of its tokens stands.
        """
        import numpy as np  # 0.1 s: only where it is needed

        text = np.asarray(tokens, np.int64)
        total = np.full(len(text), -np.inf, np.float32)
        own = self.depth == 0
        place, hit = _find(self.token[own], text)
        total[hit] = self.base + self.weight[own][place[hit]]
        candidates = np.flatnonzero(hit)
        for depth in np.unique(self.depth[~own]).tolist():
            there = self.depth == depth
            known, weight = self.token[there], self.weight[there]
            position = candidates[candidates >= depth]
            before = text[position - depth]
            position, before = position[before >= 0], before[before >= 0]
            for named in (before, *(() if classes is None else classes[:, before])):
                place, hit = _find(known, named)
                total[position[hit]] += weight[place[hit]]
        return total

    def fires(
        self, tokens: Sequence[int] | npt.NDArray[np.integer], classes: Int64Array | None = None
    ) -> BoolArray:
        """Return where the unit is predicted to fire: (positions,); ``classes`` as in ``log_odds``."""
        found: BoolArray = self.log_odds(tokens, classes) >= self.threshold
        return found


def _find(rising: IntArray, wanted: Int64Array) -> tuple[Int64Array, BoolArray]:
    """Where each wanted number stands among some that rise, and whether it does."""
    import numpy as np

    if not len(rising):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
    place = np.searchsorted(rising, wanted).clip(max=len(rising) - 1)
    return place, rising[place] == wanted
