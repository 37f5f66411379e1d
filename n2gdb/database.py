"""The public API of a database: open it, query it, look at a neuron."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

from n2gdb.collection import NeuronCollection
from n2gdb.core import arguments
from n2gdb.core.deadline import within
from n2gdb.core.neuron_view import AnyUnit, model_given
from n2gdb.core.units import NeuronName
from n2gdb.errors import ArgumentError, DatabaseError
from n2gdb.model_tokens import ModelTokens
from n2gdb.query.answer import Answer, answer_of
from n2gdb.remembering import Remembering
from n2gdb.storage.checksum import require_seal
from n2gdb.storage.connection import Connection
from n2gdb.storage.read.catalog import Inventory, ModelInfo, read_inventory, read_models
from n2gdb.storage.read.names import find_model, missing_neuron, neuron_key, neuron_of
from n2gdb.storage.read.neurons import knows_heldout

if TYPE_CHECKING:
    from n2gdb.neuron import Neuron
    from n2gdb.prediction.fired_tokens import FiredToken
    from n2gdb.query.builder.any_query import AnyQuery
    from n2gdb.query.builder.queries import CountQuery, NeuronQuery, PatternQuery, StageQuery
    from n2gdb.query.builder.token_queries import TokenQueryBuilder, TokenStageQuery
    from n2gdb.query.execution.context import Session, Stage
    from n2gdb.query.execution.counts import GroupCount
    from n2gdb.query.execution.hits import Hit
    from n2gdb.query.execution.patterns import PatternHit
    from n2gdb.query.execution.tokens import TokenHit
    from n2gdb.similarity.neurons import NeuronPair, SimilarNeuron

__all__ = ["Database", "default_path", "open_database"]


def default_path() -> Path:
    """Return the database used when none is named: ``$N2GDB_DB``, else ``neurons.n2gdb`` here."""
    return Path(os.environ.get("N2GDB_DB") or "neurons.n2gdb")


def open_database(path: str | os.PathLike[str] | None = None) -> Database:
    """Open a database to read; ``n2gdb.open`` is this function.

    Raises DatabaseNotFoundError, DatabaseFormatError or DatabaseLockedError.

    >>> with n2gdb.open("neurons.n2gdb") as opened:
    ...     print(opened.count("neurons"))
    7
    """
    return Database(Connection.open(Path(path) if path is not None else default_path()))


class Database(ModelTokens, Remembering, NeuronCollection):
    """A database opened to read; a context manager, for any number of threads.

    >>> [str(hit.neuron) for hit in db.query("neurons MATCHING 'the' BEFORE 'end'")]
    ['L4N12', 'L3N45']
    """

    def __init__(self, connection: Connection) -> None:
        """Take over a connection, which ``n2gdb.open`` makes; it stays usable for statements of your own."""
        self._connection = connection

    def __reduce__(self) -> tuple[Callable[[Path], Database], tuple[Path]]:
        """Pickle as the path: another process opens the same file."""
        return open_database, (self.path,)

    @property
    def connection(self) -> Connection:
        """The open file, for Cypher statements of your own.

        >>> db.connection.rows("MATCH (m:Model) RETURN m.name", {})
        [('world',)]
        """
        return self._connection

    @property
    def path(self) -> Path:
        """The database file.

        >>> db.path.name
        'neurons.n2gdb'
        """
        return self.connection.path

    def reopener(self) -> Callable[[], Database]:
        """Return a function that opens the same file again, also in another process.

        >>> reopen = db.reopener()
        >>> with reopen() as again:
        ...     print(len(again))
        7
        """
        return partial(open_database, self.path.absolute())

    def __repr__(self) -> str:
        from n2gdb.core.readings import counted

        try:
            held = ", ".join(model.name for model in self._models) + f": {counted(len(self), 'neuron')}"
        except DatabaseError:
            held = "closed"
        return f"<Database {self.path}, {held}>"

    def models(self) -> tuple[ModelInfo, ...]:
        """Return the models that the database holds, by number; ``model`` returns one of them.

        >>> [model.name for model in db.models()]
        ['world']
        """
        return self._models

    @cached_property
    def _models(self) -> tuple[ModelInfo, ...]:
        return read_models(self.connection)

    @overload
    def query(self, query: NeuronQuery, *, timeout: float | None = None) -> Answer[Hit]: ...
    @overload
    def query(self, query: PatternQuery, *, timeout: float | None = None) -> Answer[PatternHit]: ...
    @overload
    def query(self, query: CountQuery, *, timeout: float | None = None) -> Answer[GroupCount]: ...
    @overload
    def query(
        self, query: StageQuery | TokenStageQuery, *, timeout: float | None = None
    ) -> Answer[Stage]: ...
    @overload
    def query(self, query: TokenQueryBuilder, *, timeout: float | None = None) -> Answer[TokenHit]: ...
    @overload
    def query(
        self, query: AnyQuery, parameters: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> Answer[Any]: ...
    def query(
        self, query: AnyQuery, parameters: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> Answer[Any]:
        """Answer a query, given as text, as a builder or as a syntax tree.

        ``parameters`` are the values of each ``:name`` in a text.

        Records are Hit for neurons, PatternHit for patterns, GroupCount for COUNT, TokenHit for tokens and
        Stage for EXPLAIN and PROFILE. Raises QuerySyntaxError if it does not parse, UnknownNameError for
        a name that does not exist, QueryError if it cannot be answered, QueryTimeoutError
        where finding the records takes longer than ``timeout`` seconds, or reading some of them later.

        >>> for hit in db.query("neurons MATCHING 'an' BEFORE 'other'"):
        ...     print(hit.neuron, hit.activation, hit.path)
        L4N358 0.75 ·an · ·other
        >>> db.query("neurons MATCHING :first BEFORE 'other'", {"first": "an"})["neuron"]
        ['L4N358']
        >>> db.query("COUNT neurons BY layer").to_dicts()[-1]
        {'group': 5, 'count': 1}
        """
        from n2gdb.query.builder.any_query import read_any
        from n2gdb.query.execution.executor import answer
        from n2gdb.query.parse import asked

        with within(timeout):
            return asked(read_any(query, parameters), lambda each: answer(self.session(timeout), each))

    def count(
        self, query: AnyQuery, parameters: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> int:
        """Count what a query finds, without its LIMIT and OFFSET; raises like ``query``.

        >>> db.count("neurons MATCHING 'the' BEFORE ... LIMIT 1")
        4
        """
        from n2gdb.query.builder.any_query import read_any
        from n2gdb.query.execution.executor import count
        from n2gdb.query.parse import asked

        with within(timeout):
            return asked(read_any(query, parameters), lambda each: count(self.session(timeout), each))

    def similar(
        self,
        neuron: AnyUnit,
        k: int | None = 20,
        metric: str = "graph",
        *,
        above: float = 0.0,
        sharing: int = 1,
        model: str | None = None,
        within: str | None = None,
    ) -> Answer[SimilarNeuron]:
        """Return the ``k`` neurons most similar to one, the most similar first, ties by size.

        ``metric`` is graph, cofiring (how often both fire together), tokens (the paper's rule) or subset;
        ``above`` is the least similarity, ``sharing`` the least size. ``model`` is the neuron's where several
        have one of its name, ``within`` the one to search, or all. Raises UnknownNameError and QueryError.

        >>> [(str(other.neuron), round(other.similarity, 2)) for other in db.similar("L4N358", k=2)]
        [('L4N137', 0.41), ('L4N12', 0.31)]
        """
        from n2gdb.similarity.neurons import notices_of, read_metric, similar_neurons
        from n2gdb.similarity.search import Bounds, ComparisonSource

        bounds = Bounds(
            arguments.share("above", above),
            arguments.whole("sharing", sharing, 1),
            None if within is None else self.model(within).number,
            None if k is None else arguments.whole("k", k),
        )
        key = self.neuron(neuron, model)._key
        source = ComparisonSource(self.connection.rows, lambda: self._likeness, self._is_warm())
        by = read_metric(metric)
        found = similar_neurons(source, key, by, self._models, bounds)
        quality = ("heldout_f1", "heldout_firings") if knows_heldout(self.connection.rows) else ("f1",)
        shown = ("neuron", *self._model_column("model"), *quality, "similarity", "size")
        return answer_of(found, shown, notices_of(by, source.columns) if found else ())

    def pairs(
        self,
        metric: str = "graph",
        *,
        above: float | None = None,
        model: str | None = None,
        across_layers: bool = False,
        sharing: int = 3,
        progress: Callable[[str, int, int | None], None] | None = None,
    ) -> Answer[NeuronPair]:
        """Return all pairs of neurons with a similarity of at least ``above``, the most similar first.

        No pair is missed. The paper's similar pairs are those by tokens above 0.9, its subset pairs those by
        subset, of any size. Without ``above`` the bound is the metric's own. ``across_layers`` leaves out
        pairs of one layer, ``sharing`` those that share less; ``progress`` is called with each stage, what
        is done of it, and its total. Raises QueryError.

        >>> print(db.pairs("subset", across_layers=True, sharing=2).to_csv().splitlines()[1])
        L3N45,L4N12,1.0,2
        """
        from n2gdb.similarity.neurons import LEAST_OF_PAIRS, named_pairs, notices_of, read_metric

        by = read_metric(metric)
        found = self._pairs.find(
            by,
            above=LEAST_OF_PAIRS[by] if above is None else arguments.number("above", above),
            sharing=arguments.whole("sharing", sharing, 1),
            model=None if model is None else self.model(model).number,
            across_layers=across_layers,
            progress=progress,
        )
        first, second = (("first", *self._model_column("first_model")), self._model_column("second_model"))
        return Answer(
            len(found),
            lambda start, stop: named_pairs(found, self._models, start, stop),
            columns=(*first, "second", *second, "similarity", "size"),
            total=lambda: len(found),
            notices=lambda: notices_of(by, lambda: self._likeness),
        )

    def firing(
        self,
        text: str,
        model: str | None = None,
        *,
        at: int | None = None,
        layers: Collection[int] = (),
        min_f1: float | None = None,
        by: str = "evidence",
    ) -> list[FiredToken]:
        """Run every neuron of a model on a text: its tokens, each with the neurons predicted to fire there.

        ``at`` picks one token, from the end if negative; ``layers`` and ``min_f1`` select neurons; with
        ``by="graph"`` only graphs predict, else evidence where a neuron has it. Raises QueryError where the
        model was ingested without a tokenizer or ``at`` is outside the text.

        >>> for token in db.firing(" the other"):
        ...     print(db.text(token.token), [str(fired.neuron) for fired in token.neurons])
         the []
         other ['L4N137']
        """
        from n2gdb.prediction.fired_tokens import fired_tokens, predictor

        owner, tokens = self.model(model), self.tokenize(text, model)
        if at is not None and not -len(tokens) <= arguments.whole("at", at, -arguments.LARGEST) < len(tokens):
            raise ArgumentError(f"position {at} is outside the text: it has {len(tokens)} tokens")
        return fired_tokens(
            self.connection.table,
            tokens,
            owner.number,
            lambda key: neuron_of(self._models, key)[1],
            threshold=owner.fire_threshold,
            positions=None if at is None else [at % len(tokens)],
            layers=arguments.wholes("layers", layers),
            min_f1=None if min_f1 is None else arguments.number("min_f1", min_f1),
            by=predictor(by),
        )

    def _model_column(self, name: str) -> tuple[str, ...]:
        return (name,) if len(self._models) > 1 else ()

    def session(self, timeout: float | None = None) -> Session:
        """Return the context that one query is answered in; ``timeout`` seconds end any of its statements.

        A deadline around the query ends all of them together: ``n2gdb.core.deadline.within``.

        >>> db.session(timeout=5).sources
        ('mlp',)
        """
        from n2gdb.query.execution.context import Session

        return Session(
            partial(self.connection.rows, timeout=timeout),
            partial(self.connection.table, timeout=timeout),
            self._models,
            self._vocabulary,
            self._tokenizer,
            lambda: self._columns,
            self._saved,
            lambda: self._held,
            lambda: self._likeness,
            self._outlined,
            self._columns if self._is_warm() else None,
        )

    def neuron(self, name: AnyUnit, model: str | None = None) -> Neuron:
        """Return a neuron by its name, or for a hit; a name needs ``model`` where there are several.

        Raises UnknownNameError if the database does not hold it, saying what it holds.

        >>> db.neuron("L4N358").name == db.neuron("4/358").name
        True
        """
        from n2gdb.neuron import load_neuron  # queries make no neurons

        wanted = NeuronName.of(name)
        owner = self.model(model or model_given(name))
        key = neuron_key(owner, wanted)
        found = None if key is None else load_neuron(self, key, wanted, owner.name)
        if found is None:
            raise missing_neuron(self.connection.rows, owner, wanted)
        return found

    def model(self, name: str | None = None) -> ModelInfo:
        """Return a model by its name, or the only one; raise UnknownNameError if that is not clear.

        >>> db.model().name
        'world'
        """
        return find_model(self._models, None if name is None else arguments.text("model", name))

    def info(self) -> Inventory:
        """Return what the database holds: its models, and figures by layer; raises DatabaseError.

        >>> db.info().layers[4].neurons
        1
        """
        return read_inventory(self.connection, self._models)

    def verify(self) -> None:
        """Compare the file with the checksum taken when it was built.

        Raises DatabaseFormatError if they differ, DatabaseError where there is no checksum.

        >>> db.verify()
        """
        require_seal(self.path)

    def close(self) -> None:
        """Close the file; closing twice does nothing.

        >>> opened = n2gdb.open("neurons.n2gdb")
        >>> opened.close()
        """
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
