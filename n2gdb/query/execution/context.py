"""What an open database gives to whoever answers a question with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from n2gdb.core.units import UnitName
from n2gdb.grammar.ast import NeuronRef, Query, TokensOf
from n2gdb.grammar.rewriting import nodes_of, rewritten
from n2gdb.query.cypher.compiler import Compiled
from n2gdb.query.semantics.places import placed
from n2gdb.query.semantics.vocabulary import Vocabulary
from n2gdb.storage.read.names import find_model, missing_neuron, neuron_key

if TYPE_CHECKING:
    import pyarrow as pa

    from n2gdb.core.tokenizer import Tokenizer
    from n2gdb.query.columnar.columns import Columns
    from n2gdb.storage.read.catalog import ModelInfo

__all__ = ["Rows", "Session", "Stage", "Table"]

Counted = TypeVar("Counted", bound=Sized)

#: Runs a statement with its parameters and returns its rows.
Rows = Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]]
#: Runs a statement with its parameters and returns its columns.
Table = Callable[[str, Mapping[str, object]], "pa.Table"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of how a query is answered: a statement with its parameters, or work done in Python.

    ``rows`` and ``milliseconds`` are None where the step was not run.

    >>> [stage.step for stage in db.query("EXPLAIN neurons WHERE f1 >= 0.6")][0]
    'find and order the neurons'
    """

    step: str
    cypher: str | None = None
    parameters: Mapping[str, object] | None = field(default=None, hash=False)
    rows: int | None = None
    milliseconds: float | None = None

    @classmethod
    def of(cls, step: str, compiled: Compiled) -> Stage:
        """Return the step that runs a statement."""
        return cls(step, compiled.cypher, compiled.parameters)

    def as_dict(self) -> dict[str, object]:
        """Return what JSON can hold."""
        return {
            "step": self.step,
            "cypher": self.cypher,
            "parameters": None if self.parameters is None else dict(self.parameters),
            "rows": self.rows,
            "milliseconds": self.milliseconds,
        }


@dataclass(slots=True)
class Session:
    """One question to an open database: how to run statements, what its names mean, and what was done."""

    rows: Rows
    table: Table
    models: tuple[ModelInfo, ...]
    vocabulary: Vocabulary
    tokenizer: Callable[[int], Tokenizer | None]
    read_columns: Callable[[], Columns]
    saved: Callable[[str], tuple[NeuronRef, ...]]  # the units of a saved set
    columns: Columns | None = None  # where the question is answered from columns
    stages: list[Stage] = field(default_factory=list)

    def run(self, step: str, compiled: Compiled) -> list[tuple[Any, ...]]:
        """Run a statement."""
        start = perf_counter()
        rows = self.rows(compiled.cypher, compiled.parameters)
        taken = (perf_counter() - start) * 1000
        self.stages.append(Stage(step, compiled.cypher, compiled.parameters, len(rows), taken))
        return rows

    def read(self, step: str, compiled: Compiled) -> pa.Table:
        """Run a statement of many rows, as columns."""
        start = perf_counter()
        table = self.table(compiled.cypher, compiled.parameters)
        taken = (perf_counter() - start) * 1000
        self.stages.append(Stage(step, compiled.cypher, compiled.parameters, len(table), taken))
        return table

    def stage_rows(self, step: str) -> Rows:
        """Return a way to run statements that keeps each as a stage of this name."""
        return lambda cypher, parameters: self.run(step, Compiled(cypher, dict(parameters)))

    def stage_table(self, step: str) -> Table:
        """Return a way to run statements of many rows that keeps each as a stage of this name."""
        return lambda cypher, parameters: self.read(step, Compiled(cypher, dict(parameters)))

    def cut(self, model: int, text: str) -> tuple[int, ...] | None:
        """Return the token ids of a text in a model; None where the model came without a tokenizer."""
        tokenizer = self.tokenizer(model)
        return None if tokenizer is None else tokenizer.cut(text)

    def work(self, step: str, do: Callable[[], Counted]) -> Counted:
        """Do in Python what gives rows, or any other things that can be counted."""
        start = perf_counter()
        done = do()
        self.stages.append(Stage(step, rows=len(done), milliseconds=(perf_counter() - start) * 1000))
        return done

    def model_of(self, query: Query) -> int | None:
        """Return the number of the model that a query names; raise UnknownNameError where there is none."""
        with placed(query.model_at):
            return None if query.model is None else find_model(self.models, query.model).number

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of all sources of the database."""
        return frozenset(source.kind for model in self.models for source in model.sources)

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of all sources of the database, in order."""
        return tuple(sorted({source.name for model in self.models for source in model.sources}))

    def neurons(self, refs: Sequence[NeuronRef], model: str | None) -> list[int]:
        """Return the Neuron.ids of neurons that a query names; raises as ``neuron`` does."""
        keys = []
        for ref in refs:
            with placed(ref.model_at if ref.model else ref.at):
                owner = find_model(self.models, ref.model or model)
            with placed(ref.at):
                keys.append(
                    neuron_key(owner, UnitName(ref.layer, ref.index, ref.side, ref.latent, ref.source))
                )
        wanted = [key for key in keys if key is not None]
        held = {
            key for (key,) in self.rows("MATCH (n:Neuron) WHERE n.id IN $keys RETURN n.id", {"keys": wanted})
        }
        for ref, key in zip(refs, keys, strict=True):
            if key not in held:
                self.neuron(ref, model)  # raises
        return wanted

    def learn_tokens(self, query: Query) -> Query:
        """Look the tokens of units up that a query's classes name; return it with their models named."""
        named = list(nodes_of(query.clauses, TokensOf))
        if not named:
            return query

        def of_model(test: TokensOf) -> TokensOf:
            return replace(test, neuron=replace(test.neuron, model=test.neuron.model or query.model))

        for test in dict.fromkeys(map(of_model, named)):
            key = self.neuron(test.neuron, query.model)
            role = "CONTEXT" if test.in_context else "ACTIVATES_ON"
            cypher = f"MATCH (n:Neuron)-[:{role}]->(t:Token) WHERE n.id = $key RETURN DISTINCT t.id"
            self.vocabulary.know(test, sorted(token for (token,) in self.rows(cypher, {"key": key})))
        return replace(query, clauses=rewritten(query.clauses, TokensOf, of_model))

    def neuron(self, ref: NeuronRef, model: str | None) -> int:
        """Return the Neuron.id of a neuron that a query names, ``model`` being the query's own.

        Raises UnknownNameError where the database does not hold it, or not in one model alone.
        """
        with placed(ref.model_at if ref.model else ref.at):
            owner = find_model(self.models, ref.model or model)
        name = UnitName(ref.layer, ref.index, ref.side, ref.latent, ref.source)
        with placed(ref.at):
            key = neuron_key(owner, name)
            if key is None or not self.rows("MATCH (n:Neuron) WHERE n.id = $key RETURN n.id", {"key": key}):
                raise missing_neuron(self.rows, owner, name)
        return key
