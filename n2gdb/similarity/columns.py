"""Arrays that neurons are compared by: each is read when it is first needed, and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from n2gdb.core.arrays import BoolArray, Float64Array, Int64Array, distinct, is_first, is_in, position_hash
from n2gdb.core.deadline import check_time
from n2gdb.core.units import WITHIN_MODEL, model_of
from n2gdb.grammar.ast import Metric
from n2gdb.similarity.firings import FiringSets
from n2gdb.similarity.sparse_sets import SparseSets

if TYPE_CHECKING:
    import pyarrow as pa

    from n2gdb.storage.read.catalog import ModelInfo
    from n2gdb.storage.read.shared_steps import SharedSteps

__all__ = ["Compared", "SimilarityColumns", "Table"]

#: Runs a statement with its parameters and returns its columns.
Table = Callable[[str, Mapping[str, object]], "pa.Table"]

_UNITS = "MATCH (n:Neuron) WHERE {among} RETURN n.id AS id ORDER BY n.id"
_TOKENS = "MATCH (n:Neuron)-[:{role}]->(t:Token) WHERE {among} RETURN n.id AS id, offset(id(t)) AS token"
_TEXTS = "MATCH (t:Token) RETURN t.text_key AS text ORDER BY offset(id(t))"
_FIRINGS = "MATCH (n:Neuron) WHERE n.firings IS NOT NULL AND {among} RETURN n.id AS id, n.firings AS firings"
_EXAMPLES = (
    "MATCH (n:Neuron)-[e:{kind}]->(w:Window) WHERE {among}"
    " RETURN n.id AS id, offset(id(w)) AS window, e.start AS start, e.trace AS trace"
)
_IS_RECORDED = (
    "MATCH (n:Neuron) WHERE n.firings IS NOT NULL AND n.id >= $low AND n.id < $high RETURN n.id LIMIT 1"
)


@dataclass(frozen=True)
class Compared:
    """Units that share something with one, with the score and the size of what they share: (units,) each."""

    unit: Int64Array  # Neuron.id
    score: Float64Array
    size: Int64Array

    def kept(self, inside: BoolArray) -> Compared:
        """Return some of them."""
        return Compared(self.unit[inside], self.score[inside], self.size[inside])


#: Positions that a window has room for.
_WINDOW = 1 << 24


class SimilarityColumns:
    """The columns of a database that similarity is computed from; ``(units,)`` is by rising Neuron.id."""

    def __init__(
        self,
        table: Table,
        models: Sequence[ModelInfo],
        shared: SharedSteps,
        among: Sequence[int] | None = None,
    ) -> None:
        """Read through ``table``, which runs a statement with its parameters and returns columns.

        ``shared`` are the steps of all graphs; ``among`` are the units that are compared with each other, by
        Neuron.id: all of them unless given.
        """
        self._table, self._shared, self._among = table, shared, among
        self._thresholds = {model.number: model.fire_threshold for model in models}

    def _read(self, statement: str, **named: str) -> pa.Table:
        if self._among is None:
            return self._table(statement.format(among="true", **named), {})
        chosen = {"among": list(self._among)}
        return self._table(statement.format(among="n.id IN $among", **named), chosen)

    @cached_property
    def ids(self) -> Int64Array:
        """Neuron.id of every unit: (units,)."""
        found: Int64Array = self._read(_UNITS)["id"].to_numpy()
        return found

    @cached_property
    def models(self) -> Int64Array:
        """The number of every unit's model: (units,)."""
        found: Int64Array = model_of(self.ids)
        return found

    def place(self, neuron: int) -> int:
        """Return the place of a unit, which is there."""
        return int(np.searchsorted(self.ids, neuron))

    def _row(self, table: pa.Table) -> Int64Array:
        """Return the place of each row's unit: rows of one unit come one after the other."""
        check_time()
        ids = table["id"].to_numpy()
        first = np.flatnonzero(is_first(ids))
        return np.repeat(np.searchsorted(self.ids, ids[first]), np.diff(first, append=len(ids)))

    @cached_property
    def steps(self) -> SparseSets:
        """The steps of every graph that others have too; those with case and space aside count."""
        shared = self._shared
        row = np.full(len(shared.unit), -1)
        known = np.flatnonzero(is_in(shared.unit, self.ids))
        row[known] = np.searchsorted(self.ids, shared.unit[known])
        total = np.zeros(len(self.ids))
        total[row[known]] = shared.total[known]
        step, row = shared.step, row[shared.holder]
        kept = np.flatnonzero(row >= 0)
        step = step[kept]
        return SparseSets.of(
            row[kept], step, len(self.ids), shared.weight[kept], total, shared.is_loose[step]
        )

    @cached_property
    def roles(self) -> tuple[SparseSets, SparseSets]:
        """The texts of every graph's activating tokens, and of its context tokens."""
        text = np.unique(self._table(_TEXTS, {})["text"].to_numpy(), return_inverse=True)[1]

        def sets(role: str) -> SparseSets:
            found = self._read(_TOKENS, role=role)
            return SparseSets.of(self._row(found), text[found["token"].to_numpy()], len(self.ids))

        return sets("ACTIVATES_ON"), sets("CONTEXT")

    @property
    def is_recorded(self) -> bool:
        """Whether the positions on which units fire were recorded; examples are looked at where not."""
        return len(self._recorded) > 0

    @cached_property
    def _recorded(self) -> pa.Table:
        return self._read(_FIRINGS)

    @cached_property
    def firings(self) -> FiringSets:
        """Where units fire: recorded positions, or for models without a record those of stored examples."""
        import pyarrow.compute as pc  # graphs are compared without it

        from n2gdb.storage.schema import MOST_FIRINGS

        recorded = self._recorded
        row = self._row(recorded)
        lengths = pc.list_value_length(recorded["firings"]).to_numpy().astype(np.int64)
        position = recorded["firings"].combine_chunks().flatten().to_numpy().astype(np.int64)
        known = np.isin(self.models, [model for model in np.unique(self.models) if self._has_record(model)])
        shown_row, shown = self._shown(~known) if not known.all() else (row[:0], position[:0])
        owner = np.concatenate([np.repeat(row, lengths), shown_row])
        rank = _ranks(position, shown)
        # Positions are of one model's corpus: what is numbered is the position and the model.
        several, model = np.unique(self.models, return_inverse=True)
        rank = rank * len(several) + model[owner]
        sampled = np.zeros(len(self.ids), np.bool_)
        sampled[row[lengths >= MOST_FIRINGS]] = True
        return FiringSets.of(owner, rank, sampled)

    def _has_record(self, model: int) -> bool:
        bounds = {"low": int(model) * WITHIN_MODEL, "high": (int(model) + 1) * WITHIN_MODEL}
        return len(self._table(_IS_RECORDED, bounds)) > 0

    def _shown(self, wanted: BoolArray) -> tuple[Int64Array, Int64Array]:
        """Return where some units fire in their stored examples: rows, and numbers of positions."""
        rows, positions = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        threshold = np.array([self._thresholds[model] for model in self.models.tolist()])
        # Halves from 0 up rise as their bits do: one less, as the threshold may be rounded up to a half.
        least = int(np.float16(threshold.min(initial=1.0)).view("<i2")) - 1
        for kind in ("TOP_EXAMPLE", "EXAMPLE"):
            for found in self._read(_EXAMPLES, kind=kind).to_batches():
                check_time()
                row = np.searchsorted(self.ids, found["id"].to_numpy())
                value, end = _halves(found["trace"])
                likely = np.flatnonzero(value.view("<i2") >= least)  # few, and compared as whole numbers
                owner = np.searchsorted(end, likely, "right")
                of = row[owner]
                fires = wanted[of] & (value[likely] >= threshold[of]) & (value[likely] > 0)
                owner, likely = owner[fires], likely[fires]
                within = likely - np.concatenate([[0], end])[owner]
                window, start = found["window"].to_numpy(), found["start"].to_numpy()
                rows.append(row[owner])
                positions.append(window[owner] * _WINDOW + start[owner] + within)
        return np.concatenate(rows), np.concatenate(positions)

    def against(self, neuron: int, metric: Metric) -> Compared:
        """Compare all units with one, by Neuron.id."""
        match metric:
            case Metric.GRAPH:
                place, score, size = self._shared.against(neuron)
                return Compared(self._shared.unit[place], score, size)
            case Metric.COFIRING:
                place, score, size = self.firings.against(self.place(neuron))
                return Compared(self.ids[place], score, size)
            case Metric.TOKENS:
                return self.overlap(neuron, np.maximum)
            case Metric.SUBSET:
                return self.overlap(neuron, np.minimum)

    def overlap(self, neuron: int, divisor: Callable[[Float64Array, Float64Array], Float64Array]) -> Compared:
        """Compare the tokens of both roles; ``divisor`` takes the sizes of the unit's sets and the others'.

        The score is the smaller of both roles', and 1 where a divisor is 0.
        """
        own = self.place(neuron)
        score, size = np.ones(len(self.ids)), np.zeros(len(self.ids), np.int64)
        for sets in self.roles:
            other, _, shared = sets.against(own)
            common = np.zeros(len(self.ids))
            common[other] = shared
            by = divisor(np.full(len(self.ids), sets.total[own]), sets.total)
            score = np.minimum(score, np.divide(common, by, out=np.ones(len(by)), where=by > 0))
            size[other] += shared
        score[own] = 0
        found = np.flatnonzero((score > 0) & (size > 0))
        return Compared(self.ids[found], score[found], size[found])

    def own_size(self, neuron: int, metric: Metric) -> int:
        """Return how much a unit has that can be shared."""
        own = self.place(neuron)
        if metric is Metric.COFIRING:
            return self.firings.count(own)
        return int(sum(sets.total[own] for sets in self.roles))


def _ranks(recorded: Int64Array, shown: Int64Array) -> Int64Array:
    """Return the rank of positions: of recorded ones by their hashes, then of those of stored examples."""
    of_records, of_examples = distinct(recorded), distinct(shown)
    key = np.concatenate([position_hash(of_records), of_examples.astype(np.uint64)])
    rank = np.unique(key, return_inverse=True)[1].astype(np.int64)
    first = rank[np.searchsorted(of_records, recorded)]
    second = rank[len(of_records) + np.searchsorted(of_examples, shown)]
    return np.concatenate([first, second])


def _halves(traces: pa.BinaryArray) -> tuple[NDArray[np.float16], Int64Array]:
    """Return the 16-bit floats of all traces in a row, and where each trace ends: (values,), (traces,)."""
    import pyarrow.compute as pc

    end = np.cumsum(pc.binary_length(traces).to_numpy().astype(np.int64)) // 2
    _, offsets, values = traces.buffers()
    first = int(np.frombuffer(offsets, np.int32)[traces.offset]) if len(traces) else 0
    count = int(end[-1]) if len(end) else 0
    return np.frombuffer(values or b"", "<f2", count, first), end
