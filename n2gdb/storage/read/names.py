"""Name look-up for models and neurons, and the error for a name that does not exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from n2gdb.core.units import MLP, SIDES, UnitName, place_of, unit_key
from n2gdb.errors import UnknownNameError

if TYPE_CHECKING:
    from n2gdb.storage.read.catalog import ModelInfo, SourceInfo

__all__ = ["find_model", "missing_neuron", "neuron_key", "neuron_of", "source_of"]


def find_model(models: Sequence[ModelInfo], name: str | None = None) -> ModelInfo:
    """Return a model by its name, or the only one; raise UnknownNameError where that is not clear."""
    names = [model.name for model in models]
    matching = [model for model in models if name is None or model.name == name]
    if len(matching) == 1:
        return matching[0]
    if name is not None and not matching:
        near = tuple(get_close_matches(name, names))
        raise UnknownNameError(f"the database holds no model {name!r}: it holds {', '.join(names)}", near)
    raise UnknownNameError(f"the database holds several models, name one: {', '.join(names)}", tuple(names))


def neuron_key(model: ModelInfo, name: UnitName) -> int | None:
    """Return the Neuron.id of a unit of a model; None where the model has no such unit.

    Raises UnknownNameError for a latent of a layer with several sets of latents, if it does not say which.
    """
    source = source_of(model, name)
    if source is None or name.index >= source.width or name.side not in source.sides:
        return None
    return unit_key(model.number, name.layer, name.index, source.number, SIDES.index(name.side))


def source_of(model: ModelInfo, name: UnitName) -> SourceInfo | None:
    """Return the source that a unit's name means; raises as ``neuron_key`` does."""
    here = [source for source in model.sources if source.layer == name.layer]
    if not name.latent:
        return next((source for source in here if source.kind == MLP), None)
    latents = [source for source in here if source.kind != MLP]
    if name.source:
        return next((source for source in latents if source.name == name.source), None)
    if len(latents) > 1:
        names = tuple(source.name for source in latents)
        raise UnknownNameError(
            f"layer {name.layer} of {model.name} has several sets of latents: write {name}@{names[0]}, "
            f"or another of {', '.join(names)}",
            names,
        )
    return latents[0] if latents else None


def neuron_of(models: Sequence[ModelInfo], key: int) -> tuple[int, UnitName]:
    """Return the model's number and the name of the unit with this Neuron.id."""
    place = place_of(key)
    if place.source == 0:
        return place.model, UnitName(place.layer, place.index, place.side)
    (model,) = (model for model in models if model.number == place.model)
    here = [source for source in model.sources if source.layer == place.layer and source.kind != MLP]
    (source,) = (source for source in here if source.number == place.source)
    shown = source.name if len(here) > 1 else ""
    return place.model, UnitName(place.layer, place.index, place.side, latent=True, source=shown)


def missing_neuron(
    rows: Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]], model: ModelInfo, name: UnitName
) -> UnknownNameError:
    """Return the error for a unit that the database does not hold, saying what it holds."""
    if name.layer >= model.n_layers:
        return UnknownNameError(
            f"{model.name} has no layer {name.layer}: its layers are 0 to {model.n_layers - 1}"
        )
    source = source_of(model, name)
    what, letter = ("latents", "F") if name.latent else ("neurons", "N")
    if source is None:
        others = sorted({each.name for each in model.sources if each.layer == name.layer})
        held = f"layer {name.layer} has {', '.join(others)}" if others else f"layer {name.layer} has none"
        return UnknownNameError(f"{model.name} has no {what} {name}: {held}", tuple(others))
    if name.index >= source.width:
        return UnknownNameError(
            f"{model.name} has no {what[:-1]} {name}: "
            f"layer {name.layer} has {letter}0 to {letter}{source.width - 1}"
        )
    if name.side not in source.sides:
        return UnknownNameError(
            f"{name} of {model.name} was not ingested: of {source.name} in layer {name.layer} the database "
            "holds the positive sides; ingest it with --sides both"
        )
    ((count, low, high),) = rows(
        "MATCH (n:Neuron) WHERE n.model = $model AND n.layer = $layer AND n.source = $source"
        " RETURN count(n.id), min(n.index), max(n.index)",
        {"model": model.number, "layer": name.layer, "source": source.name},
    )
    held = (
        f"{count} {what} of layer {name.layer}, {letter}{low} to {letter}{high}"
        if count
        else f"none of layer {name.layer}"
    )
    return UnknownNameError(f"{name} of {model.name} was not ingested: the database holds {held}")
