"""Neurons of the demo model that anyone can check by eye: what their graphs say is what the model does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import n2gdb
from n2gdb.core.progress import silent
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.subject import default_corpus
from n2gdb.ingest.pipeline import Source, ingest
from tests.support.demo import demo_model, true_activations

#: Layer-0 neurons and the words that they fire on, as read off their graphs.
FAMILIES = {
    "L0N28": ("year", "years", "week", "weeks", "month", "months", "hour", "hours", "day", "days"),
    "L0N83": ("let",),
    "L0N109": ("take", "took", "taken", "taking"),
    "L0N112": ("know", "knew", "known", "knows", "knowing", "understand", "knowledge"),
    "L0N152": ("was", "were", "are", "is", "am", "be", "been"),
}

TEXT = (
    "He took the letter and said they were taken by surprise, for two years she was ill, and I know that"
    " months have passed. Let us take what is known, he knew, and let them be."
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[n2gdb.Database]:
    path = tmp_path_factory.mktemp("families") / "demo.n2gdb"
    indices = tuple(n2gdb.NeuronName.parse(name).index for name in FAMILIES)
    chosen = Selection(layers=(0,), neurons=indices)
    source = Source(default_corpus("demo"))
    ingest(demo_model(), source, path, N2GConfig(tokens=200_000), chosen, silent, 1024)
    with n2gdb.open(path) as opened:
        yield opened


@pytest.mark.parametrize("name", FAMILIES)
def test_a_graph_names_its_family_of_words(database: n2gdb.Database, name: str) -> None:
    """Near the threshold the neuron fires on odd words too, and its graph says so."""
    graph = database.neuron(name).graph
    strong = (graph.depth == 0) & (graph.best >= 0.7)
    words = {database.text(int(token)).strip().lower() for token in graph.token[strong]}
    assert words
    assert words <= set(FAMILIES[name])


@pytest.mark.parametrize("name", FAMILIES)
def test_the_neuron_really_fires_where_its_graph_says(database: n2gdb.Database, name: str) -> None:
    neuron = database.neuron(name)
    assert neuron.f1 is not None and neuron.f1 > 0.8
    tokens = np.array([0, *demo_model().encode_batch([TEXT])[0]])
    normalised = true_activations(0, neuron.name.index, tokens) / neuron.max_activation
    normalised[0] = 0  # the BOS never counts
    said = neuron.graph.predict(tokens) >= 0.5
    assert said.any()
    assert (normalised[said] > 0.4).all()
    assert (said == (normalised >= 0.5)).mean() > 0.95


def test_they_are_found_by_what_they_fire_on(database: n2gdb.Database) -> None:
    found = {str(hit.neuron): hit for hit in database.query("neurons MATCHING 'took' OR MATCHING 'years'")}
    assert set(found) == {"L0N28", "L0N109"}
    assert found["L0N109"].path == "·took"
