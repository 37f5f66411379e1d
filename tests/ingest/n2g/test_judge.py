from __future__ import annotations

import numpy as np
import pytest

from n2gdb import NeuronGraph, Pattern, Step
from n2gdb.ingest.n2g.judge import Verdict, judge, predict_windows

FIRES_ON_7 = NeuronGraph.from_patterns([Pattern((Step(0, 7, 1.0),), 0.9)])


def windows(*rows: list[int]) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    return np.array(rows, np.int32)


def judged(text: list[int], true: list[float]) -> Verdict:
    predicted = predict_windows(FIRES_ON_7, windows(text))
    return judge(predicted, np.array([true], np.float32), 0.5)


def test_precision_recall_and_f1_by_hand() -> None:
    verdict = judged([0, 7, 7, 7, 5, 5], [-np.inf, 0.9, 0.6, 0.1, 0.8, 0.0])
    assert (verdict.true_firings, verdict.predicted_firings) == (3, 3)
    assert verdict.precision == pytest.approx(2 / 3)
    assert verdict.recall == pytest.approx(2 / 3)
    assert verdict.f1 == pytest.approx(2 / 3)


def test_special_positions_do_not_count() -> None:
    verdict = judged([7, 7], [-np.inf, 0.9])
    assert (verdict.true_firings, verdict.predicted_firings) == (1, 1)


def test_without_a_true_firing_nothing_is_claimed() -> None:
    verdict = judged([7], [0.0])
    assert np.isnan([verdict.precision, verdict.recall, verdict.f1]).all()
    assert verdict.predicted_firings == 1


def test_nothing_predicted_is_zero() -> None:
    verdict = judged([5], [1.0])
    assert (verdict.precision, verdict.recall, verdict.f1) == (0, 0, 0)


def test_no_pattern_reaches_into_the_window_before() -> None:
    far = NeuronGraph.from_patterns([Pattern((Step(0, 7, 1.0), Step(3, 5, 0.9)), 0.9)])
    assert not predict_windows(far, windows([1, 1, 5], [1, 1, 7], [7, 1, 1])).any()
    assert predict_windows(far, windows([5, 1, 1, 7]))[0].tolist() == pytest.approx([0, 0, 0, 0.9])


def test_no_window_is_no_prediction() -> None:
    assert predict_windows(FIRES_ON_7, np.zeros((0, 5), np.int32)).shape == (0, 5)
    assert predict_windows(NeuronGraph.empty(), np.zeros((0, 5), np.int32)).shape == (0, 5)
