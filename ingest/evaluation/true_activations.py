"""True activations: what the model's neurons do on each token of a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from n2gdb.core.arrays import FloatArray, IndexArray, IntArray
from n2gdb.core.progress import Report, silent
from n2gdb.errors import SelectionError
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.inference.engine import Engine
from n2gdb.neuron import Neuron

__all__ = ["true_activations"]


#: Windows of a long text between two reports.
_TOGETHER = 32


def true_activations(
    engine: Engine, neuron: Neuron, tokens: Sequence[int], report: Report = silent
) -> FloatArray:
    """Run the model on a text's token ids: a neuron's normalised activation on each, (tokens,) float32.

    As in ingest, a BOS stands in front where the model was trained with one, unless the text begins with
    it, and special tokens count as 0, as does the first token for a model without BOS. A text longer than
    the model's context is read in windows that overlap by half: every token after the first window has half
    a context before it. ``engine`` runs the neuron's model. Raises SelectionError for a neuron that never
    fires on its corpus, and UnknownNameError for a token id that the model does not have.
    """
    if not neuron.max_activation > 0:
        raise SelectionError(
            f"{neuron.name} never fires on the corpus that it was learned from, so it has no largest"
            " activation to measure by: choose another neuron"
        )
    neuron.texts(tokens)  # an id that the embedding lacks is named here, not in a traceback
    text = np.array(tokens, np.int32)  # (tokens,)
    if not len(text):
        return np.zeros(0, np.float32)
    windows, first = _windows(text, engine.model.n_ctx, engine.model.bos)
    found: list[FloatArray] = []
    for start in range(0, len(windows), _TOGETHER):
        if len(windows) > _TOGETHER:
            report("true activations", start, len(windows))
        found.append(
            _run(engine, neuron, windows[start : start + _TOGETHER], first[start : start + _TOGETHER])
        )
    activation = np.concatenate(found)
    activation[np.isin(text, sorted(engine.model.special))] = 0
    if not engine.model.first_counts:
        activation[0] = 0
    normalised: FloatArray = activation / np.float32(neuron.max_activation)
    return normalised


def _windows(text: IntArray, context: int, bos: int | None) -> tuple[IntArray, IndexArray]:
    """Cut windows, padded: (window, context), and where in each its new tokens begin: (window,)."""
    body = text[1:] if bos is not None and text[0] == bos else text
    begun = len(text) - len(body)  # 1 where the text brings its own BOS
    front = int(bos is not None)
    room = context - front
    stops = [min(room, len(body))]
    while stops[-1] < len(body):
        stops.append(min(len(body), stops[-1] + max(1, room // 2)))
    windows = np.full((len(stops), context), PAD, np.int32)
    first = np.zeros(len(stops), np.intp)
    for row, stop in enumerate(stops):
        start = max(0, stop - room)
        if bos is not None:
            windows[row, 0] = bos
        windows[row, front : front + stop - start] = body[start:stop]
        first[row] = front - begun if row == 0 else front + stops[row - 1] - start
    return windows, first


def _run(engine: Engine, neuron: Neuron, windows: IntArray, first: IndexArray) -> FloatArray:
    """Return the activations of the windows' new tokens, one after another: (token,)."""
    asked = (windows != PAD) & (np.arange(windows.shape[1]) >= first[:, None])
    place, unit = engine.model.unit_of(neuron.name)
    owner = np.full(len(windows), unit, np.intp)
    found: FloatArray = engine.activations(place, windows, owner, asked)[asked]
    return found
