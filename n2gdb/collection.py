"""A database as a collection of neurons: each by its name, all in order, and whole models in bulk."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

from n2gdb.core import arguments
from n2gdb.core.neuron_view import AnyUnit, model_given
from n2gdb.core.units import NeuronName
from n2gdb.detached import NeuronSource
from n2gdb.errors import ArgumentError, QueryError
from n2gdb.query.answer import Answer, answer_of
from n2gdb.storage.columns import FIGURES
from n2gdb.storage.read.names import missing_neuron, neuron_key, neuron_of
from n2gdb.storage.read.neurons import count_neurons, read_figures

if TYPE_CHECKING:
    import pyarrow as pa

    from n2gdb.drawing.stored_graph import StoredGraph
    from n2gdb.neuron import Neuron
    from n2gdb.storage.read.bulk import TokenMatrix
    from n2gdb.storage.read.catalog import ModelInfo
    from n2gdb.storage.read.scores import LayerScores

__all__ = ["NeuronCollection"]


class NeuronCollection(NeuronSource):
    """The neurons of all models of a database; ``Database`` is a collection that can be queried."""

    @abstractmethod
    def models(self) -> tuple[ModelInfo, ...]:
        """Return the models that the database holds, by number."""

    @abstractmethod
    def neuron(self, name: AnyUnit, model: str | None = None) -> Neuron:
        """Return a neuron by its name."""

    def __len__(self) -> int:
        return self._length

    @cached_property
    def _length(self) -> int:
        return count_neurons(self.connection)

    def __bool__(self) -> bool:
        return True  # as a database, whatever it holds

    def __iter__(self) -> Iterator[Neuron]:
        return (neuron for model in self.models() for neuron in self._neurons(model, None))

    def __contains__(self, name: object) -> bool:
        """Return whether some model has this neuron, however it is given.

        >>> "4/358" in db, next(iter(db)) in db
        (True, True)
        """
        try:
            wanted, owner = NeuronName.of(name), model_given(name)
        except (ArgumentError, QueryError):
            return False
        keys = (neuron_key(model, wanted) for model in self.models() if owner in (None, model.name))
        return any(key is not None and read_figures(self.connection, key, ("id",)) for key in keys)

    def __getitem__(self, name: AnyUnit) -> Neuron:
        """Return a neuron: ``db["L3N45"]``, ``db[3, 45]``, or ``db[hit]``; raises like ``neuron``.

        >>> db[4, 358] == db["L4N358"], (9, 9) in db, len(db)
        (True, False, 7)
        """
        return self.neuron(name)

    def neurons(self, model: str | None = None, layer: int | None = None) -> Iterator[Neuron]:
        """Yield every neuron of a model, or of one of its layers, in order.

        Raises UnknownNameError for a layer that the model does not have.

        >>> [str(each.name) for each in db.neurons(layer=4)]
        ['L4N12', 'L4N137', 'L4N358']
        """
        return self._neurons(*self._part(model, layer))

    def _neurons(self, owner: ModelInfo, layer: int | None) -> Iterator[Neuron]:
        from n2gdb.neuron import Neuron
        from n2gdb.storage.read.bulk import read_neurons

        for key, name, figures in read_neurons(self.connection, owner, layer, FIGURES):
            yield Neuron(name, owner.name, figures, _key=key, _database=self)

    def graphs(
        self, model: str | None = None, layer: int | None = None
    ) -> Iterator[tuple[NeuronName, StoredGraph]]:
        """Yield the name and the graph of every neuron of a model, or of one of its layers, in order.

        They are read in blocks, ten times as fast as one by one. Raises like ``neurons``.

        >>> [(str(name), graph.n_patterns) for name, graph in db.graphs(layer=4)][-1]
        ('L4N358', 3)
        """
        return self._graphs(*self._part(model, layer))

    def _graphs(self, owner: ModelInfo, layer: int | None) -> Iterator[tuple[NeuronName, StoredGraph]]:
        from n2gdb.drawing.stored_graph import StoredGraph
        from n2gdb.storage.read.bulk import read_graphs

        texts = partial(self.texts, model=owner.name)
        for key, graph in read_graphs(self.connection, owner.number, layer):
            yield neuron_of([owner], key)[1], StoredGraph.of(graph, texts)

    def nodes(self, model: str | None = None, layer: int | None = None) -> pa.Table:
        """Return every node of the graphs of a model, or of one of its layers, as an Arrow table.

        Rows are in the order of neurons and of ``NeuronGraph``, whose columns they have: ``pre`` (the node's
        preorder index), ``parent``, ``depth``, ``token``, ``importance`` and ``end``, missing if no
        pattern ends there. Further columns are ``neuron``, ``layer``, ``index``, ``role`` (activating or
        context), the token's ``text``, and ``activation``, the largest of the patterns through the node.
        Raises like ``neurons``.

        >>> db.nodes(layer=4).select(["neuron", "role", "text"]).to_pylist()[0]
        {'neuron': 'L4N12', 'role': 'activating', 'text': ' other'}
        """
        from n2gdb.storage.read.bulk import read_node_table

        owner, wanted = self._part(model, layer)
        return read_node_table(self.connection, owner, wanted)

    def token_matrix(
        self,
        role: Literal["activating", "context"] = "activating",
        model: str | None = None,
        layer: int | None = None,
    ) -> TokenMatrix:
        """Return which tokens the neurons of a model, or of one layer, have in a role: units x tokens.

        Raises like ``neurons``, and ArgumentError for another role.

        >>> db.token_matrix("context", layer=4).shape
        (3, 4096)
        """
        from n2gdb.storage.read.bulk import read_token_matrix

        owner, wanted = self._part(model, layer)
        read = arguments.kind("role", role, ("activating", "context"))
        return read_token_matrix(self.connection, owner, wanted, read)

    def report(self, model: str | None = None) -> Answer[LayerScores]:
        """Return how well graphs and evidence predict a model's neurons: a row for each layer and predictor.

        A predictor is ``evidence``, ``n2g``, which is the stored graph, or what they are compared with; it is
        judged on held-out text or on the test half of the top examples. The last rows, without a layer, are
        means over all layers. It is the table that ``n2gdb report`` prints. Raises UnknownNameError.

        >>> row = db.report()[0]
        >>> row.layer, row.predictor, row.f1
        (0, 'n2g', 0.875)
        """
        from n2gdb.storage.read.scores import mean_over_layers, read_layer_scores

        owner = self.model(model)
        scores = read_layer_scores(self.connection, owner.number, owner.name)
        columns = ("text", "layer", "predictor", "neurons", "precision", "recall", "f1", "nodes")
        return answer_of((*scores, *mean_over_layers(scores)), columns)

    def _part(self, model: str | None, layer: int | None) -> tuple[ModelInfo, int | None]:
        """Return a model, and a layer that it has; raise UnknownNameError for another."""
        owner = self.model(model)
        wanted = None if layer is None else arguments.whole("layer", layer)
        if wanted is not None and wanted >= owner.n_layers:
            raise missing_neuron(self.connection.rows, owner, NeuronName(wanted, 0))
        return owner, wanted
