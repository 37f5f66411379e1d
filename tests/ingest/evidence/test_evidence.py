"""UnitEvidence finds what excites and inhibits units whose rule is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch

from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.evidence.weights import UnitEvidence
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.evidence.fit import EvidenceConfig, learn_evidence
from n2gdb.ingest.evidence.rows import RowSource, TopWindows, UnitRows
from n2gdb.ingest.evidence.support import count_patterns
from n2gdb.ingest.evidence.threshold import Trial, match_rows
from n2gdb.ingest.scan.record import ActivationRecord, Recorder

WIDTH, WINDOWS, VOCABULARY = 64, 1500, 16
BOS = 0


def windows(seed: int = 0) -> npt.NDArray[np.int32]:
    found = np.random.default_rng(seed).integers(1, VOCABULARY, (WINDOWS, WIDTH)).astype(np.int32)
    found[:, 0] = BOS
    return found


TEXT = CorpusText.of(windows(), [BOS])


def activations() -> npt.NDArray[np.float32]:
    """Unit 0: 5 right after 7, unless 9 stands two back. Unit 1: 11, 12 or 13. Unit 2: silent."""
    token, position = TEXT.tokens, np.arange(len(TEXT.tokens))
    before, two = TEXT.before(position, 1), TEXT.before(position, 2)
    found = np.zeros((len(token), 3), np.float32)
    found[:, 0] = np.select([token != 5, (before == 7) & (two != 9), before == 7], [0, 0.9, 0.3], 0.05)
    found[:, 1] = np.isin(token, [11, 12, 13]) * np.float32(2)
    found[:, 2] = -1
    found[~TEXT.counted] = -np.inf
    return found


def recorded() -> ActivationRecord:
    recorder = Recorder(3)
    recorder.add(torch.from_numpy(activations()), 0)
    return recorder.record()


RECORD = recorded()
NONE = np.zeros(0, np.int64)
NO_WINDOWS, EMPTY = TopWindows(NONE, NONE, NONE), NeuronGraph.empty()


def rows_of(unit: int, hidden: npt.NDArray[np.int64] = NONE) -> UnitRows:
    found = RowSource(TEXT, RECORD, 0.5, 64, 0.3, 1500).rows(unit, TopWindows(NONE, hidden, NONE))
    assert found is not None
    return found


def learned(unit: int) -> UnitEvidence:
    (found,) = learn_evidence(TEXT, [rows_of(unit)], [NO_WINDOWS], [EMPTY], 0.5, EvidenceConfig())
    assert found is not None
    return found


def weights(evidence: UnitEvidence) -> dict[tuple[int, int], float]:
    keys = zip(evidence.depth.tolist(), evidence.token.tolist(), strict=True)
    return dict(zip(keys, evidence.weight.tolist(), strict=True))


@pytest.mark.parametrize("unit", [0, 1])
def test_it_fires_where_the_unit_does_on_text_it_has_not_seen(unit: int) -> None:
    text = CorpusText.of(windows(seed=1), [BOS])
    position = np.arange(len(text.tokens))
    before, two = text.before(position, 1), text.before(position, 2)
    true = [(text.tokens == 5) & (before == 7) & (two != 9), np.isin(text.tokens, [11, 12, 13])][unit]
    predicted = learned(unit).fires(np.where(text.counted, text.tokens, -1))
    assert 2 * np.count_nonzero(predicted & true) / (predicted.sum() + true.sum()) > 0.97


def test_what_excites_and_what_inhibits_have_their_signs_and_places() -> None:
    found = weights(learned(0))
    assert max(found, key=lambda key: found[key] if key[0] else 0) == (1, 7)
    assert min(found, key=lambda key: found[key] if key[0] == 2 else 99) == (2, 9)
    assert found[2, 9] < -1
    assert {token for depth, token in found if depth == 0} == {5}


def test_rows_stand_for_every_occurrence_of_the_activating_tokens() -> None:
    for unit, tokens in ((0, [5]), (1, [11, 12, 13])):
        rows = rows_of(unit)
        there = np.count_nonzero(np.isin(TEXT.tokens, tokens))
        assert rows.importance.sum() == pytest.approx(there, rel=0.01)
        assert np.isin(TEXT.tokens[rows.position], tokens).all()
        assert len(np.unique(rows.position)) == len(rows.position)
        raw = activations()[rows.position, unit] / RECORD.maximum[unit]
        known = rows.activation > 0
        np.testing.assert_allclose(rows.activation[known], raw[known], rtol=1e-6)
        assert (raw[~known] < 1 / 8).all()


def test_no_row_lies_in_a_hidden_window_or_reads_like_one() -> None:
    copied = windows()
    copied[3] = copied[700]  # a window that reads like a hidden one
    text = CorpusText.of(copied, [BOS])
    recorder = Recorder(1)
    fires = (text.counted & (text.tokens == 5)).astype(np.float32)
    recorder.add(torch.from_numpy(fires)[:, None], 0)
    found = RowSource(text, recorder.record(), 0.5, 64, 0.3, 10_000).rows(
        0, TopWindows(NONE, np.array([700]), NONE)
    )
    assert found is not None
    assert not np.isin(found.position // WIDTH, [700]).any()
    alike = (found.position // WIDTH == 3) & (found.position % WIDTH >= 12)
    assert not alike.any()


def test_a_unit_is_learned_alike_alone_and_beside_others() -> None:
    both = [rows_of(0), rows_of(1)]
    together = learn_evidence(TEXT, both, [NO_WINDOWS] * 2, [EMPTY] * 2, 0.5, EvidenceConfig())
    for unit, found in enumerate(together):
        assert found is not None
        alone = learned(unit)
        np.testing.assert_array_equal(found.token, alone.token)
        np.testing.assert_allclose(found.weight, alone.weight, rtol=1e-4)
        assert found.threshold == pytest.approx(alone.threshold, rel=1e-3)


def test_support_and_confidence_are_counts_over_the_corpus() -> None:
    steps = [(0, 5)], [(0, 5), (1, 7)], [(0, 5), (2, 9)], [(0, 11)]
    graph = NeuronGraph.from_patterns(
        [Pattern(tuple(Step(depth, token, 1.0) for depth, token in path), 1.0) for path in steps]
    )
    (found,) = count_patterns(TEXT, RECORD, [0], [graph], 0.5)
    true = activations()[:, 0] >= 0.45
    position = np.arange(len(TEXT.tokens))
    for node in range(len(graph)):
        path = graph.pattern(node).steps
        there = np.logical_and.reduce([TEXT.before(position, step.depth) == step.token for step in path])
        there &= TEXT.counted
        assert found.support[node] == np.count_nonzero(there)
        assert found.confidence[node] == pytest.approx(np.mean(true[there]), rel=1e-6)


def graph_of(*paths: list[tuple[int, int]]) -> NeuronGraph:
    return NeuronGraph.from_patterns(
        [Pattern(tuple(Step(depth, token, 1.0) for depth, token in path), 0.8) for path in paths]
    )


def test_a_graph_fires_at_rows_where_it_fires_on_the_text() -> None:
    graph = graph_of([(0, 5)], [(0, 5), (1, 7)], [(0, 11), (2, 9)])
    position = np.flatnonzero(TEXT.counted)[::3]
    whole = np.array([graph.predict(window) >= 0.5 for window in TEXT.tokens.reshape(-1, WIDTH)]).ravel()
    np.testing.assert_array_equal(match_rows(graph, TEXT, position, 0.5), whole[position])


def test_the_graph_stays_alone_where_it_is_better_on_top_windows_it_has_not_seen() -> None:
    rows = rows_of(0)
    strongest = np.unique(rows.position[rows.activation >= 0.5] // WIDTH)
    windows = TopWindows(strongest[:3], NONE, strongest[3:20])
    fires = rows.activation >= 0.5
    trial = Trial.of(TEXT, rows, windows, fires)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(len(rows)).astype(np.float32)
    told = np.where(fires, np.float32(5), np.float32(-5)) + noise
    worth = (0.7, 9.0, 4)
    assert trial.threshold(noise, fires, worth) is None
    level = trial.threshold(told, ~fires, worth)
    assert level is not None and -1.5 < level < 1.5 + 3


def record_of(fires: npt.NDArray[np.bool_]) -> ActivationRecord:
    recorder = Recorder(1)
    activation = np.where(fires, np.float32(1), np.float32(0.05))
    activation[~TEXT.counted] = -np.inf
    recorder.add(torch.from_numpy(activation)[:, None], 0)
    return recorder.record()


def learned_of(fires: npt.NDArray[np.bool_], graph: NeuronGraph, config: EvidenceConfig) -> UnitEvidence:
    rows = RowSource(TEXT, record_of(fires), 0.5, 64, 0.3, 1500).rows(0, NO_WINDOWS)
    assert rows is not None
    (found,) = learn_evidence(TEXT, [rows], [NO_WINDOWS], [graph], 0.5, config)
    assert found is not None
    return found


def stood(text: CorpusText, token: int, reach: int) -> npt.NDArray[np.bool_]:
    """Whether a token stands in the ``reach`` positions before each."""
    position = np.arange(len(text.tokens))
    before = np.stack([text.before(position, depth) == token for depth in range(1, reach + 1)])
    found: npt.NDArray[np.bool_] = np.asarray(before.any(axis=0))
    return found


@pytest.mark.parametrize("wanted", [True, False])
def test_what_excites_or_inhibits_from_anywhere_near_is_one_weight(wanted: bool) -> None:
    config = EvidenceConfig(reach=12)
    found = learned_of((TEXT.tokens == 5) & (stood(TEXT, 9, 12) == wanted), EMPTY, config)
    weight = weights(found)
    assert abs(weight[-12, 9]) == max(abs(each) for (depth, _), each in weight.items() if depth < 0)
    assert (weight[-12, 9] > 0) == wanted
    text = CorpusText.of(windows(seed=1), [BOS])
    laid = np.pad(text.tokens.reshape(-1, WIDTH), ((0, 0), (found.reach, 0)), constant_values=-1)
    predicted = found.fires(laid.ravel()).reshape(laid.shape)[:, found.reach :].ravel()
    true = (text.tokens == 5) & (stood(text, 9, 12) == wanted)
    assert 2 * np.count_nonzero(predicted & true) / (predicted.sum() + true.sum()) > 0.95
    assert not (np.fromiter((depth for depth, _ in weights(learned(0))), int) < -64).any()


@pytest.mark.parametrize("reach", [1, 9, WIDTH, 2 * WIDTH])
def test_of_each_token_before_a_position_the_nearest_is_found(reach: int) -> None:
    position = np.flatnonzero(TEXT.counted)[::-7]
    row, place = TEXT.nearest(position, reach)
    found = sorted(zip(row.tolist(), place.tolist(), strict=True))
    wanted = []
    for number, at in enumerate(position.tolist()):
        start = max(at // WIDTH * WIDTH, at - reach)
        last = {
            token: start + back for back, token in enumerate(TEXT.tokens[start:at].tolist()) if token >= 0
        }
        wanted += [(number, there) for there in sorted(last.values())]
    assert found == wanted


def test_positions_are_alike_where_their_last_twelve_tokens_are() -> None:
    rows = windows(seed=5).copy()
    rows[1, 3:30], rows[2, 3:30] = rows[0, 3:30], rows[0, 3:30]
    rows[2, 14] += 1
    text = CorpusText.of(rows, [BOS])
    position = np.arange(2 * WIDTH, 5 * WIDTH)
    position = np.concatenate([np.arange(WIDTH, 3 * WIDTH), position])
    readings = {tuple(text.before(np.array([at]), back)[0] for back in range(12)) for at in range(WIDTH)}
    wanted = [
        tuple(text.before(np.array([at]), back)[0] for back in range(12)) in readings for at in position
    ]
    assert 15 < sum(wanted) < 60
    assert text.alike(position, np.array([0])).tolist() == wanted


def test_a_graph_that_knows_what_single_tokens_do_not_has_a_weight() -> None:
    # Two pairs of contexts, and not their mixtures: no sum of weights tells them apart.
    position = np.arange(len(TEXT.tokens))
    one, two = TEXT.before(position, 1), TEXT.before(position, 2)
    pairs = ((7, 9), (9, 7), (3, 4), (4, 3))
    fires = (TEXT.tokens == 5) & np.logical_or.reduce([(one == a) & (two == b) for a, b in pairs])
    graph = graph_of(*([(0, 5), (1, a), (2, b)] for a, b in pairs))
    with_graph = learned_of(fires, graph, EvidenceConfig())
    assert with_graph.graph > 3
    assert learned_of(fires, graph, EvidenceConfig(graph=False)).graph == 0
    matched = match_rows(graph, TEXT, position, 0.5)
    counted = np.where(TEXT.counted, TEXT.tokens, -1)
    np.testing.assert_array_equal(
        with_graph.fires(counted, matched=matched)[TEXT.counted], fires[TEXT.counted]
    )


def test_probabilities_are_the_shares_of_positions_that_fire() -> None:
    # Half of the positions after 7 fire, by nothing that stands in the text.
    chance = np.random.default_rng(3).random(len(TEXT.tokens)) < 0.5
    after = TEXT.before(np.arange(len(TEXT.tokens)), 1) == 7
    found = learned_of((TEXT.tokens == 5) & after & chance, EMPTY, EvidenceConfig(reach=0))
    probability = found.probability(np.where(TEXT.counted, TEXT.tokens, -1))
    assert probability[(TEXT.tokens == 5) & after].mean() == pytest.approx(0.5, abs=0.15)
    assert probability[(TEXT.tokens == 5) & ~after].mean() < 0.02
    assert (probability[TEXT.tokens != 5] == 0).all()


def test_a_calibration_undoes_a_scale_and_a_shift() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(-2, 2, 20_000).astype(np.float32)
    fires = rng.random(len(true)) < 1 / (1 + np.exp(-true))
    none = np.zeros(len(true), np.bool_)
    trial = Trial(fires, np.ones(len(true), np.float32), none, none, none, 0.0)
    scale, shift = trial.calibration(((true + 1) / 2).astype(np.float32))
    assert (scale, shift) == pytest.approx((2, -1), abs=0.1)


def test_top_windows_count_where_no_firing_lies_outside_the_examples() -> None:
    # Many firings at low odds in the training windows, and many false ones at these odds elsewhere.
    odds = np.concatenate([np.full(20, 2.0), np.full(400, -3.0), np.full(2000, -6.0)]).astype(np.float32)
    fires = np.concatenate([np.ones(20, np.bool_), np.arange(400) < 20, np.zeros(2000, np.bool_)])
    order = np.random.default_rng(0).normal(0, 0.1, len(odds)).astype(np.float32)
    none, ones = np.zeros(len(odds), np.bool_), np.ones(len(odds), np.float32)
    train = fires.copy()
    matched = fires & (np.arange(len(fires)) % 5 > 0)
    trial = Trial(fires, ones, train, none, train, 0.0)
    beside = trial.threshold(odds + order, matched, (0.5, 30.0, 4))
    alone = trial.threshold(odds + order, none, (0.0, 0.0, 4))
    assert beside is not None
    assert alone is not None
    assert beside < -2.5 < alone


def test_tokens_anywhere_before_weigh_for_a_firing_alone_where_absence_is_left_out() -> None:
    position = np.arange(len(TEXT.tokens))
    near = np.any([TEXT.before(position, back) == 9 for back in range(1, WIDTH)], axis=0)
    fires = ((TEXT.tokens == 5) & ~near & TEXT.counted).astype(np.float32)
    fires[~TEXT.counted] = -np.inf
    recorder = Recorder(1)
    recorder.add(torch.from_numpy(fires)[:, None], 0)
    rows = RowSource(TEXT, recorder.record(), 0.5, 64, 0.3, 10_000).rows(0, NO_WINDOWS)
    assert rows is not None
    found = []
    for config in (EvidenceConfig(), replace(EvidenceConfig(), absence=False)):
        (evidence,) = learn_evidence(TEXT, [rows], [NO_WINDOWS], [EMPTY], 0.5, config)
        assert evidence is not None
        found.append({key: weight for key, weight in weights(evidence).items() if key[0] < 0})
    assert found[0][-64, 9] < -1
    assert all(weight >= 0 for weight in found[1].values())


def test_near_misses_are_rows_unless_they_are_left_out() -> None:
    for misses in (True, False):
        rows = RowSource(TEXT, RECORD, 0.5, 64, 0.3, 1500, misses).rows(0, NO_WINDOWS)
        assert rows is not None
        between = (rows.activation > 0) & (rows.activation < 0.5)
        assert between.any() == misses
        there = np.count_nonzero(TEXT.tokens == 5)
        assert rows.importance.sum() == pytest.approx(there, rel=0.01)
