"""Refine: let a graph learn from its mistakes on text, so that it fires where its neuron does.

A graph read off ten examples fires too often: most of its false alarms are bare tokens whose context no
single mask brought out. For each activating token the candidates (``candidates``) go from the bare token to
ever deeper context; what each of them meets in the training windows, false alarms and all, and in random
text, decides which stays, or whether the token goes. Patterns always match what they were read off, so
their hits are counted on other examples. The test half is never seen.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from n2gdb.core.arrays import BoolArray, Int64Array
from n2gdb.core.graph import NeuronGraph
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.n2g.candidates import BARE, Candidate, Candidates, Level, Path
from n2gdb.ingest.n2g.text import LaidText, RandomText, matches

__all__ = ["refine"]


# What follows was fitted on 600 neurons of the demo model, 100 a layer, by how their graphs were judged:
# the other 4,008 gain as much (docs/faithfulness.md).
#: How much a false alarm counts: less than its mean, as a few windows bring most of them.
_FALSE_ALARM = 0.4
#: How much the F1 on random text counts beside that on top examples.
_RANDOM = 0.3
#: F1 that a node must bring, that a token's change from the start must, and that starting from bare tokens
#: must: small gains are chance.
_NODE, _CHANGE, _BARE_START = 0.0005, 0.02, 0.01
#: Firings expected on a token that never fired in training: variants propose many such.
_UNSEEN = 0.12
#: Firings that the first guess of ``Level.generalises`` weighs, and that a neuron's own share weighs.
_GUESS, _SHARE = 3.0, 2.0
#: Firings in random text, of a training firing, that are expected beyond those seen.
_RARE = 0.01


@dataclass(frozen=True, slots=True)
class _Met:
    """What the patterns of one activating token and level meet."""

    candidates: tuple[Candidate, ...]
    hits: int  # firings in the training windows
    elsewhere: int  # of these, met by patterns read off other examples
    false_alarms: int
    random_hits: int
    random_false_alarms: int
    nodes: int


@dataclass(frozen=True, slots=True)
class _Worth:
    """What an option is expected to bring, on as much text as the training windows and on random text."""

    hits: float = 0.0
    false_alarms: float = 0.0
    random_hits: float = 0.0
    random_false_alarms: float = 0.0
    nodes: float = 0.0

    def __add__(self, other: _Worth) -> _Worth:
        return _Worth(
            self.hits + other.hits,
            self.false_alarms + other.false_alarms,
            self.random_hits + other.random_hits,
            self.random_false_alarms + other.random_false_alarms,
            self.nodes + other.nodes,
        )

    def __sub__(self, other: _Worth) -> _Worth:
        return _Worth(
            self.hits - other.hits,
            self.false_alarms - other.false_alarms,
            self.random_hits - other.random_hits,
            self.random_false_alarms - other.random_false_alarms,
            self.nodes - other.nodes,
        )


_NOTHING = _Worth()


@dataclass(frozen=True, slots=True)
class _Aim:
    """What is to be predicted: firings in the training windows and in random text."""

    firings: int
    random_firings: int

    def score(self, worth: _Worth) -> float:
        """F1 on both texts, weighed, less the price of the nodes."""
        top = 2 * worth.hits / (self.firings + worth.hits + worth.false_alarms)
        there = self.random_firings + _RARE * self.firings + 0.5
        random = 2 * worth.random_hits / (there + worth.random_hits + worth.random_false_alarms)
        return top + _RANDOM * random - _NODE * worth.nodes


def refine(
    plain: NeuronGraph,
    candidates: Candidates,
    text: LaidText,
    random: RandomText,
    neuron: int,
    examples: Int64Array,
    config: N2GConfig,
) -> NeuronGraph:
    """Return the graph of those candidates that tell best where the neuron fires.

    ``text`` holds its training windows; ``examples`` are the numbers of all its top windows, which do not
    count as random text. It has at most ``config.refine_nodes`` times the nodes of ``plain``.
    """
    fires = text.activation >= config.fire_threshold
    aim = _Aim(int(fires.sum()), 0)
    if not aim.firings:
        return plain
    weigher = _Weigher(text, fires, random, random.fires(neuron), random.hidden(examples))
    aim = _Aim(aim.firings, int(np.count_nonzero(weigher.random_fires & ~weigher.hidden)))
    together = _with_bare(candidates, text, fires)
    met = {token: dict(weigher.meet(token, levels)) for token, levels in together.items()}
    worth = _expected(met, len(np.unique(text.place)) / max(1, len(random.number)))
    plain_level = Level(config.importance_threshold, augmented=any(_augmented(met)))
    most_nodes = max(4, config.refine_nodes * len(plain))
    start = _better_start(worth, plain_level, aim, most_nodes)
    chosen = _choose(worth, start, aim, most_nodes, config.refine_rounds)
    kept = [each.pattern(token) for token, level in chosen.items() for each in met[token][level].candidates]
    return _calibrated(NeuronGraph.from_patterns(kept), text, config.fire_threshold)


def _augmented(met: Mapping[int, Mapping[Level, _Met]]) -> Iterator[bool]:
    return (level.augmented for levels in met.values() for level in levels)


def _with_bare(candidates: Candidates, text: LaidText, fires: BoolArray) -> Candidates:
    """Add the bare token, for every token that fires in the training windows."""
    together = {token: dict(levels) for token, levels in candidates.items()}
    for token in np.unique(text.text.tokens[fires]).tolist():
        at = text.text.positions(token)
        at = at[fires[at]]
        bare = Candidate((), float(text.activation[at].mean()), set(text.place[at].tolist()))
        together.setdefault(token, {})[BARE] = {(): bare}
    return together


class _Weigher:
    """Counts what patterns meet in the training windows of one neuron, and in random text."""

    def __init__(
        self, text: LaidText, fires: BoolArray, random: RandomText, random_fires: BoolArray, hidden: BoolArray
    ) -> None:
        self._text, self._fires = text, fires
        self._random, self.random_fires, self.hidden = random, random_fires, hidden

    def meet(
        self, token: int, levels: Mapping[Level, Mapping[Path, Candidate]]
    ) -> Iterator[tuple[Level, _Met]]:
        """Yield what the candidates of one activating token meet, level by level."""
        at = self._text.text.positions(token)
        there = self._random.text.positions(token)
        there = there[~self.hidden[there]]
        paths = {path for candidates in levels.values() for path in candidates}
        matched = matches(self._text.text.tokens, at, paths)
        random = matches(self._random.text.tokens, there, paths)
        fires, random_fires = self._fires[at], self.random_fires[there]
        place = self._text.place[at]
        # Levels often name the same paths, of other examples.
        counted: dict[frozenset[Path], tuple[int, ...]] = {}
        for level, candidates in levels.items():
            named = frozenset(candidates)
            if named not in counted:
                found = _any(matched[path] for path in candidates)
                abroad = _any(random[path] for path in candidates)
                counted[named] = (
                    *_hits_and_false_alarms(found, fires),
                    *_hits_and_false_alarms(abroad, random_fires),
                    len({path[:depth] for path in candidates for depth in range(len(path) + 1)}),
                )
            elsewhere = _any(
                matched[path] & candidate.read_elsewhere(place) for path, candidate in candidates.items()
            )
            hits, *others = counted[named]
            yield (
                level,
                _Met(tuple(candidates.values()), hits, int(np.count_nonzero(elsewhere & fires)), *others),
            )


def _hits_and_false_alarms(found: BoolArray, fires: BoolArray) -> tuple[int, int]:
    hits = int(np.count_nonzero(found & fires))
    return hits, int(np.count_nonzero(found)) - hits


def _any(rows: Iterable[BoolArray]) -> BoolArray:
    found: BoolArray = np.logical_or.reduce(list(rows))
    return found


def _expected(met: Mapping[int, Mapping[Level, _Met]], scale: float) -> dict[int, dict[Level, _Worth]]:
    """Expect of each option what it met, its hits shrunk by how far such patterns carry to other examples.

    ``scale`` is the size of the training windows as a share of the random text.
    """
    share: dict[Level, float] = {}
    for level in {level for levels in met.values() for level in levels}:
        there = [levels[level] for levels in met.values() if level in levels]
        hits, elsewhere = sum(each.hits for each in there), sum(each.elsewhere for each in there)
        share[level] = (elsewhere + _GUESS * level.generalises) / (hits + _GUESS)
    return {
        token: {level: _worth(each, share[level], scale) for level, each in levels.items()}
        for token, levels in met.items()
    }


def _worth(met: _Met, share: float, scale: float) -> _Worth:
    hits = met.hits * (met.elsewhere + _SHARE * share) / (met.hits + _SHARE) if met.hits else _UNSEEN
    return _Worth(
        hits,
        _FALSE_ALARM * (met.false_alarms + scale * met.random_false_alarms),
        met.random_hits + _RARE * hits,
        met.random_false_alarms,
        met.nodes,
    )


def _better_start(
    worth: Mapping[int, Mapping[Level, _Worth]], plain: Level, aim: _Aim, most_nodes: float
) -> Level:
    """Start from the plain graph, or from bare tokens where these promise more and are not too many."""
    bare = _total(worth, BARE)
    gain = aim.score(bare) - aim.score(_total(worth, plain))
    return BARE if gain > _BARE_START and bare.nodes <= most_nodes else plain


def _total(worth: Mapping[int, Mapping[Level, _Worth]], level: Level) -> _Worth:
    return sum((levels[level] for levels in worth.values() if level in levels), _NOTHING)


def _choose(
    worth: Mapping[int, Mapping[Level, _Worth]], start: Level, aim: _Aim, most_nodes: float, rounds: int
) -> dict[int, Level]:
    """Choose a level for every activating token, or none, by going round them until nothing gains."""
    chosen = {token: start for token, levels in worth.items() if start in levels}
    total = _total(worth, start)
    for _ in range(rounds):
        before = dict(chosen)
        for token, levels in worth.items():
            known = chosen.pop(token, None)
            others = total - levels[known] if known else total
            best = _best(levels, known, start, others, aim, max(most_nodes, total.nodes))
            total = others + levels[best] if best else others
            if best:
                chosen[token] = best
        if chosen == before:
            break
    return chosen


def _best(
    levels: Mapping[Level, _Worth],
    known: Level | None,
    start: Level,
    others: _Worth,
    aim: _Aim,
    most_nodes: float,
) -> Level | None:
    """Choose one token's level beside what the others were given; what stands wins ties."""
    home = start if start in levels else None
    found: Level | None = None
    highest = -math.inf
    for level in (known, *(level for level in (None, *levels) if level != known)):
        together = others + levels[level] if level else others
        if level != known and together.nodes > most_nodes:
            continue
        score = aim.score(together) + _CHANGE * (level == home)
        if score > highest:
            found, highest = level, score
    return found


def _calibrated(graph: NeuronGraph, text: LaidText, threshold: float) -> NeuronGraph:
    """Let every end mark carry the mean activation that it meets in training, as long as it still fires."""
    ends = graph.matched(text.text)
    met = (ends >= 0) & np.isfinite(text.activation)
    count = np.bincount(ends[met], minlength=len(graph))
    total = np.bincount(ends[met], text.activation[met], len(graph))
    mean = np.divide(total, count, out=graph.end.astype(np.float64), where=count > 0)
    return dataclasses.replace(graph, end=np.clip(mean, threshold, 1).astype(np.float32))
