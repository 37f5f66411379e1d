"""The causal check replaces what patterns name, and says what the model loses by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import n2gdb
from n2gdb.core.progress import silent
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.corpus.store import CorpusStore
from n2gdb.ingest.evaluation import causal
from n2gdb.ingest.evaluation.causal import HOLDS, check_importance
from n2gdb.ingest.pipeline import Source, ingest
from tests.support.demo import demo_model, only_run


def test_what_stands_there_most_often_takes_a_tokens_place() -> None:
    corpus = np.array([[1, 7, 2, 9], [3, 7, 1, 9], [3, 7, 2, 9], [4, 5, 5, -1]], np.int32)
    usual = causal._Usual(corpus)
    assert usual.token(9, 1, but=1) == 2
    assert usual.token(9, 1, but=2) == 1
    assert usual.token(9, 3, but=1) == 3
    assert usual.token(9, 2, but=7) == 9  # nothing else ever stood there: the most frequent of all but it
    assert usual.token(8, 1, but=7) == 9


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("causal") / "x.n2gdb"
    config = N2GConfig(tokens=20_000, window=64, top_k=6, heldout=None, evidence=False)
    chosen = Selection(layers=(0, 4), neurons=tuple(range(16)))
    ingest(demo_model(), Source("demo"), path, config, chosen, silent, 1024)
    return path


def test_claims_are_measured_on_the_model(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = CorpusStore.of_run(only_run(database))
    assert corpus is not None
    asked: list[tuple[causal._Claim, int, float]] = []
    measured = causal._measured

    def kept(model, layer, claims, text):  # type: ignore[no-untyped-def]
        lost = measured(model, layer, claims, text)
        asked.extend((claim, layer, each) for claim, each in zip(claims, lost.tolist(), strict=True))
        return lost

    monkeypatch.setattr(causal, "_measured", kept)
    with n2gdb.open(database) as opened:
        figures = check_importance(opened, opened.model(), demo_model(), corpus.mapped(), 32)
        graphs = {(neuron.name.layer, neuron.name.index): neuron.graph for neuron in opened}
    whole = figures[-1]
    assert whole.layer is None
    assert whole.tokens == len(asked) == sum(each.tokens for each in figures[:-1]) > 5
    assert whole.patterns == len({claim.pattern for claim, *_ in asked})
    usual = causal._Usual(corpus.mapped())
    held: dict[tuple[int, int], bool] = {}
    for claim, layer, lost in asked:
        text = list(claim.text)
        graph = graphs[layer, claim.unit]
        assert graph.matched(text)[-1] == claim.pattern[1]
        place = len(text) - 1 - claim.depth
        other = [*text]
        other[place] = usual.token(text[-1], claim.depth, text[place])
        assert other[place] != text[place]
        before, after = (
            float(demo_model().all_activations(torch.tensor([ids]), [layer])[0][0, -1, claim.unit])
            for ids in (text, other)
        )
        assert lost == pytest.approx(1 - after / before, abs=1e-3)
        held[claim.pattern] = held.get(claim.pattern, True) and lost >= HOLDS * claim.importance
    assert whole.holding == pytest.approx(np.mean(list(held.values())))
    assert whole.claimed == pytest.approx(np.mean([claim.importance for claim, *_ in asked]))
