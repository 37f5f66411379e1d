from __future__ import annotations

import numpy as np
import pytest

from n2gdb.ingest.n2g.baselines import NgramTable, TextNgrams

NO = -np.inf
TOKENS = np.array([[0, 5, 7, 6, 7], [0, 8, 7, 7, -1]], np.int32)
ACTIVATION = np.array([[NO, 0.1, 0.9, 0, 0.2], [NO, 0, 0.3, 0.4, NO]], np.float32)


def test_a_token_look_up_knows_the_most_that_it_saw() -> None:
    table = NgramTable.learn(1, TOKENS, ACTIVATION)
    found = table.predict(np.array([[0, 7, 5, 9, 6, -1]], np.int32))
    assert found.tolist() == [pytest.approx([0, 0.9, 0.1, 0, 0, 0])]


def test_the_longest_known_n_gram_has_the_last_word() -> None:
    table = NgramTable.learn(3, TOKENS, ACTIVATION)
    text = np.array([[5, 7, 6, 7], [6, 7, 9, 7], [7, 7, 7, 8]], np.int32)
    assert table.predict(text).tolist() == [
        pytest.approx([0.1, 0.9, 0.0, 0.2]),  # 5; 5 7; 5 7 6; 7 6 7
        pytest.approx([0.0, 0.2, 0.0, 0.9]),  # 6; 6 7; unknown; 7 alone
        pytest.approx([0.9, 0.4, 0.4, 0.0]),  # 7; 7 7; 7 7, as 7 7 7 is unknown; 8
    ]


def test_what_it_saw_it_predicts() -> None:
    rng = np.random.default_rng(2)
    tokens = rng.integers(0, 40, (6, 50)).astype(np.int32)
    activation = rng.random((6, 50)).astype(np.float32)
    predicted = NgramTable.learn(5, tokens, activation).predict(tokens)
    assert (predicted >= activation).all()
    assert (predicted == activation).mean() > 0.95


def test_no_text_no_prediction() -> None:
    nothing = np.zeros((0, 4), np.int32)
    table = NgramTable.learn(5, nothing, nothing.astype(np.float32))
    assert not table.predict(TOKENS).any()


def test_an_indexed_text_fires_where_the_table_predicts_it() -> None:
    rng = np.random.default_rng(3)
    tokens = rng.integers(0, 12, (5, 40)).astype(np.int32)
    activation = rng.random((5, 40)).astype(np.float32)
    text = rng.integers(-1, 12, (7, 60)).astype(np.int32)
    indexed = TextNgrams.of(text, 5)
    for n in (1, 3, 5):
        table = NgramTable.learn(n, tokens, activation)
        assert (indexed.fires(table, 0.5) == (table.predict(text) >= 0.5)).all()
    nothing = NgramTable.learn(5, tokens[:0], activation[:0])
    assert not indexed.fires(nothing, 0.5).any()


def test_what_never_fires_may_be_left_out() -> None:
    rng = np.random.default_rng(4)
    tokens = rng.integers(0, 30, (6, 60)).astype(np.int32)
    activation = (rng.random((6, 60)) ** 4).astype(np.float32)
    text = rng.integers(0, 30, (9, 60)).astype(np.int32)
    whole, firing = (NgramTable.learn(5, tokens, activation, least) for least in (-np.inf, 0.5))
    assert sum(map(len, firing.keys)) < sum(map(len, whole.keys))
    assert ((whole.predict(text) >= 0.5) == (firing.predict(text) >= 0.5)).all()
