"""One neuron as the database holds it: its statistics, its graph and its top examples."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from n2gdb import arguments
from n2gdb.neuron import NeuronName
from n2gdb.path import PathStep, filled, written
from n2gdb.store import Connection

if TYPE_CHECKING:
    import networkx as nx
    import numpy as np
    import numpy.typing as npt

    from n2gdb.answer import Answer
    from n2gdb.database import Database
    from n2gdb.graph import NeuronGraph
    from n2gdb.pictures import Picture
    from n2gdb.pictures.reading import Reading
    from n2gdb.similar_neurons import SimilarNeuron

__all__ = ["Example", "Neuron", "NeuronPattern", "load_examples", "load_graph", "load_neuron"]


@dataclass(frozen=True, slots=True)
class Example:
    """A window of the corpus in which the neuron is among its largest.

    ``tokens`` are the window's; ``pivot`` is the position of the largest activation, ``activation`` its
    value, not normalised. ``trace`` holds normalised activations from position ``start`` on.
    """

    rank: int
    tokens: tuple[int, ...]
    pivot: int
    activation: float
    split: str
    start: int
    trace: tuple[float, ...]

    def as_dict(self, texts: Mapping[int, str]) -> dict[str, Any]:
        """Return what JSON can hold; ``texts`` are of its tokens."""
        return {
            "rank": self.rank,
            "activation": self.activation,
            "split": self.split,
            "pivot": self.pivot,
            "tokens": self.tokens,
            "texts": [texts[token] for token in self.tokens],
            "start": self.start,
            "trace": self.trace,
        }


@dataclass(frozen=True, slots=True)
class NeuronPattern:
    """One pattern of a neuron's graph: its path in text order, and the normalised activation it predicts."""

    path: tuple[PathStep, ...]
    activation: float

    def __str__(self) -> str:
        return written(self.path)


@dataclass(frozen=True)
class Neuron:
    """A stored neuron: ``state`` is live, unpredicted or dead; the scores are None where not judged.

    ``graph`` and ``examples`` are read when first asked for, while the database is open.
    """

    name: NeuronName
    model: str
    state: str
    max_activation: float
    precision: float | None
    recall: float | None
    f1: float | None
    true_firings: int
    predicted_firings: int
    n_patterns: int
    n_nodes: int
    n_activating: int
    n_context: int
    polysemy: int
    _key: int = field(repr=False)
    _database: Database = field(repr=False, compare=False)

    @cached_property
    def graph(self) -> NeuronGraph:
        """The graph, exactly as it was stored."""
        return replace(load_graph(self._database.connection, self._key), texts=self.texts)

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """The top examples, strongest first."""
        return load_examples(self._database.connection, self._key)

    @property
    def statistics(self) -> dict[str, Any]:
        """Every stored figure by name."""
        return {name: getattr(self, name) for name in _STATISTICS}

    def as_dict(self) -> dict[str, Any]:
        """Return the neuron, its graph and its examples as JSON can hold them.

        A pattern's steps start at the activating token.
        """
        tokens = {token for example in self.examples for token in example.tokens}
        texts = self.texts(tokens.union(self.graph.token.tolist()))
        return {
            "neuron": str(self.name),
            "model": self.model,
            **self.statistics,
            "patterns": [pattern.decimal().as_dict(texts) for pattern in self.graph.patterns()],
            "examples": [example.as_dict(texts) for example in self.examples],
        }

    def patterns(self) -> tuple[NeuronPattern, ...]:
        """Return the graph's patterns with the texts of their tokens, the strongest first."""
        texts = self._texts()
        found = []
        for pattern in (each.decimal() for each in self.graph.patterns()):
            steps = [
                PathStep(step.depth, step.token, texts[step.token], step.importance if step.depth else None)
                for step in pattern.steps
            ]
            found.append(NeuronPattern(filled(steps), pattern.activation))
        return tuple(sorted(found, key=lambda each: -each.activation))

    def predict(self, text: str | Sequence[int]) -> npt.NDArray[np.float32]:
        """Predict the normalised activation on every token of a text, or of token ids: (tokens,) float32.

        The graph alone answers, without the model; 0 where no pattern matches. Raises QueryError for a text
        where the model came without a tokenizer.
        """
        return self.graph.predict(self.cut(text) if isinstance(text, str) else arguments.wholes("text", text))

    def read(self, text: str | Sequence[int], true: Sequence[float | None] | None = None) -> Reading:
        """Read a text token by token: the graph's prediction, the pattern behind it, and the truth if given.

        A notebook shows the result in colours; see ``n2gdb.pictures.reading.read_text``, also for what is
        raised.
        """
        from n2gdb.pictures.reading import read_text

        return read_text(self, text, true)

    def read_example(self, example: Example) -> Reading:
        """Read one of the top examples: its stored true activations above what the graph predicts."""
        from n2gdb.pictures.reading import read_example

        return read_example(self, example)

    def cut(self, text: str) -> tuple[int, ...]:
        """Return the token ids of a text in the neuron's model; raises as ``Database.tokenizer`` does."""
        return self._database.cut(text, self.model)

    def texts(self, tokens: Iterable[int]) -> dict[int, str]:
        """Return the texts of token ids of the neuron's model; raises as ``Database.texts`` does."""
        return self._database.texts(tokens, self.model)

    @property
    def fire_threshold(self) -> float:
        """The normalised activation from which on the neuron fires, as it was when its graph was judged."""
        return self._database.model(self.model).fire_threshold

    def similar(
        self, k: int | None = 20, metric: str = "graph", *, above: float = 0.0
    ) -> Answer[SimilarNeuron]:
        """Return the ``k`` most similar neurons by graph, tokens or subset; see ``Database.similar``."""
        return self._database.similar(self.name, k, metric, above=above, model=self.model)

    def example_text(self, example: Example) -> str:
        """Write an example's text, the token that the neuron fires on most between brackets."""
        texts = self._database.texts(example.tokens, self.model)
        before = "".join(texts[token] for token in example.tokens[: example.pivot])
        after = "".join(texts[token] for token in example.tokens[example.pivot + 1 :])
        return f"{before}[{texts[example.tokens[example.pivot]]}]{after}"

    def to_networkx(self) -> nx.DiGraph:
        """Return the graph for NetworkX, edges from activating tokens to context; see ``graph_export``.

        Raises QueryError where networkx is not installed.
        """
        from n2gdb.graph_export import to_networkx

        return to_networkx(self.graph, self._texts())

    def to_dot(self, most: int | None = None) -> str:
        """Return what ``picture`` shows in plain DOT, for Graphviz."""
        from n2gdb.pictures import draw_dot

        return draw_dot(self, most=None if most is None else arguments.whole("most", most))

    def picture(self, most: int | None = 40) -> Picture:
        """Draw the graph, its ``most`` strongest patterns, all of them if None; see ``pictures.draw``."""
        from n2gdb.pictures import draw

        return draw(self, most=None if most is None else arguments.whole("most", most))

    def _repr_svg_(self) -> str:
        return self.picture().svg()

    def _texts(self) -> dict[int, str]:
        return self._database.texts(self.graph.token.tolist(), self.model)


_STATISTICS = tuple(name for name in Neuron.__dataclass_fields__ if not name.startswith("_"))[2:]


def load_neuron(database: Database, key: int, name: NeuronName, model: str) -> Neuron | None:
    """Read the statistics of the neuron with this key; None where there is none."""
    fields = ", ".join(f"n.{statistic}" for statistic in _STATISTICS)
    rows = database.connection.rows(f"MATCH (n:Neuron) WHERE n.id = $key RETURN {fields}", {"key": key})
    if not rows:
        return None
    return Neuron(name, model, **dict(zip(_STATISTICS, rows[0], strict=True)), _key=key, _database=database)


def load_graph(connection: Connection, key: int) -> NeuronGraph:
    """Rebuild the graph of the neuron with this key from its relationships."""
    import numpy as np  # 0.1 s: only where a graph is asked for

    from n2gdb.graph import NeuronGraph

    roots = connection.rows(
        "MATCH (n:Neuron)-[a:ACTIVATES_ON]->(t:Token) WHERE n.id = $key RETURN a.pre, t.token, a.`end`",
        {"key": key},
    )
    context = connection.rows(
        "MATCH (n:Neuron)-[c:CONTEXT]->(t:Token) WHERE n.id = $key"
        " RETURN c.pre, t.token, c.`end`, c.depth, c.parent, c.importance",
        {"key": key},
    )
    rows = sorted([*((*root, 0, -1, 1.0) for root in roots), *context])
    _, token, end, depth, parent, importance = zip(*rows, strict=True) if rows else ((),) * 6
    return NeuronGraph(
        np.array(token, np.int32),
        np.array(depth, np.int32),
        np.array(parent, np.int32),
        np.array(importance, np.float32),
        np.array([float("nan") if mark is None else mark for mark in end], np.float32),
    )


def load_examples(connection: Connection, key: int) -> tuple[Example, ...]:
    """Read the top examples of the neuron with this key, strongest first."""
    rows = connection.rows(
        "MATCH (n:Neuron)-[e:TOP_EXAMPLE]->(w:Window) WHERE n.id = $key"
        " RETURN e.rank, w.tokens, e.pivot, e.activation, e.split, e.start, e.trace ORDER BY e.rank",
        {"key": key},
    )
    return tuple(
        Example(rank, tuple(tokens), pivot, activation, split, start, _float16(trace))
        for rank, tokens, pivot, activation, split, start, trace in rows
    )


def _float16(raw: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(raw) // 2}e", raw)
