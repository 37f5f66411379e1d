"""Name look-up: models and neurons, and the message for one that does not exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from n2gdb.core.ids import NeuronName, place_of, unit_key
from n2gdb.errors import UnknownNameError

if TYPE_CHECKING:
    from n2gdb.storage.read.catalog import ModelInfo

__all__ = ["find_model", "missing_neuron", "neuron_key", "neuron_of"]


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


def neuron_key(model: ModelInfo, name: NeuronName) -> int | None:
    """Return the Neuron.id of a neuron of a model; None where the model has no such neuron."""
    if name.layer >= model.n_layers or name.index >= model.d_mlp:
        return None
    return unit_key(model.number, name.layer, name.index)


def neuron_of(key: int) -> tuple[int, NeuronName]:
    """Return the model's number and the name of the neuron with this Neuron.id."""
    place = place_of(key)
    return place.model, NeuronName(place.layer, place.index)


def missing_neuron(
    rows: Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]], model: ModelInfo, name: NeuronName
) -> UnknownNameError:
    """Return the error for a neuron that the database does not hold, saying what it holds."""
    if name.layer >= model.n_layers:
        return UnknownNameError(
            f"{model.name} has no layer {name.layer}: its layers are 0 to {model.n_layers - 1}"
        )
    if name.index >= model.d_mlp:
        return UnknownNameError(
            f"{model.name} has no neuron {name}: layer {name.layer} has N0 to N{model.d_mlp - 1}"
        )
    ((count, low, high),) = rows(
        "MATCH (n:Neuron) WHERE n.model = $model AND n.layer = $layer"
        " RETURN count(n.id), min(n.index), max(n.index)",
        {"model": model.number, "layer": name.layer},
    )
    held = (
        f"{count} neurons of layer {name.layer}, N{low} to N{high}"
        if count
        else f"none of layer {name.layer}"
    )
    return UnknownNameError(f"{name} of {model.name} was not ingested: the database holds {held}")
