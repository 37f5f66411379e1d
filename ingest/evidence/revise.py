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
from functools import cached_property

import numpy as np

from n2gdb.core.arrays import FloatArray, IndexArray, Int64Array, IntArray, distinct
from n2gdb.core.graph import NeuronGraph, Pattern, Step
from n2gdb.ingest.evidence.corpus_text import CorpusText
from n2gdb.ingest.evidence.rows import RowSource, TopWindows, UnitRows
from n2gdb.ingest.scan.record import ActivationRecord

__all__ = ["RevisionConfig", "revise", "revise_graphs", "revised_graph"]

#: The context of a pattern: (depth, token) of every token that it names, the activating one first.
_Path = tuple[tuple[int, int], ...]

#: A token and its depth are one number: the token is below this power of two.
_TOKEN_BITS = 32

#: Consecutive windows that count as one place: of one document, mostly, which repeats itself.
_STRETCH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionConfig:
    """Parameters of the revision."""

    firings: float = 8
    """Firings on the corpus that a unit needs, outside of the windows that its graph was read off."""
    windows: int = 20
    """Top windows beside a unit's examples that patterns are weighed on."""
    tokens: int = 32
    """Tokens that a unit fires on, at most, beside those of its graph."""
    drawn: int = 8000
    """Occurrences below the record that are drawn for a unit, about."""
    levels: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7)
    """Confidence from which a pattern stays, by option."""
    deepen: bool = True
    """Whether deeper patterns replace those that go."""
    add: bool = True
    """Whether tokens get patterns that have none in the graph."""
    depth: int = 6
    """Positions back that context is looked for."""
    children: int = 6
    """Deeper patterns that replace one, at most."""
    tried: int = 3
    """Tokens of context that are too seldom right by themselves, and get a second one."""
    top_worth: float = 1.0
    """How much F1 on top windows counts beside that on the corpus."""
    train_worth: float = 1.0
    """How much the windows that the graph was read off count among top windows: its patterns match there."""
    doubt: float = 3.0
    """Firings on the corpus that half of the weight of F1 there is given for."""
    node: float = 0.0005
    """F1 that a node must bring."""
    change: float = 0.01
    """F1 that a change of a token's patterns must bring."""
    nodes: float = 2.0
    """Nodes at most, as a multiple of those before."""
    rounds: int = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Located:
    """A pattern, and the rows that it matches."""

    steps: tuple[Step, ...]
    activation: float
    rows: IndexArray
    credit: float
    """Share of its hits that it would have, had it been found without the place of each of them."""

    @property
    def path(self) -> _Path:
        return tuple((step.depth, step.token) for step in self.steps)


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
    patterns: tuple[_Located, ...]
    worth: _Worth


class _Rows:
    """The rows of one unit, by activating token."""

    def __init__(
        self, text: CorpusText, rows: UnitRows, windows: TopWindows, threshold: float, config: RevisionConfig
    ) -> None:
        order = np.argsort(text.tokens[rows.position], kind="stable")
        self._text, self._position = text, rows.position[order]
        self.config, self.threshold = config, threshold
        self.token = text.tokens[self._position]
        self.activation = rows.activation[order]
        self.fires = self.activation >= threshold
        window = self._position // text.width
        train, other = np.isin(window, windows.train), np.isin(window, windows.others)
        # Patterns match the windows that they were read off: these say nothing of how they do elsewhere.
        self.importance = np.where(train, np.float32(0), rows.importance[order])
        self.top: FloatArray = other + np.float32(config.train_worth) * train
        self.place = window // _STRETCH
        self.firings = float(self.importance[self.fires].sum()) + rows.elsewhere
        self.top_firings = float(self.top[self.fires].sum())
        self._before: dict[int, IntArray] = {}

    def of(self, token: int) -> IndexArray:
        start, stop = np.searchsorted(self.token, (token, token + 1))
        return np.arange(start, stop)

    def before(self, depth: int) -> IntArray:
        """The token so far before each row."""
        if depth not in self._before:
            self._before[depth] = self._text.before(self._position, depth)
        return self._before[depth]

    def fired(self, rows: IndexArray) -> IndexArray:
        return rows[self.fires[rows]]

    def places(self, rows: IndexArray) -> int:
        """In how many places of the corpus some rows lie."""
        return len(distinct(self.place[rows]))

    def are_apart(self, rows: IndexArray) -> bool:
        """Whether some rows lie in two places or more."""
        place = self.place[rows]
        return bool((place[1:] != place[:1]).any())

    def standing(self, pattern: Pattern) -> _Located:
        """A pattern that the graph has already."""
        rows = self.of(pattern.steps[0].token)
        for step in pattern.steps[1:]:
            rows = rows[self.before(step.depth)[rows] == step.token]
        return _Located(pattern.steps, pattern.activation, rows, 1.0)

    def counted(self, steps: tuple[Step, ...], rows: IndexArray) -> _Located:
        """A pattern that was found by counting; its end mark carries what it meets in top windows."""
        fired = self.fired(rows)
        places = self.places(fired)
        shown = rows[self.top[rows] > 0]
        met = self.activation[shown if len(shown) else fired]
        mean = float(met.mean()) if len(met) else self.threshold
        activation = min(max(mean, self.threshold), 1.0)
        return _Located(steps, activation, rows, (places - 1) / places if places else 0.0)

    def hits(self, found: _Located) -> float:
        return float(self.importance[self.fired(found.rows)].sum()) * found.credit

    def confidence(self, found: _Located) -> float:
        said = float(self.importance[found.rows].sum())
        return self.hits(found) / said if said else 0.0

    def mean(self, rows: IndexArray) -> float:
        """Mean activation where rows stand for as many positions as they do; 0 of none."""
        weight = self.importance[rows]
        return float(self.activation[rows] @ weight / weight.sum()) if weight.any() else 0.0

    def option(self, patterns: Sequence[_Located]) -> _Option:
        """Weigh patterns of one activating token: a row that several match counts once."""
        if not patterns:
            return _Option((), _Worth())
        of_token = self.of(patterns[0].steps[0].token)
        first = int(of_token[0]) if len(of_token) else 0
        said, credits = np.zeros(len(of_token), np.bool_), np.zeros(len(of_token))
        for each in patterns:
            place = each.rows - first
            said[place] = True
            credits[place] = np.maximum(credits[place], each.credit)
        rows = of_token[said]
        credit = credits[said] * self.fires[rows]
        importance, top = self.importance[rows], self.top[rows]
        nodes = {each.path[:size] for each in patterns for size in range(1, len(each.path) + 1)}
        worth = _Worth(
            float(credit @ importance),
            float(importance.sum()),
            float(credit @ top),
            float(top.sum()),
            len(nodes),
        )
        return _Option(tuple(patterns), worth)

    def score(self, worth: _Worth) -> float:
        """F1 on the corpus and on top windows, weighed, less the price of the nodes."""
        config = self.config
        own = 2 * worth.hits / (self.firings + worth.said)
        top = 2 * worth.top_hits / max(self.top_firings + worth.top_said, 1)
        sure = self.firings / (self.firings + config.doubt)
        return sure * own + config.top_worth * top - config.node * worth.nodes


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
    own = _Rows(text, rows, windows, threshold, config)
    if own.firings < config.firings:
        return graph
    standing: dict[int, list[_Located]] = {}
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


def _options(own: _Rows, token: int, patterns: Sequence[_Located]) -> Iterator[_Option]:
    """What may become of one activating token: first its patterns as they stand, then each other once."""
    bare = own.counted((Step(0, token, 1.0),), own.of(token))
    candidates = patterns or [bare]
    confidence = [own.confidence(each) for each in candidates]
    deeper = [_Deeper(own, each, more=1) for each in candidates]
    levels: list[Sequence[_Located]] = [patterns, ()]
    for level in own.config.levels:
        kept: dict[_Path, _Located] = {}
        for each, how_sure, below in zip(candidates, confidence, deeper, strict=True):
            stays = [each] if how_sure >= level else below.at_least(level) if own.config.deepen else []
            kept |= {found.path: found for found in stays if found.path not in kept}
        levels.append(list(kept.values()))
    distinct: dict[frozenset[_Path], Sequence[_Located]] = {}
    for of_level in levels:
        distinct.setdefault(frozenset(each.path for each in of_level), of_level)
    yield from map(own.option, distinct.values())


class _Deeper:
    """Patterns with one token of context more than another, or with ``more`` besides."""

    def __init__(self, own: _Rows, found: _Located, more: int) -> None:
        self._own, self._found, self._more = own, found, more

    def at_least(self, level: float) -> list[_Located]:
        """Those that are right often enough and hit most, each in two places at least that are new."""
        own = self._own
        chosen: list[_Located] = []
        hit = np.zeros(len(own.fires), np.bool_)
        left = own.config.tried if self._more else 0
        for child in self._children:
            if len(chosen) >= own.config.children:
                break
            if not own.are_apart(child.fired[~hit[child.fired]]):
                continue
            if child.confidence >= level:
                taken = [child.located]
            elif left:
                left -= 1
                taken = child.deeper.at_least(level)
            else:
                continue
            chosen += taken
            for each in taken:
                hit[own.fired(each.rows)] = True
        return chosen

    @cached_property
    def _children(self) -> list[_Child]:
        """One token more, those with most hits first; each fires twice outside of what was read."""
        own = self._own
        fired = own.fired(self._found.rows)
        if np.count_nonzero(own.importance[fired]) < 2:
            return []
        fired = fired[np.argsort(own.place[fired], kind="stable")]
        named = {step.depth for step in self._found.steps}
        depths = np.array([depth for depth in range(1, own.config.depth + 1) if depth not in named])
        token = np.array([own.before(depth)[fired] for depth in depths.tolist()]).reshape(len(depths), -1)
        known = token >= 0
        key = ((depths[:, None] << _TOKEN_BITS) + token)[known]
        row = np.broadcast_to(fired, token.shape)[known]
        order = np.argsort(key, kind="stable")
        key, row = key[order], row[order]
        start = np.flatnonzero(np.diff(key, prepend=-1))
        if not len(start):
            return []
        place, importance = own.place[row], own.importance[row]
        enters = np.diff(place, prepend=-1) != 0
        enters[start] = True
        places = np.add.reduceat(enters, start, dtype=np.intp)
        weighs = np.add.reduceat(importance > 0, start, dtype=np.intp)
        hits = np.add.reduceat(importance, start) * ((places - 1) / places)
        stop = np.append(start[1:], len(key))
        children = [
            _Child(
                own,
                self._found,
                self._more,
                int(key[start[at]]) >> _TOKEN_BITS,
                int(key[start[at]]) & ((1 << _TOKEN_BITS) - 1),
                row[start[at] : stop[at]],
                float(hits[at]),
            )
            for at in np.flatnonzero((places > 1) & (weighs > 1)).tolist()
        ]
        children.sort(key=lambda child: (-child.hits, child.path))
        return children


@dataclass(frozen=True, eq=False)
class _Child:
    """A pattern with one token of context more than ``found``; worked out only where it is asked for."""

    own: _Rows
    found: _Located
    more: int
    depth: int
    token: int
    fired: IndexArray  # rows that it matches on which the unit fires
    hits: float

    @property
    def path(self) -> _Path:
        return tuple(sorted((*self.found.path, (self.depth, self.token))))

    @cached_property
    def located(self) -> _Located:
        own, rows = self.own, self.found.rows
        matches = own.before(self.depth)[rows] == self.token
        there, elsewhere = rows[matches], rows[~matches]
        lost = 1 - own.mean(elsewhere) / max(own.mean(there), 1e-9)
        step = Step(self.depth, self.token, min(max(lost, 0.0), 1.0))
        steps = sorted((*self.found.steps, step), key=lambda each: each.depth)
        return own.counted(tuple(steps), there)

    @cached_property
    def confidence(self) -> float:
        return self.own.confidence(self.located)

    @cached_property
    def deeper(self) -> _Deeper:
        return _Deeper(self.own, self.located, self.more - 1)


def _choose(own: _Rows, options: Mapping[int, Sequence[_Option]], most_nodes: float) -> list[_Option]:
    """Choose an option for every activating token; the first of each is how it stands."""
    config = own.config
    chosen = {token: of[0] for token, of in options.items()}
    total = sum((option.worth for option in chosen.values()), _Worth())
    for _ in range(config.rounds):
        before = dict(chosen)
        for token, of in options.items():
            others = total - chosen[token].worth
            best, highest = of[0], own.score(others + of[0].worth) + config.change
            for option in of[1:]:
                together = others + option.worth
                if together.nodes <= most_nodes and (score := own.score(together)) > highest:
                    best, highest = option, score
            chosen[token], total = best, others + best.worth
        if all(chosen[token] is before[token] for token in chosen):
            break
    return list(chosen.values())
