"""Training rows of evidence: where a unit's activating tokens occur, and how it activates there.

Every recorded activation on such a token is a row, the near misses above all; of the other occurrences,
where the activation lies below the record, those with the smallest hashes stand for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from n2gdb.core.arrays import BoolArray, FloatArray, Int64Array, IntArray, is_in, position_hash
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.scan.record import ActivationRecord

__all__ = ["RowSource", "TopWindows", "UnitRows"]


_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
#: Occurrences below the record, at least, that are drawn of each activating token.
_LEAST_DRAWN = 20


@dataclass(frozen=True, slots=True, eq=False)
class TopWindows:
    """Windows of the corpus in which one unit is strongest; arrays hold window numbers."""

    train: Int64Array  # those that its graph was read off
    test: Int64Array  # those that it is judged by: nothing is learned from them
    others: Int64Array  # further ones, that its graph has not seen

    @property
    def shown(self) -> Int64Array:
        """Windows that every occurrence counts in, rising."""
        return np.union1d(self.train, self.others)


@dataclass(frozen=True, slots=True, eq=False)
class UnitRows:
    """Positions of the corpus where one unit's activating tokens stand."""

    position: Int64Array  # (row,) flat position in the corpus
    activation: FloatArray  # (row,) of the maximum; 0 where it is below the record
    importance: FloatArray  # (row,) positions of the corpus that the row stands for
    elsewhere: float
    """Firings on tokens that are not among the activating ones."""

    def __len__(self) -> int:
        return len(self.position)


@dataclass(frozen=True, eq=False)
class RowSource:
    """Draws rows for the units of a record."""

    text: CorpusText
    record: ActivationRecord
    threshold: float
    """Share of the maximum from which a unit fires."""
    most_tokens: int
    """Activating tokens of a unit, at most: those with the most firings."""
    near: float
    """Share of the maximum from which a token is activating."""
    drawn: int
    """Occurrences below the record that are drawn for a unit, about."""
    misses: bool = True
    """Whether recorded activations below the threshold are rows one and all."""

    def rows(self, unit: int, windows: TopWindows) -> UnitRows | None:
        """Draw the rows of a unit; None if it fires nowhere outside of its test windows.

        Positions that read like any in a test window are left out too. Of its other top windows every
        occurrence is a row.
        """
        recorded = self._recorded(unit, windows)
        fires = recorded.activation >= self.threshold
        if not fires.any():
            return None
        close = recorded.activation >= self.near
        worth = recorded.importance * np.where(fires, 1, (recorded.activation / self.threshold) ** 8)
        activating = self._activating(self.text.tokens[recorded.position[close]], worth[close])
        return self._with_others(unit, windows, recorded, activating)

    def rows_on(self, unit: int, windows: TopWindows, tokens: IntArray) -> UnitRows | None:
        """Draw the rows of a unit as ``rows`` does, on some tokens besides those that it fires on."""
        recorded = self._recorded(unit, windows)
        fires = recorded.activation >= self.threshold
        if not fires.any():
            return None
        fired = self._activating(self.text.tokens[recorded.position[fires]], recorded.importance[fires])
        return self._with_others(unit, windows, recorded, np.union1d(fired, tokens).astype(np.int32))

    def _recorded(self, unit: int, windows: TopWindows) -> UnitRows:
        """What is recorded of a unit outside of what it is judged by."""
        entries = self.record.of(unit)
        position = self.record.position[entries]
        activation = self.record.activation[entries] / max(
            self.record.maximum[unit], np.finfo(np.float32).tiny
        )
        importance = self._importance(unit, entries)
        seen = self._unseen(position, windows.test)
        if not self.misses:
            seen &= activation >= self.threshold
        return UnitRows(position[seen], activation[seen], importance[seen], 0.0)

    def _with_others(
        self, unit: int, windows: TopWindows, recorded: UnitRows, activating: IntArray
    ) -> UnitRows:
        """Keep what is recorded on activating tokens, rising, and draw others of their occurrences."""
        token = self.text.tokens[recorded.position]
        known = is_in(token, activating)
        elsewhere = float(recorded.importance[(recorded.activation >= self.threshold) & ~known].sum())
        position, importance = recorded.position[known], recorded.importance[known]
        place = np.searchsorted(activating, token[known])
        of_tokens = np.bincount(place, importance, len(activating)).astype(np.float64)
        others, stands_for = self._others(unit, activating, of_tokens, np.sort(position), windows.shown)
        seen = self._unseen(others, windows.test)
        return UnitRows(
            np.concatenate([position, others[seen]]),
            np.concatenate([recorded.activation[known], np.zeros(np.count_nonzero(seen), np.float32)]),
            np.concatenate([importance, stands_for[seen]]).astype(np.float32),
            elsewhere,
        )

    def _unseen(self, position: Int64Array, hidden: Int64Array) -> BoolArray:
        """Tell which positions neither lie in hidden windows nor read like any there."""
        outside = ~is_in(position // self.text.width, np.sort(hidden))
        outside[outside] = ~self.text.alike(position[outside], hidden)
        return outside

    def other_windows(self, unit: int, known: Int64Array, most: int) -> Int64Array:
        """The windows, beside some known ones, in which a unit fires most strongly: rising."""
        entries = self.record.of(unit)
        activation = self.record.activation[entries]
        window = self.record.position[entries] // self.text.width
        kept = (activation >= self.threshold * self.record.maximum[unit]) & ~np.isin(window, known)
        window = window[kept][np.argsort(-activation[kept], kind="stable")]
        first = np.unique(window, return_index=True)[1]
        return np.sort(window[np.sort(first)][:most])

    def _importance(self, unit: int, entries: slice) -> FloatArray:
        """How many activations of its bin each entry stands for: (entry,)."""
        bins = self.record.bins(entries)
        count = self.record.count[unit]
        kept = np.bincount(bins, minlength=len(count))
        found: FloatArray = (count / np.maximum(kept, 1))[bins].astype(np.float32)
        return found

    def _activating(self, fired: IntArray, importance: FloatArray) -> IntArray:
        """The tokens with the most firings, rising."""
        token, place = np.unique(fired, return_inverse=True)
        firings = np.bincount(place, importance, len(token))
        chosen: IntArray = np.sort(token[np.argsort(-firings, kind="stable")[: self.most_tokens]])
        return chosen

    def _others(
        self,
        unit: int,
        activating: IntArray,
        recorded: npt.NDArray[np.float64],
        known: Int64Array,
        shown: Int64Array,
    ) -> tuple[Int64Array, FloatArray]:
        """Draw occurrences that are not in the record, and how many each stands for.

        Where bins were cut, only positions of smaller hashes are known to be below the record.
        """
        limit = self.record.limit[unit].min()
        most = max(_LEAST_DRAWN, self.drawn // len(activating))
        drawn: list[Int64Array] = [np.zeros(0, np.int64)]
        stands_for: list[FloatArray] = [np.zeros(0, np.float32)]
        is_shown = np.zeros(len(self.text.tokens) // self.text.width, np.bool_)
        is_shown[shown] = True
        n_known = np.bincount(np.searchsorted(activating, self.text.tokens[known]), minlength=len(activating))
        of_tokens = zip(activating.tolist(), recorded.tolist(), n_known.tolist(), strict=True)
        for token, of_these, n_of_these in of_tokens:
            there = self.text.occurrences(token)
            n_others = len(there) - of_these
            inside = is_shown[there // self.text.width]
            here = there[inside]
            here = here[~is_in(here, known)]
            drawn.append(here)
            stands_for.append(np.ones(len(here), np.float32))
            n_others -= len(here)
            there = there[~inside]
            if limit != _ALL:
                there = there[position_hash(there) <= limit]
            # Those with the smallest hashes are among these, whichever of them are known.
            there = _least(there, most + n_of_these)
            there = _least(there[~is_in(there, known)], most)
            drawn.append(there)
            each = max(n_others, len(there)) / max(1, len(there))
            stands_for.append(np.full(len(there), each, np.float32))
        return np.concatenate(drawn), np.concatenate(stands_for)


def _least(position: Int64Array, most: int) -> Int64Array:
    """Those of some positions with the smallest hashes."""
    if len(position) <= most:
        return position
    return position[np.argpartition(position_hash(position), most)[:most]]
