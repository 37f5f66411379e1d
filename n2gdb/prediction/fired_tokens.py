"""Firings by token: the neurons that fire on each token of a text, strongest first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from n2gdb.core.readings import counted
from n2gdb.core.units import NeuronName
from n2gdb.prediction.firing import Firing, Predictor, predictor, read_firings

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FiredNeuron", "FiredToken", "fired_tokens", "predictor"]

Read = Callable[[str, Mapping[str, object]], "pa.Table"]

_LISTED = 300  # neurons up to which the engine's linear search in a list is no slower than reading all


@dataclass(frozen=True, slots=True)
class FiredNeuron:
    """A neuron that is predicted to fire, with the normalised ``activation`` that is predicted.

    ``f1`` is that of its graph on its top examples; ``heldout_f1`` is that of its default predictor on
    held-out text, with the number of firings there. Each is None where it was not judged.

    >>> fired = db.firing(" the other", at=-1)[0].neurons[0]
    >>> str(fired.neuron), fired.activation
    ('L4N137', 1.0)
    """

    neuron: NeuronName
    activation: float
    f1: float | None
    heldout_f1: float | None = None
    heldout_firings: int | None = None

    def __repr__(self) -> str:
        return f"<FiredNeuron {self.neuron} activation {self.activation:.2f}>"

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON.

        >>> db.firing(" the other")[1].neurons[0].as_dict()["neuron"]
        'L4N137'
        """
        return asdict(self) | {"neuron": str(self.neuron)}

    @property
    def quality(self) -> float | None:
        """Its F1 on held-out text where that is known, else on its top examples.

        >>> print(db.firing(" the other")[1].neurons[0].quality)
        0.25
        """
        return self.f1 if self.heldout_f1 is None else self.heldout_f1


@dataclass(frozen=True, slots=True)
class FiredToken:
    """A token of a text, counted from 0, and the neurons that fire on it, strongest first.

    >>> (token,) = db.firing(" the other", at=-1)
    >>> token.position, db.text(token.token), len(token.neurons)
    (1, ' other', 1)
    """

    position: int
    token: int
    neurons: tuple[FiredNeuron, ...]

    def __repr__(self) -> str:
        return f"<FiredToken {self.token} at {self.position}: {counted(len(self.neurons), 'neuron')}>"


def fired_tokens(
    read: Read,
    tokens: Sequence[int],
    model: int,
    name_of: Callable[[int], NeuronName],
    *,
    threshold: float,
    positions: Sequence[int] | None = None,
    layers: Collection[int] = (),
    min_f1: float | None = None,
    by: Predictor = "evidence",
) -> list[FiredToken]:
    """Return the tokens of a text at ``positions`` (default: all), in order, with the neurons that fire.

    ``read`` runs a statement with its parameters and returns columns; ``tokens`` are ids of the model with
    number ``model``, whose units ``name_of`` names by their Neuron.id; they fire from ``threshold`` on. Only
    neurons of ``layers`` are kept, if any are named, and only those whose ``quality`` is ``min_f1`` or more.
    ``by`` is as of ``read_firings``. Raises IndexError for a position that the text does not have.
    """
    firings = read_firings(read, tokens, model, threshold=threshold, positions=positions, by=by)
    scores = _scores(read, {firing.neuron for firing in firings}, model)
    here: dict[int, list[FiredNeuron]] = {
        position: [] for position in (range(len(tokens)) if positions is None else sorted(set(positions)))
    }
    for position, neuron in _named(firings, scores, name_of):
        if (not layers or neuron.neuron.layer in layers) and _is_good(neuron.quality, min_f1):
            here[position].append(neuron)
    return [
        FiredToken(position, tokens[position], tuple(sorted(found, key=_strength)))
        for position, found in here.items()
    ]


_Figures = tuple[float | None, float | None, int | None]


def _scores(read: Read, neurons: Collection[int], model: int) -> dict[int, _Figures]:
    if not neurons:
        return {}
    chosen, given = "n.model = $model", dict[str, object](model=model)
    if len(neurons) <= _LISTED:
        chosen, given = "n.id IN $neurons", {"neurons": sorted(neurons)}
    table = read(
        f"MATCH (n:Neuron) WHERE {chosen} RETURN n.id AS neuron, n.f1 AS f1, n.heldout_f1 AS heldout,"
        " n.heldout_firings AS firings",
        given,
    )
    columns = (table[name].to_pylist() for name in ("neuron", "f1", "heldout", "firings"))
    return {neuron: (f1, heldout, firings) for neuron, f1, heldout, firings in zip(*columns, strict=True)}


def _named(
    firings: Sequence[Firing], scores: Mapping[int, _Figures], name_of: Callable[[int], NeuronName]
) -> Iterator[tuple[int, FiredNeuron]]:
    for firing in firings:
        figures = scores[firing.neuron]
        yield firing.position, FiredNeuron(name_of(firing.neuron), firing.activation, *figures)


def _is_good(f1: float | None, least: float | None) -> bool:
    return least is None or (f1 is not None and f1 >= least)


def _strength(fired: FiredNeuron) -> tuple[float, float, NeuronName]:
    return -fired.activation, 1.0 if fired.quality is None else -fired.quality, fired.neuron
