"""Pairs that were found before: a narrower question is answered from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from n2gdb.core.units import layer_of, model_of
from n2gdb.grammar.ast import Metric
from n2gdb.similarity.pairs import Pairs, similar_pairs

if TYPE_CHECKING:
    from n2gdb.similarity.columns import SimilarityColumns

__all__ = ["KeptPairs"]

#: Pairs up to which they are kept: 32 bytes each.
_MOST = 4_000_000


class KeptPairs:
    """The latest pairs by each metric, of all neurons and not of some."""

    def __init__(self, columns: SimilarityColumns) -> None:
        """Find pairs from ``columns``."""
        self._columns = columns
        self._kept: dict[Metric, tuple[float, int, Pairs]] = {}

    def find(
        self,
        metric: Metric,
        *,
        above: float,
        sharing: int,
        model: int | None = None,
        across_layers: bool = False,
        progress: Callable[[str, int, int | None], None] | None = None,
    ) -> Pairs:
        """Return what ``similar_pairs`` returns, and raise what it raises."""
        least, fewest, kept = self._kept.get(metric, (2.0, 0, None))
        if kept is None or not (least <= above <= 1 and fewest <= sharing):
            found = similar_pairs(
                self._columns,
                metric,
                above=above,
                sharing=sharing,
                model=model,
                across_layers=across_layers,
                progress=progress,
            )
            if model is None and not across_layers and len(found) <= _MOST:
                self._kept[metric] = above, sharing, found
            return found
        allowed = np.ones(len(kept), np.bool_)
        if model is not None:
            allowed &= (model_of(kept.left) == model) & (model_of(kept.right) == model)
        if across_layers:
            allowed &= layer_of(kept.left) != layer_of(kept.right)
        return kept.narrowed(above, sharing, allowed)
