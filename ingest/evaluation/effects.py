"""Direct effects of units: the tokens whose logits each raises or lowers most, from its output weights.

The direct effect only: what reaches the logits through later layers is not in it. A logit is the neuron's
maximum activation times its output direction, through the final norm's weights and the unembedding, less the
mean over the vocabulary; no norm's scale is in it, see ``output_weights``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch

from n2gdb.core.progress import Report, silent
from n2gdb.core.units import MLP, NEGATIVE
from n2gdb.ingest.evaluation.output_directions import output_directions
from n2gdb.ingest.evaluation.output_weights import OutputWeights
from n2gdb.ingest.models.subject import SubjectModel
from n2gdb.ingest.sources.places import UnitPlaceOf
from n2gdb.storage import schema
from n2gdb.storage.shards import RunFolder

__all__ = ["STRONGEST", "Strongest", "strongest", "write_effects"]

#: Tokens that are kept of each neuron: so many promoted, and so many suppressed.
STRONGEST = 20

#: Logits that are held at once: 256 MB.
_TOGETHER = 1 << 26


@dataclass(frozen=True, slots=True, eq=False)
class Strongest:
    """The strongest effects of some units, each unit's together and by rank; every array is (effects,)."""

    unit: npt.NDArray[np.int64]  # place among the units
    token: npt.NDArray[np.int32]
    rank: npt.NDArray[np.int32]
    logit: npt.NDArray[np.float32]


def strongest(
    weights: OutputWeights,
    directions: torch.Tensor,
    maximum: torch.Tensor,
    most: int = STRONGEST,
) -> Strongest:
    """Return the tokens that units promote and suppress most.

    ``directions`` are what the units add to the residual stream for an activation of 1, (unit, d_model);
    ``maximum`` are their largest activations, (unit,): a unit that has none above 0 writes nothing. A token
    is promoted where its logit is above the mean over the vocabulary. Ids without a token are left out.
    """
    named = torch.from_numpy(_named(weights.model)).to(weights.head.device)
    head = weights.head[named]  # (token, d_model)
    count = min(most, len(named))
    pieces: list[tuple[torch.Tensor, ...]] = []
    together = max(1, _TOGETHER // max(1, len(named)))
    with torch.inference_mode():
        written = directions.to(head) * maximum.to(head).clamp(min=0)[:, None]
        for start in range(0, max(1, len(written)), together):
            logits = written[start : start + together] @ head.T  # (unit, token)
            for largest in (True, False):
                value, place = logits.topk(count, dim=1, largest=largest)
                unit, rank = torch.nonzero((value > 0) if largest else (value < 0), as_tuple=True)
                pieces.append((unit + start, named[place[unit, rank]], rank, value[unit, rank]))
    units, tokens, ranks, values = (
        torch.cat([piece[at] for piece in pieces]).cpu().numpy() for at in range(4)
    )
    order = np.lexsort((ranks, values < 0, units))
    return Strongest(
        units[order].astype(np.int64),
        tokens[order].astype(np.int32),
        ranks[order].astype(np.int32),
        values[order].astype(np.float32),
    )


def write_effects(model: SubjectModel, run: RunFolder, report: Report = silent) -> int:
    """Write the effects of the units of a run that have none yet, beside its shards; return of how many.

    ``model`` reads the dictionaries and sites whose units are among them; those of others are left as they
    are. Units that do not write to the residual stream have none. Raises ModelError, in one line, for a model
    whose neurons have no direct way to the logits.
    """
    shards = run.without_effects()
    if not shards:
        return 0
    weights = OutputWeights.of(model)
    directions: dict[tuple[int, str], torch.Tensor | None] = {}
    done = 0
    for shard in shards:
        report("effects", done, None)
        neurons = run.neurons([shard])
        sources = set(zip(neurons["layer"].to_pylist(), neurons["source"].to_pylist(), strict=True))
        places = {source: _place(model, *source) for source in sources}
        if None in places.values():
            continue
        directions = {
            source: directions[source] if source in directions else output_directions(weights, place)
            for source, place in places.items()
            if place is not None
        }
        tables = [schema.EFFECTS.empty_table()]
        for (layer, name), written in directions.items():
            if written is not None:
                own = pc.and_(pc.equal(neurons["layer"], layer), pc.equal(neurons["source"], name))
                tables.append(_table(weights, written, neurons.filter(own)))
        run.write_effects(shard, pa.concat_tables(tables))
        done += len(neurons)
    report("effects", done, done)
    return done


def _place(model: SubjectModel, layer: int, source: str) -> UnitPlaceOf | None:
    """The units of a source by its name, or its first part; None where the model is not read there."""
    if source == MLP:
        return model.at(layer)
    return next((part for part in model.latents if (part.layer, part.name) == (layer, source)), None)


def _table(weights: OutputWeights, directions: torch.Tensor, neurons: pa.Table) -> pa.Table:
    index, unit = (neurons[name].to_numpy() for name in ("index", "unit"))
    sign = np.where(np.array(neurons["side"].to_pylist()) == NEGATIVE, -1, 1).astype(np.float32)
    maximum = torch.from_numpy(neurons["max_activation"].to_numpy().copy())
    chosen = torch.from_numpy(index.copy()).to(directions.device)
    written = directions[chosen] * torch.from_numpy(sign).to(directions)[:, None]
    found = strongest(weights, written, maximum)
    columns = [unit[found.unit], found.token, found.rank, found.logit]
    return pa.table(list(map(pa.array, columns)), schema.EFFECTS.names).cast(schema.EFFECTS)


def _named(model: SubjectModel) -> npt.NDArray[np.int64]:
    """The ids that have a token: an embedding may have more rows."""
    backend = model.tokenizer.backend
    return np.array(
        [each for each in range(model.d_vocab) if backend.id_to_token(each) is not None], np.int64
    )
