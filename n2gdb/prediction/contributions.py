"""What each token of a text contributes to a unit's log odds of firing, position by position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from n2gdb.core.arrays import Int64Array

if TYPE_CHECKING:
    from n2gdb.evidence.weights import UnitEvidence

__all__ = ["Contributions", "contributions"]


@dataclass(frozen=True, slots=True)
class Contributions:
    """Weights of what stands at, or before, an activating token, by positions back.

    ``fixed`` weigh at their distance alone, the weights of a token and of its classes together; ``anywhere``
    at any distance up to some, and stand where the token is nearest.
    """

    fixed: Mapping[int, float]
    anywhere: Mapping[int, float] = field(default_factory=dict)


def contributions(
    evidence: UnitEvidence, tokens: Sequence[int], classes: Int64Array | None = None
) -> list[Contributions | None]:
    """Return what contributes at every position of a text; None at a token that is not activating.

    ``classes`` are as of ``UnitEvidence.log_odds``.
    """
    text = [int(token) for token in tokens]
    columns = (evidence.depth.tolist(), evidence.token.tolist(), evidence.weight.tolist())
    weights = {(depth, token): weight for depth, token, weight in zip(*columns, strict=True)}
    deepest = max((depth for depth, _ in weights), default=0)
    anywhere = [(-depth, token, weight) for (depth, token), weight in weights.items() if depth < 0]

    def named(token: int) -> list[int]:
        return [token, *([] if classes is None or token < 0 else classes[:, token].tolist())]

    found: list[Contributions | None] = []
    for position, token in enumerate(text):
        if (0, token) not in weights:
            found.append(None)
            continue
        fixed = {0: weights[0, token]}
        for depth in range(1, min(deepest, position) + 1):
            fixed[depth] = sum(weights.get((depth, each), 0.0) for each in named(text[position - depth]))
        before = text[:position][::-1]  # the nearest first
        apart: dict[int, float] = {}
        for reach, other, weight in anywhere:
            if other in before[:reach]:
                depth = before.index(other) + 1
                apart[depth] = apart.get(depth, 0.0) + weight
        found.append(Contributions(fixed, apart))
    return found
