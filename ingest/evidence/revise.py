"""Revise: drops or deepens the patterns of a graph that are seldom right according to the record.

For each activating token there are options: its patterns as they stand, none, and one for each level of
confidence, in which the patterns that reach it stay and the others make way for deeper ones. These are the
same patterns with one or two tokens of context more, found by counting where the unit fires on the corpus.
That option is taken which is best for F1 on the corpus and F1 on top windows together, by going round the
tokens until nothing gains. Nothing is learned from the test windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from n2gdb.core.arrays import Int64Array
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.evidence.deeper import Deeper
from n2gdb.ingest.evidence.revision_rows import Located, Path, RevisionConfig, RevisionRows
from n2gdb.ingest.evidence.rows import RowSource, TopWindows, UnitRows
from n2gdb.ingest.scan.record import ActivationRecord

__all__ = ["RevisionConfig", "revise", "revise_graphs", "revised_graph"]


@dataclass(frozen=True, slots=True)
class _Worth:
    """What patterns hit and say, on the corpus and on top windows."""

    hits: float = 0.0
    said: float = 0.0
    top_hits: float = 0.0
    top_said: float = 0.0
    nodes: int = 0

    def __add__(self, other: _Worth) -> _Worth:
        return _Worth(
            self.hits + other.hits,
            self.said + other.said,
            self.top_hits + other.top_hits,
            self.top_said + other.top_said,
            self.nodes + other.nodes,
        )

    def __sub__(self, other: _Worth) -> _Worth:
        return _Worth(
            self.hits - other.hits,
            self.said - other.said,
            self.top_hits - other.top_hits,
            self.top_said - other.top_said,
            self.nodes - other.nodes,
        )


@dataclass(frozen=True, slots=True)
class _Option:
    patterns: tuple[Located, ...]
    worth: _Worth


def revise_graphs(
    text: CorpusText,
    record: ActivationRecord,
    train: Sequence[Int64Array],
    test: Sequence[Int64Array],
    graphs: Sequence[NeuronGraph],
    threshold: float,
    config: RevisionConfig,
) -> list[NeuronGraph]:
    """Revise the graph of every unit of a record; a unit fires from ``threshold`` of its maximum on.

    ``train`` and ``test`` are the numbers of each unit's top windows that its graph was read off, and of
    those that it is judged by. A unit without training windows keeps its graph.
    """
    source = RowSource(text, record, threshold, config.tokens, threshold, config.drawn)
    return [
        revised_graph(source, unit, train[unit], test[unit], graph, config)
        for unit, graph in enumerate(graphs)
    ]


def revised_graph(
    source: RowSource,
    unit: int,
    train: Int64Array,
    test: Int64Array,
    graph: NeuronGraph,
    config: RevisionConfig,
) -> NeuronGraph:
    """Revise the graph of one unit of ``source``; see ``revise_graphs``."""
    if not len(train):
        return graph
    others = source.other_windows(unit, np.concatenate([train, test]), config.windows)
    windows = TopWindows(train, test, others)
    rows = source.rows_on(unit, windows, np.unique(graph.token[graph.depth == 0]))
    return graph if rows is None else revise(graph, source.text, rows, windows, source.threshold, config)


def revise(
    graph: NeuronGraph,
    text: CorpusText,
    rows: UnitRows,
    windows: TopWindows,
    threshold: float,
    config: RevisionConfig,
) -> NeuronGraph:
    """Return the graph with the best option for each activating token.

    ``rows`` are of all tokens of the graph. It stays as it is where the unit fires too rarely elsewhere than
    in the windows that it was read off. The importance of context that was found by counting is the share of
    the mean activation that is not there where the rest of the pattern stands without it.
    """
    own = RevisionRows(text, rows, windows, threshold, config)
    if own.firings < config.firings:
        return graph
    standing: dict[int, list[Located]] = {}
    for pattern in graph.patterns():
        standing.setdefault(pattern.steps[0].token, []).append(own.standing(pattern))
    if config.add:
        for token in np.unique(own.token[own.fires]).tolist():
            standing.setdefault(token, [])
    options = {token: list(_options(own, token, patterns)) for token, patterns in standing.items()}
    chosen = _choose(own, options, max(4.0, config.nodes * len(graph)))
    return NeuronGraph.from_patterns(
        Pattern(found.steps, found.activation) for option in chosen for found in option.patterns
    )


def _options(own: RevisionRows, token: int, patterns: Sequence[Located]) -> Iterator[_Option]:
    """What may become of one activating token: first its patterns as they stand, then each other once."""
    bare = own.counted((Step(0, token, 1.0),), own.of(token))
    candidates = patterns or [bare]
    confidence = [own.confidence(each) for each in candidates]
    deeper = [Deeper(own, each, more=1) for each in candidates]
    levels: list[Sequence[Located]] = [patterns, ()]
    for level in own.config.levels:
        kept: dict[Path, Located] = {}
        for each, how_sure, below in zip(candidates, confidence, deeper, strict=True):
            stays = [each] if how_sure >= level else below.at_least(level) if own.config.deepen else []
            kept |= {found.path: found for found in stays if found.path not in kept}
        levels.append(list(kept.values()))
    distinct: dict[frozenset[Path], Sequence[Located]] = {}
    for of_level in levels:
        distinct.setdefault(frozenset(each.path for each in of_level), of_level)
    yield from (_option(own, of_level) for of_level in distinct.values())


def _option(own: RevisionRows, patterns: Sequence[Located]) -> _Option:
    """Weigh patterns of one activating token: a row that several match counts once."""
    if not patterns:
        return _Option((), _Worth())
    of_token = own.of(patterns[0].steps[0].token)
    first = int(of_token[0]) if len(of_token) else 0
    said, credits = np.zeros(len(of_token), np.bool_), np.zeros(len(of_token))
    for each in patterns:
        place = each.rows - first
        said[place] = True
        credits[place] = np.maximum(credits[place], each.credit)
    rows = of_token[said]
    credit = credits[said] * own.fires[rows]
    importance, top = own.importance[rows], own.top[rows]
    nodes = {each.path[:size] for each in patterns for size in range(1, len(each.path) + 1)}
    worth = _Worth(
        float(credit @ importance),
        float(importance.sum()),
        float(credit @ top),
        float(top.sum()),
        len(nodes),
    )
    return _Option(tuple(patterns), worth)


def _score(own: RevisionRows, worth: _Worth) -> float:
    """F1 on the corpus and on top windows, weighed, less the price of the nodes."""
    config = own.config
    everywhere = 2 * worth.hits / (own.firings + worth.said)
    top = 2 * worth.top_hits / max(own.top_firings + worth.top_said, 1)
    sure = own.firings / (own.firings + config.doubt)
    return sure * everywhere + config.top_worth * top - config.node * worth.nodes


def _choose(own: RevisionRows, options: Mapping[int, Sequence[_Option]], most_nodes: float) -> list[_Option]:
    """Choose an option for every activating token; the first of each is how it stands."""
    config = own.config
    chosen = {token: of[0] for token, of in options.items()}
    total = sum((option.worth for option in chosen.values()), _Worth())
    for _ in range(config.rounds):
        before = dict(chosen)
        for token, of in options.items():
            others = total - chosen[token].worth
            best, highest = of[0], _score(own, others + of[0].worth) + config.change
            for option in of[1:]:
                together = others + option.worth
                if together.nodes <= most_nodes and (score := _score(own, together)) > highest:
                    best, highest = option, score
            chosen[token], total = best, others + best.worth
        if all(chosen[token] is before[token] for token in chosen):
            break
    return list(chosen.values())
