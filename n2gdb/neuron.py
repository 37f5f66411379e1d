"""One neuron of a database: its statistics, its graph and its top examples."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from n2gdb.core import arguments
from n2gdb.core.paths import PathStep, filled, written
from n2gdb.core.readings import Example, counted
from n2gdb.core.units import NeuronName
from n2gdb.detached import DetachedSource, NeuronSource
from n2gdb.storage.columns import FIGURES
from n2gdb.storage.read.effects import WrittenToken, read_effects
from n2gdb.storage.read.neurons import load_examples, load_graph, read_figures

if TYPE_CHECKING:
    import networkx as nx

    from n2gdb.core.arrays import FloatArray
    from n2gdb.drawing import Picture
    from n2gdb.drawing.stored_graph import StoredGraph
    from n2gdb.prediction.reading import Reading
    from n2gdb.query.answer import Answer
    from n2gdb.similarity.neurons import SimilarNeuron

__all__ = ["Neuron", "NeuronPattern", "NeuronSource", "NeuronToken", "load_neuron"]


@dataclass(frozen=True, slots=True)
class NeuronPattern:
    """One pattern of a neuron's graph: its path in text order, and the normalised activation it predicts.

    >>> strongest = neuron.patterns()[0]
    >>> print(strongest, strongest.activation, len(strongest.path))
    ·the · ·other 1.0 2
    """

    path: tuple[PathStep, ...]
    activation: float

    def __str__(self) -> str:
        return written(self.path)


@dataclass(frozen=True, slots=True)
class NeuronToken:
    """A token in a role of a neuron's patterns: ``activating``, or ``context``.

    ``token`` is its text. ``activation`` is the largest of the ``n_patterns`` patterns that have it in this
    role; ``importance`` the largest that it has as context, None for an activating token.

    >>> first = db["L4N358"].tokens()[0]
    >>> first.role, first.token, first.n_patterns
    ('activating', ' other', 3)
    """

    role: str
    token: str
    activation: float
    importance: float | None
    n_patterns: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, repr=False)
class Neuron:
    """A stored neuron; ``statistics`` holds all its figures by name, and each is an attribute too.

    ``graph`` and ``examples`` are read on first access, while the database is open. A pickled neuron carries
    them and the texts of their tokens; anything else opens the database again.

    >>> neuron = db.neuron("L4N358")
    >>> neuron.state, neuron.n_nodes
    ('live', 4)
    """

    name: NeuronName
    model: str
    statistics: Mapping[str, Any] = field(hash=False)
    _key: int = field(repr=False)
    _database: NeuronSource = field(repr=False, compare=False)

    def __getattr__(self, name: str) -> Any:
        """Return a stored figure by its name: every field of WHERE that is not of a match."""
        if name != "statistics" and name in self.statistics:
            return self.statistics[name]
        raise AttributeError(f"a neuron has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.statistics})

    def __getstate__(self) -> dict[str, Any]:
        tokens = {token for example in self.examples for token in example.tokens}
        source = DetachedSource(
            self._database.reopener(),
            self._database.model(self.model),
            self.texts(tokens.union(self.graph.token.tolist())),
        )
        return {**self.__dict__, "_effects": self._effects, "_database": source}

    def __repr__(self) -> str:
        f1 = "" if self.f1 is None else f", F1 {self.f1:.2f}"
        patterns = counted(self.statistics["n_patterns"], "pattern")
        return f"<Neuron {self.name} of {self.model}: {self.state}{f1}, {patterns}>"

    @property
    def layer(self) -> int:
        """Layer of the neuron."""
        return self.name.layer

    @property
    def index(self) -> int:
        """Index of the neuron in its layer."""
        return self.name.index

    @property
    def state(self) -> str:
        """Live, unpredicted or dead."""
        return str(self.statistics["state"])

    @property
    def f1(self) -> float | None:
        """F1 of the graph on the test half of the top examples; None if it was not judged."""
        f1: float | None = self.statistics["f1"]
        return f1

    @cached_property
    def graph(self) -> StoredGraph:
        """The graph, exactly as it was stored."""
        from n2gdb.drawing.stored_graph import StoredGraph

        return StoredGraph.of(load_graph(self._database.connection, self._key), self.texts)

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """The top examples, strongest first."""
        return load_examples(self._database.connection, self._key)

    @property
    def promotes(self) -> tuple[WrittenToken, ...]:
        """The tokens whose logits it raises most, the strongest first; empty if no effects are stored."""
        return tuple(each for each in self._effects if each.logit > 0)

    @property
    def suppresses(self) -> tuple[WrittenToken, ...]:
        """The tokens whose logits it lowers most, the strongest first; empty if no effects are stored."""
        return tuple(each for each in reversed(self._effects) if each.logit < 0)

    @cached_property
    def _effects(self) -> tuple[WrittenToken, ...]:
        return read_effects(self._database.connection, self._key)

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
            "promotes": [each.as_dict() for each in self.promotes],
            "suppresses": [each.as_dict() for each in self.suppresses],
        }

    def patterns(self) -> tuple[NeuronPattern, ...]:
        """Return the graph's patterns with the texts of their tokens, the strongest first.

        >>> for pattern in neuron.patterns():
        ...     print(pattern.activation, pattern)
        1.0 ·the · ·other
        0.75 ·an · ·other
        0.5 ·on · _ · ·other
        """
        texts = self._texts()
        found = []
        for pattern in (each.decimal() for each in self.graph.patterns()):
            steps = [
                PathStep(step.depth, step.token, texts[step.token], step.importance if step.depth else None)
                for step in pattern.steps
            ]
            found.append(NeuronPattern(filled(steps), pattern.activation))
        return tuple(sorted(found, key=lambda each: -each.activation))

    def tokens(self) -> Answer[NeuronToken]:
        """Return the tokens of the graph by role, activating ones first; strongest first.

        Tokens of one text are one, as ``tokens ACTIVATING L3N45`` has them.
        """
        from n2gdb.query.answer import answer_of

        texts = self._texts()
        found: dict[tuple[str, str], list[tuple[float, float | None]]] = {}
        for pattern in (each.decimal() for each in self.graph.patterns()):
            here: dict[tuple[str, str], float | None] = {}
            for step in pattern.steps:
                key = ("context" if step.depth else "activating", texts[step.token])
                here[key] = max(here.get(key) or 0.0, step.importance) if step.depth else None
            for key, importance in here.items():
                found.setdefault(key, []).append((pattern.activation, importance))
        tokens = [
            NeuronToken(
                *key,
                max(activation for activation, _ in each),
                max((importance for _, importance in each if importance is not None), default=None),
                len(each),
            )
            for key, each in found.items()
        ]
        tokens.sort(key=lambda each: (each.role, -each.activation, each.token))
        return answer_of(tokens, ("role", "token", "activation", "importance", "n_patterns"))

    def predict(self, text: str | Sequence[int]) -> FloatArray:
        """Predict the normalised activation on every token of a text, or of token ids: (tokens,) float32.

        Only the graph is run, not the model; 0 if no pattern matches. Raises QueryError for a text
        where the model came without a tokenizer.

        >>> [float(activation) for activation in neuron.predict(" on the other side")]
        [0.0, 0.0, 0.5, 0.0]
        """
        tokens = self.tokenize(text) if isinstance(text, str) else arguments.wholes("text", text)
        return self.graph.predict(tokens)

    def read(self, text: str | Sequence[int], true: Sequence[float | None] | None = None) -> Reading:
        """Read a text token by token: the graph's prediction, its pattern, and the truth if given.

        A notebook shows the result in colours; see ``n2gdb.prediction.reading.read_text``, also for what is
        raised.

        >>> neuron.read(" on the other side").tokens[2].pattern
        '·on · _ · ·other'
        """
        from n2gdb.prediction.reading import read_text

        return read_text(self, text, true)

    def read_example(self, example: Example) -> Reading:
        """Read one of the top examples: its stored true activations above what the graph predicts."""
        from n2gdb.prediction.reading import read_example

        return read_example(self, example)

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the token ids of a text in the neuron's model; raises like ``Database.tokenizer``."""
        return self._database.tokenize(text, self.model)

    def cut(self, text: str) -> tuple[int, ...]:
        """Return the same as ``tokenize``, under its old name; warns with DeprecationWarning."""
        warnings.warn("Neuron.cut is now Neuron.tokenize", DeprecationWarning, stacklevel=2)
        return self.tokenize(text)

    def texts(self, tokens: Iterable[int]) -> dict[int, str]:
        """Return the texts of token ids of the neuron's model; raises like ``Database.texts``."""
        return self._database.texts(tokens, self.model)

    @property
    def fire_threshold(self) -> float:
        """The normalised activation from which the neuron counts as firing, as when its graph was judged."""
        return self._database.model(self.model).fire_threshold

    def similar(
        self, k: int | None = 20, metric: str = "graph", *, above: float = 0.0
    ) -> Answer[SimilarNeuron]:
        """Return the ``k`` most similar neurons by graph, tokens or subset; see ``Database.similar``.

        >>> str(neuron.similar(k=1)[0].neuron)
        'L4N137'
        """
        return self._database.similar(self.name, k, metric, above=above, model=self.model)

    def example_text(self, example: Example) -> str:
        """Return an example's text, with brackets around the token on which the neuron fires most."""
        texts = self._database.texts(example.tokens, self.model)
        before = "".join(texts[token] for token in example.tokens[: example.pivot])
        after = "".join(texts[token] for token in example.tokens[example.pivot + 1 :])
        return f"{before}[{texts[example.tokens[example.pivot]]}]{after}"

    def to_networkx(self) -> nx.DiGraph:
        """Return the graph for NetworkX, edges from activating tokens to context; see ``graph_export``.

        Raises MissingDependencyError if networkx is not installed.
        """
        from n2gdb.networkx_graph import to_networkx

        return to_networkx(self.graph, self._texts())

    def to_dot(self, most: int | None = None) -> str:
        """Return what ``picture`` shows in plain DOT, for Graphviz."""
        from n2gdb.drawing import draw_dot

        return draw_dot(self, most=None if most is None else arguments.whole("most", most))

    def picture(self, most: int | None = 40) -> Picture:
        """Draw the graph, its ``most`` strongest patterns, all of them if None; see ``pictures.draw``."""
        from n2gdb.drawing import draw

        return draw(self, most=None if most is None else arguments.whole("most", most))

    def _repr_svg_(self) -> str:
        return self.picture().svg()

    def _texts(self) -> dict[int, str]:
        return self._database.texts(self.graph.token.tolist(), self.model)


def load_neuron(database: NeuronSource, key: int, name: NeuronName, model: str) -> Neuron | None:
    """Read the statistics of the neuron with this key; None if there is none."""
    figures = read_figures(database.connection, key, FIGURES)
    if figures is None:
        return None
    return Neuron(name, model, dict(zip(FIGURES, figures, strict=True)), _key=key, _database=database)
