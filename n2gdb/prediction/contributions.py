"""What each token of a text contributes to a unit's log odds of firing, position by position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from n2gdb.core.arrays import FloatArray, Int64Array

if TYPE_CHECKING:
    from n2gdb.evidence.weights import UnitEvidence

__all__ = ["contributions"]


def contributions(
    evidence: UnitEvidence, tokens: Sequence[int], classes: Int64Array | None = None
) -> FloatArray:
    """Return the weights that the tokens before every position have there: (depth + 1, position) float32.

    Row ``d`` is of the token ``d`` positions back, its classes included; 0 where it has no weight, and at a
    token that is not activating, which no context makes fire. ``classes`` are as of ``log_odds``.
    """
    import numpy as np

    text = np.asarray(tokens, np.int64)
    deepest = int(evidence.depth.max(initial=0))
    found = np.zeros((deepest + 1, len(text)), np.float32)
    weights = {
        (depth, token): weight
        for depth, token, weight in zip(
            evidence.depth.tolist(), evidence.token.tolist(), evidence.weight.tolist(), strict=True
        )
    }
    for position, token in enumerate(text.tolist()):
        if (own := weights.get((0, token))) is None:
            continue
        found[0, position] = own
        for depth in range(1, min(deepest, position) + 1):
            before = int(text[position - depth])
            named = [before, *([] if classes is None or before < 0 else classes[:, before].tolist())]
            found[depth, position] = sum(weights.get((depth, each), 0.0) for each in named)
    return found
