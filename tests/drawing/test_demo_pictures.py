"""Pictures of graphs that are learned of the demo model: what is drawn is what was learned."""

from __future__ import annotations

import pytest

from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.n2g.learn import learn
from tests.drawing.test_pictures import assert_true
from tests.support.demo import demo_block, demo_engine


@pytest.mark.parametrize("layer", [0, 4])
def test_a_drawn_path_is_a_pattern_and_a_pattern_a_drawn_path(layer: int) -> None:
    block = demo_block(layer, 16)
    graphs = learn(demo_engine(), block, block.exists, (), N2GConfig(augment=(), refine_rounds=0)).graphs
    assert sum(map(len, graphs)) > 16
    for graph in graphs:
        texts = {token: str(token) for token in graph.token.tolist()}
        for most in (None, 4):
            assert_true(graph, texts, most)
