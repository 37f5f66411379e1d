"""Prune, saliency and augmentation against the definitions, one prompt at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from n2gdb.errors import ModelError
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.n2g.augment import EmbeddingHelper, FormHelper, Helper, ModelHelper, augment, load_helpers
from n2gdb.ingest.n2g.build import build_graphs
from n2gdb.ingest.n2g.firings import read_firings
from n2gdb.ingest.n2g.learn import learn
from n2gdb.ingest.n2g.measure import measure
from n2gdb.ingest.n2g.prune import Examples, Prompts, prune
from n2gdb.ingest.n2g.saliency import measure_saliency
from tests.support.demo import demo_block, demo_engine, demo_model, true_activations

#: Every suffix and every token by itself, as the paper has it.
CONFIG = N2GConfig(prune_limit=12, prune_growth=1, mask_alone=0)
QUICK = N2GConfig(prune_limit=30)
EXACT = replace(QUICK, prune_growth=1, mask_alone=0)
LAYER = 4


@pytest.fixture(scope="module")
def examples() -> Examples:
    block = demo_block(LAYER)
    row = np.repeat(np.arange(len(block.neuron)), 2)
    place = np.tile([0, 1], len(block.neuron))
    pivot = block.pivot[row, place]
    return Examples(
        block.neuron[row],
        block.tokens[row, place],
        pivot,
        block.trace[row, place, pivot],
        block.max_activation[row],
    )


@pytest.fixture(scope="module")
def prompts(examples: Examples) -> Prompts:
    return measure_saliency(demo_engine(), LAYER, prune(demo_engine(), LAYER, examples, CONFIG), CONFIG)[0]


def prompt_of(prompts: Prompts, row: int) -> list[int]:
    return [token for token in prompts.tokens[row].tolist() if token >= 0]


def test_prune_takes_the_shortest_suffix_that_still_fires(examples: Examples, prompts: Prompts) -> None:
    assert len(prompts.source) == len(examples.pivot)
    for row, source in enumerate(prompts.source):
        pivot, neuron = examples.pivot[source], int(examples.neuron[source])
        text = examples.tokens[source, : pivot + 1].tolist()
        expected: list[int] = []
        for length in range(1, CONFIG.prune_limit + 1):
            suffix = text[-length:]
            if 0 in suffix or 1 in suffix:
                break
            expected = [0, *suffix]
            at_pivot = true_activations(LAYER, neuron, np.array(expected))[-1]
            if at_pivot >= CONFIG.prune_ratio * examples.activation[source]:
                break
        assert prompt_of(prompts, row) == expected


def test_the_pivot_keeps_its_normalised_activation(examples: Examples, prompts: Prompts) -> None:
    rows = np.arange(len(prompts.pivot))
    expected = examples.activation[prompts.source] / examples.scale[prompts.source]
    np.testing.assert_allclose(prompts.normalised[rows, prompts.pivot], expected, rtol=1e-5)


def test_saliency_is_what_masking_takes_away(prompts: Prompts) -> None:
    _, importance = measure_saliency(demo_engine(), LAYER, prompts, CONFIG)
    checked = 0
    for row in range(len(prompts.pivot)):
        text, neuron = prompt_of(prompts, row), int(prompts.neuron[row])
        plain = true_activations(LAYER, neuron, np.array(text))
        for masked in range(1, len(text) - 1):
            varied = np.array(text)
            varied[masked] = demo_model().mask
            after = true_activations(LAYER, neuron, varied)
            expected = 1 - after[-1] / plain[-1]
            assert importance[row, masked, len(text) - 1] == pytest.approx(expected, abs=1e-3)
            checked += 1
    assert checked > 20
    assert not importance[:, 0].any(), "the BOS was masked"


def test_activations_before_the_pivot_are_measured_too(prompts: Prompts) -> None:
    for row in range(len(prompts.pivot)):
        true = true_activations(LAYER, int(prompts.neuron[row]), np.array(prompt_of(prompts, row)))
        np.testing.assert_allclose(prompts.activations[row, 1 : len(true)], true[1:], rtol=1e-3, atol=1e-6)


def test_leaping_over_lengths_finds_a_suffix_that_keeps_enough(examples: Examples) -> None:
    quick, exact = (prune(demo_engine(), LAYER, examples, config) for config in (QUICK, EXACT))
    at = np.arange(len(quick.pivot))
    enough = QUICK.prune_ratio * examples.activation[quick.source]
    keeps = quick.activations[at, quick.pivot] >= enough
    shortest = dict(zip(exact.source.tolist(), exact.pivot.tolist(), strict=True))
    length = np.array([shortest[source] for source in quick.source.tolist()])
    assert (quick.pivot >= length).all(), "shorter than the shortest"
    assert np.mean(quick.pivot == length) >= 0.9
    for row in np.flatnonzero(~keeps).tolist():
        assert prompt_of(quick, row)[1:] == _longest(examples, int(quick.source[row]))


def test_a_pivot_that_becomes_a_sink_in_a_shorter_text_is_dropped(examples: Examples) -> None:
    """Thousands of times what it was in its window, it is no neuron's doing."""
    faint = replace(examples, activation=examples.activation * 1e-4)
    left = prune(demo_engine(), LAYER, faint, QUICK)
    assert len(left.pivot) < len(faint.pivot) / 5
    assert (left.activations.max(axis=1) <= 100 * faint.activation[left.source]).all()


def _longest(examples: Examples, source: int) -> list[int]:
    text: list[int] = examples.tokens[source, : examples.pivot[source] + 1].tolist()[-QUICK.prune_limit :]
    return text[max((place + 1 for place, token in enumerate(text) if token in (0, 1)), default=0) :]


def test_examples_below_the_threshold_are_not_run_and_would_give_no_pattern() -> None:
    block = demo_block(LAYER)
    block = replace(block, max_activation=1.5 * block.max_activation)  # as if a stronger one was left out
    row, place = np.nonzero(block.exists)
    pivot = block.pivot[row, place]
    activation, scale = block.trace[row, place, pivot], block.max_activation[row]
    assert 0.2 < np.mean(activation <= 0.5 * scale) < 0.8
    config, engine = replace(QUICK, augment=(), refine_rounds=0), Engine(demo_model())
    learned = learn(engine, block, block.exists, (), config)
    run = engine.tokens_asked
    every = Examples(block.neuron[row], block.tokens[row, place], pivot, activation, scale)
    measured = measure(engine, LAYER, every, (), config)
    firings = read_firings(measured, place, demo_model().special, config)
    of_all = build_graphs(firings, block.neuron.tolist(), config.importance_threshold)
    for graph, with_all in zip(learned.graphs, of_all, strict=True):
        assert graph.token.tolist() == with_all.token.tolist()
        assert graph.parent.tolist() == with_all.parent.tolist()
        np.testing.assert_allclose(graph.end, with_all.end, rtol=1e-4)
    assert run < 0.8 * (engine.tokens_asked - run)
    assert sum(map(len, learned.graphs)) > 20


@pytest.mark.parametrize("refine_rounds", [0, 4])
def test_masking_span_by_span_finds_what_matters(examples: Examples, refine_rounds: int) -> None:
    quick, exact = (replace(config, refine_rounds=refine_rounds) for config in (QUICK, EXACT))
    pruned = prune(demo_engine(), LAYER, examples, EXACT)
    found = measure_saliency(demo_engine(), LAYER, pruned, quick)[1]
    true = measure_saliency(demo_engine(), LAYER, pruned, exact)[1]
    measured = found != 0
    np.testing.assert_allclose(found[measured], true[measured], rtol=1e-3, atol=1e-3)
    least = min(quick.thresholds)
    assert np.count_nonzero(true > least) > 30
    assert np.count_nonzero(found > least) >= 0.97 * np.count_nonzero(true > least)
    assert np.count_nonzero(measured) < 0.9 * np.count_nonzero(true)


@pytest.fixture(scope="module", params=["model", "embedding", "masked"])
def helper(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Helper:
    name = request.param
    if name == "masked":
        name = f"masked:{write_masked_model(tmp_path_factory.mktemp('bert'))}"
    return load_helpers([name], demo_engine())[0]


def write_masked_model(folder: Path) -> Path:
    """Write a tiny random masked language model over words that the demo model has as single tokens."""
    texts = demo_model().token_texts()
    words = sorted({text.strip() for text in texts if text.strip().isalpha() and text.strip().islower()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    torch.manual_seed(0)
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    return folder


def test_helpers_propose_real_other_tokens(helper: Helper, prompts: Prompts) -> None:
    proposed = helper.propose(prompts.tokens, prompts.pivot, 5)
    assert proposed.shape == (len(prompts.pivot), 5)
    real = proposed[proposed >= 0]
    assert len(real) > 0.5 * proposed.size
    assert ((real > 1) & (real < demo_model().d_vocab)).all(), "special or outside"
    for row in proposed.tolist():
        named = [token for token in row if token >= 0]
        assert len(set(named)) == len(named)


def test_embedding_neighbours_are_alike() -> None:
    texts = demo_model().token_texts()
    the = texts.index(" the")
    helper = EmbeddingHelper(demo_engine())
    nearest = helper.propose(np.array([[0, the]], np.int32), np.array([1]), 5)[0]
    assert {texts[token] for token in nearest} & {" a", " his", " their", " this", "the", " her", " its"}


def test_the_models_own_predictions_read_only_what_stands_before() -> None:
    helper = ModelHelper(demo_engine())
    before = [0, 300, 400]
    rows = np.array([[*before, 500], [*before, 600]], np.int32)
    first, second = helper.propose(rows, np.array([3, 3]), 5)
    assert first.tolist() == second.tolist()


def test_tokens_of_one_form_are_other_cases_spacings_and_digits() -> None:
    texts = demo_model().token_texts()
    helper = FormHelper(demo_engine())
    rows = np.array([[0, texts.index(text)] for text in ("the", " The", "3", "(")], np.int32)
    found = helper.propose(rows, np.ones(4, np.intp), 12)
    said = [{texts[token] for token in row if token >= 0} for row in found]
    assert {" the", "The"} <= said[0] <= {" the", "The", " The", "THE", " THE"}
    assert {" the", "The", "the"} <= said[1] and " The" not in said[1]
    assert said[2] and all(text.strip().isdecimal() and len(text.strip()) == 1 for text in said[2])
    assert "3" not in said[2] and said[3] == set()


def test_variants_that_no_longer_fire_are_dropped(helper: Helper, prompts: Prompts) -> None:
    _, importance = measure_saliency(demo_engine(), LAYER, prompts, CONFIG)
    threshold = CONFIG.importance_threshold
    together, inherits, slot = augment(demo_engine(), LAYER, prompts, importance, [helper], CONFIG, threshold)
    n = len(prompts.pivot)
    assert (together.tokens[:n] == prompts.tokens).all()
    assert (inherits[:n] == np.arange(n)).all()
    assert np.isinf(slot[:n]).all()
    for row in range(n, len(together.pivot)):
        base = inherits[row]
        text = prompt_of(together, row)
        changed = [i for i, token in enumerate(text) if token != prompts.tokens[base, i]]
        assert len(changed) == 1
        importance_there = importance[base, changed[0], prompts.pivot[base]]
        if changed[0] == prompts.pivot[base]:
            assert np.isinf(slot[row])
        else:
            assert slot[row] == importance_there > threshold
        now = true_activations(LAYER, int(together.neuron[row]), np.array(text))[-1]
        then = prompts.activations[base, prompts.pivot[base]]
        assert now >= CONFIG.augment_ratio * then * 0.999


def test_an_unknown_helper_is_said() -> None:
    with pytest.raises(ModelError, match="no augmentation helper 'wordnet'"):
        load_helpers(["wordnet"], demo_engine())


def test_a_masked_model_that_cannot_be_had_is_said() -> None:
    with pytest.raises(ModelError, match="no/such-masked-model"):
        load_helpers(["masked:no/such-masked-model"], demo_engine())
