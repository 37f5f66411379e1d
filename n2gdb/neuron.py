"""One neuron of a database: its statistics, its graph and its top examples."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from n2gdb.core import arguments
from n2gdb.core.readings import Example, NeuronExamples, counted
from n2gdb.core.units import NeuronName
from n2gdb.detached import DetachedSource, NeuronSource
from n2gdb.evidence.quality import Quality, quality_of
from n2gdb.neuron_influences import Influences
from n2gdb.neuron_parts import NeuronPattern, NeuronToken, patterns_of, tokens_of
from n2gdb.storage.columns import FIGURES
from n2gdb.storage.read.neurons import load_examples, load_graph, load_range, read_figures
from n2gdb.storage.read.records import ActivationHistogram, read_histogram

if TYPE_CHECKING:
    import networkx as nx

    from n2gdb.core.arrays import FloatArray
    from n2gdb.drawing import Picture
    from n2gdb.drawing.stored_graph import StoredGraph
    from n2gdb.prediction.reading import Reading
    from n2gdb.query.answer import Answer
    from n2gdb.similarity.neurons import SimilarNeuron

__all__ = ["Neuron", "NeuronSource", "load_neuron"]


@dataclass(frozen=True, repr=False)
class Neuron(Influences):
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
        tokens = {token for example in self.examples() for token in example.tokens}
        source = DetachedSource(
            self._database.reopener(),
            self._database.model(self.model),
            self.texts(tokens.union(self.graph.token.tolist())),
        )
        read = {name: getattr(self, name) for name in ("_effects", "evidence", "_weighed", "histogram")}
        return {**self.__dict__, **read, "_database": source}

    def __repr__(self) -> str:
        f1 = "" if self.quality is None else f", {self.quality}"
        patterns = counted(self.statistics["n_patterns"], "pattern")
        return f"<Neuron {self.name} of {self.model}: {self.state}{f1}, {patterns}>"

    @property
    def layer(self) -> int:
        """Layer of the neuron.

        >>> neuron.layer
        4
        """
        return self.name.layer

    @property
    def index(self) -> int:
        """Index of the neuron in its layer.

        >>> neuron.index
        358
        """
        return self.name.index

    @property
    def state(self) -> str:
        """Live, unpredicted, dead or dense.

        >>> neuron.state, db["L5N3"].state
        ('live', 'dead')
        """
        return str(self.statistics["state"])

    @property
    def f1(self) -> float | None:
        """F1 of the graph on the test half of the top examples; None if it was not judged.

        >>> neuron.f1
        0.85714287
        """
        f1: float | None = self.statistics["f1"]
        return f1

    @property
    def heldout_f1(self) -> float | None:
        """F1 on held-out text of its evidence, or its graph where it has none; None where not judged.

        >>> round(neuron.heldout_f1, 2)
        0.81
        """
        f1: float | None = self.statistics["heldout_f1"]
        return f1

    @property
    def heldout_firings(self) -> int | None:
        """Firings of the neuron itself on held-out text; None where no text was held out.

        >>> neuron.heldout_firings
        34
        """
        firings: int | None = self.statistics["heldout_firings"]
        return firings

    @property
    def quality(self) -> Quality | None:
        """How well it is predicted: on held-out text where that is known, else on its top examples.

        >>> print(neuron.quality)
        F1 0.81 on held-out text
        """
        return quality_of(self.statistics)

    @cached_property
    def graph(self) -> StoredGraph:
        """The graph, exactly as it was stored.

        >>> neuron.graph
        <StoredGraph 3 patterns, 4 nodes>
        """
        from n2gdb.drawing.stored_graph import StoredGraph

        return StoredGraph.of(load_graph(self._database.connection, self._key), self.texts)

    @cached_property
    def examples(self) -> NeuronExamples:
        """The top examples, strongest first; ``examples(band="near")`` are those of another strength.

        >>> len(neuron.examples), len(neuron.examples(band="near"))
        (2, 1)
        """
        connection = self._database.connection
        return NeuronExamples(load_examples(connection, self._key), load_range(connection, self._key))

    @cached_property
    def histogram(self) -> ActivationHistogram | None:
        """How often each strength of activation occurs on the corpus; None where that was not recorded.

        >>> neuron.histogram.positions
        1000
        """
        return read_histogram(self._database.connection, self._key)

    def as_dict(self) -> dict[str, Any]:
        """Return the neuron, its graph, its evidence and its examples as plain values for JSON.

        A pattern's steps start at the activating token. ``evidence`` is null if there is none.

        >>> neuron.as_dict()["patterns"][0]["activation"]
        1.0
        """
        tokens = {token for example in self.examples() for token in example.tokens}
        texts = self.texts(tokens.union(self.graph.token.tolist()))
        return {
            "neuron": str(self.name),
            "model": self.model,
            **self.statistics,
            "patterns": [pattern.decimal().as_dict(texts) for pattern in self.graph.patterns()],
            "evidence": self._evidence_dict(),
            "histogram": None if self.histogram is None else self.histogram.as_dict(),
            "examples": [example.as_dict(texts) for example in self.examples],
            "other_examples": [example.as_dict(texts) for example in self.examples.others],
            "promotes": [each.as_dict() for each in self.promotes],
            "suppresses": [each.as_dict() for each in self.suppresses],
        }

    def _evidence_dict(self) -> dict[str, Any] | None:
        if self.evidence is None:
            return None
        return {
            "base": self.evidence.base,
            "threshold": self.evidence.threshold,
            "weights": [each.as_dict() for each in self._weighed],
        }

    def patterns(self) -> tuple[NeuronPattern, ...]:
        """Return the graph's patterns with the texts of their tokens, the strongest first.

        >>> for pattern in neuron.patterns():
        ...     print(pattern.activation, pattern)
        1.0 ·the · ·other
        0.75 ·an · ·other
        0.5 ·on · _ · ·other
        """
        return patterns_of(self.graph, self._texts())

    def tokens(self) -> Answer[NeuronToken]:
        """Return the tokens of the graph by role: activating ones first, the strongest first in each role.

        Tokens of one text are one, as in the answer to ``tokens ACTIVATING L3N45``.

        >>> neuron.tokens().to_csv().splitlines()[:2]
        ['role,token,activation,importance,n_patterns', 'activating, other,1.0,,3']
        """
        return tokens_of(self.graph, self._texts())

    def predict(self, text: str | Sequence[int], *, by: str = "evidence") -> FloatArray:
        """Predict the normalised activation on every token of a text, or of token ids: (tokens,) float32.

        By its evidence if it has any, else or with ``by="graph"`` by its graph; the model is not run.
        From ``fire_threshold`` on it is predicted to fire, see ``n2gdb.prediction.strength``; 0 where nothing
        speaks for it. Raises QueryError for a text where the model was ingested without a tokenizer.

        >>> [float(activation) for activation in neuron.predict(" on the other side")]
        [0.0, 0.0, 0.7088901400566101, 0.0]
        """
        from n2gdb.prediction.firing import predictor
        from n2gdb.prediction.strength import log_odds_of, predicted_activations

        tokens = self.tokenize(text) if isinstance(text, str) else arguments.wholes("text", text)
        if predictor(by) == "graph" or self.evidence is None:
            return self.graph.predict(tokens)
        threshold = self.fire_threshold
        log_odds = log_odds_of(self.evidence, self.graph, tokens, self.token_classes, threshold)
        return predicted_activations(log_odds, self.evidence.threshold, threshold)

    def read(
        self,
        text: str | Sequence[int],
        true: Sequence[float | None] | None = None,
        *,
        by: str = "evidence",
    ) -> Reading:
        """Read a text token by token: what is predicted, by what, and the truth if given.

        ``by`` is as in ``predict``. A notebook shows the result in colours; see
        ``n2gdb.prediction.reading.read_text``, also for what is raised.

        >>> neuron.read(" on the other side").tokens[2].pattern
        '·other'
        """
        from n2gdb.prediction.firing import predictor
        from n2gdb.prediction.reading import read_text

        return read_text(self, text, true, by=predictor(by))

    def read_example(self, example: Example, *, by: str = "evidence") -> Reading:
        """Read one of its examples: its stored true activations above what is predicted.

        >>> neuron.read_example(neuron.examples[0]).summary
        'it fires on 3 of 5 tokens; its evidence predicts 0, misses 3, and fires wrongly on 0'
        """
        from n2gdb.prediction.firing import predictor
        from n2gdb.prediction.reading import read_example

        return read_example(self, example, by=predictor(by))

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the token ids of a text in the neuron's model; raises like ``Database.tokenizer``.

        >>> neuron.tokenize(" the other")
        (267, 631)
        """
        return self._database.tokenize(text, self.model)

    def cut(self, text: str) -> tuple[int, ...]:
        """Return the same as ``tokenize``, under its old name; warns with DeprecationWarning."""
        warnings.warn("Neuron.cut is now Neuron.tokenize", DeprecationWarning, stacklevel=2)
        return self.tokenize(text)

    def texts(self, tokens: Iterable[int]) -> dict[int, str]:
        """Return the texts of token ids of the neuron's model; raises like ``Database.texts``.

        >>> neuron.texts([267, 631])
        {267: ' the', 631: ' other'}
        """
        return self._database.texts(tokens, self.model)

    @property
    def fire_threshold(self) -> float:
        """The normalised activation from which the neuron counts as firing, as when its graph was judged.

        >>> neuron.fire_threshold
        0.5
        """
        return self._database.model(self.model).fire_threshold

    def similar(
        self, k: int | None = 20, metric: str = "graph", *, above: float = 0.0, sharing: int = 1
    ) -> Answer[SimilarNeuron]:
        """Return the ``k`` most similar neurons by a metric of ``Database.similar``.

        >>> str(neuron.similar(k=1)[0].neuron)
        'L4N137'
        """
        return self._database.similar(self.name, k, metric, above=above, sharing=sharing, model=self.model)

    def example_text(self, example: Example) -> str:
        """Return an example's text, with brackets around the token on which the neuron fires most.

        >>> neuron.example_text(neuron.examples[0])[-4:]
        '[#]$'
        """
        texts = self._database.texts(example.tokens, self.model)
        before = "".join(texts[token] for token in example.tokens[: example.pivot])
        after = "".join(texts[token] for token in example.tokens[example.pivot + 1 :])
        return f"{before}[{texts[example.tokens[example.pivot]]}]{after}"

    def to_networkx(self) -> nx.DiGraph:
        """Return the graph for NetworkX, edges from activating tokens to context; see ``networkx_graph``.

        Raises MissingDependencyError if networkx is not installed.

        >>> len(neuron.to_networkx())
        4
        """
        from n2gdb.networkx_graph import to_networkx

        return to_networkx(self.graph, self._texts())

    def to_dot(self, most: int | None = None) -> str:
        """Return what ``picture`` shows in plain DOT, for Graphviz.

        >>> neuron.to_dot().splitlines()[0]
        'digraph "L4N358" {'
        """
        from n2gdb.drawing import draw_dot

        return draw_dot(self, most=None if most is None else arguments.whole("most", most))

    def picture(self, most: int | None = 40) -> Picture:
        """Draw the graph, its ``most`` strongest patterns, all of them if None; see ``n2gdb.drawing.draw``.

        >>> neuron.picture().svg()[:4]
        '<svg'
        """
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
