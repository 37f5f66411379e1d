"""Evidence: a unit as signed weights of tokens, which add up to the log odds that it fires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    IntArray = npt.NDArray[np.int32]
    FloatArray = npt.NDArray[np.float32]
    BoolArray = npt.NDArray[np.bool_]

__all__ = ["Evidence"]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What speaks for and against a unit's firing at a position.

    The log odds of firing are ``base`` plus the weights of the tokens that stand there: ``weight`` of the
    token ``token``, ``depth`` positions back. Weights above zero excite, below zero inhibit. A token that
    has no weight at depth 0 never fires the unit: those that have one are its activating tokens.

    depth   (weights,) int32    positions back from the activating token; 0 is the activating token itself
    token   (weights,) int32    token id
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

    def log_odds(self, tokens: Sequence[int] | npt.NDArray[np.integer]) -> FloatArray:
        """Return the log odds of firing at every position of a text: (positions,) float32.

        They are -inf at a token that is not activating. Negative numbers stand for no token.

        >>> evidence = Evidence(-1.0, 0.0, *_columns((0, 7, 0.5), (1, 3, 2.0)))
        >>> evidence.log_odds([7, 3, 7]).tolist()
        [-0.5, -inf, 1.5]
        """
        import numpy as np  # 0.1 s: only where it is needed

        text = np.asarray(tokens, np.int64)
        total = np.full(len(text), -np.inf, np.float32)
        for depth in np.unique(self.depth).tolist():
            there = self.depth == depth
            known, weight = self.token[there], self.weight[there]
            position = np.arange(depth, len(text)) if depth == 0 else np.flatnonzero(np.isfinite(total))
            position = position[position >= depth]
            place = np.searchsorted(known, text[position - depth]).clip(max=len(known) - 1)
            hit = known[place] == text[position - depth]
            if depth == 0:
                total[position[hit]] = self.base + weight[place[hit]]
            else:
                total[position[hit]] += weight[place[hit]]
        return total

    def fires(self, tokens: Sequence[int] | npt.NDArray[np.integer]) -> BoolArray:
        """Return where the unit is predicted to fire: (positions,)."""
        found: BoolArray = self.log_odds(tokens) >= self.threshold
        return found
