"""Per-query context: runs statements, resolves names, records the steps of an answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Sized
from dataclasses import field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from n2gdb.core.deadline import check_time
from n2gdb.core.units import HeldUnits, UnitName, token_key
from n2gdb.errors import QueryError
from n2gdb.grammar.ast import FiringOn, Listed, NeuronRef, Query, Subject, TokensOf
from n2gdb.grammar.records import dataclass
from n2gdb.grammar.rewriting import nodes_of, rewritten
from n2gdb.query.cypher.compiler import Compiled
from n2gdb.query.semantics.places import placed
from n2gdb.query.semantics.units import word_for
from n2gdb.query.semantics.vocabulary import Vocabulary
from n2gdb.storage.read.names import find_model, missing_neuron, neuron_key
from n2gdb.storage.read.neurons import knows_heldout

if TYPE_CHECKING:
    import pyarrow as pa

    from n2gdb.core.tokenizer import Tokenizer
    from n2gdb.prediction.firing import Firing, Predictor
    from n2gdb.query.columnar.columns import Columns
    from n2gdb.query.columnar.firing import Fired
    from n2gdb.query.cypher.estimates import Estimate
    from n2gdb.query.cypher.step_rows import Finds
    from n2gdb.similarity.columns import SimilarityColumns
    from n2gdb.similarity.search import ComparisonSource
    from n2gdb.storage.read.catalog import ModelInfo

__all__ = ["FIRING", "WALK", "Rows", "Session", "Stage", "Table", "positions_of"]

#: The step that reads what may fire on a text.
FIRING = "read the patterns that may match the text"
#: The step that finds what no statement knows.
WALK = "walk the paths of all tries"

Counted = TypeVar("Counted", bound=Sized)

#: Runs a statement with its parameters and returns its rows.
Rows = Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]]
#: Runs a statement with its parameters and returns its columns.
Table = Callable[[str, Mapping[str, object]], "pa.Table"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of how a query is answered: a statement with its parameters, or work done in Python.

    ``rows`` and ``milliseconds`` are None if the step was not run. ``estimate`` says how many rows it
    gives as far as that is known without running it; None if nothing is known.

    >>> stage = db.query("EXPLAIN neurons WHERE layer = 4")[0]
    >>> stage.step, str(stage.estimate), stage.rows
    ('find and order the neurons', '3 rows', None)
    """

    step: str
    cypher: str | None = None
    parameters: Mapping[str, object] | None = field(default=None, hash=False)
    rows: int | None = None
    milliseconds: float | None = None
    estimate: Estimate | None = None
    finds: Finds | None = field(default=None, repr=False, hash=False, compare=False)

    def __repr__(self) -> str:
        expected = "" if self.estimate is None else f", {self.estimate} expected"
        taken = "" if self.rows is None else f", {self.rows:,} found"
        timed = "" if self.milliseconds is None else f" in {self.milliseconds:.1f} ms"
        return f"<Stage {self.step}{expected}{taken}{timed}>"

    @classmethod
    def of(cls, step: str, compiled: Compiled, finds: Finds | None) -> Stage:
        """Return the step that runs a statement, whose rows are what it ``finds``, where that is known.

        >>> Stage.of("count", Compiled("RETURN 1", {}), None)
        <Stage count>
        """
        return cls(step, compiled.cypher, compiled.parameters, finds=finds)

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON.

        >>> db.query("EXPLAIN neurons WHERE layer = 4")[0].as_dict()["most_rows"]
        3
        """
        return {
            "step": self.step,
            "cypher": self.cypher,
            "parameters": None if self.parameters is None else dict(self.parameters),
            "least_rows": None if self.estimate is None else self.estimate.least,
            "most_rows": None if self.estimate is None else self.estimate.most,
            "reads": None if self.estimate is None else self.estimate.reads,
            "rows": self.rows,
            "milliseconds": self.milliseconds,
        }


@dataclass(slots=True)
class Session:
    """The context of one query: runs statements, resolves names, and records the steps that were taken."""

    rows: Rows
    table: Table
    models: tuple[ModelInfo, ...]
    vocabulary: Vocabulary
    tokenizer: Callable[[int], Tokenizer | None]
    read_columns: Callable[[], Columns]
    saved: Callable[[str], tuple[NeuronRef, ...]]  # the units of a saved set
    read_held: Callable[[], tuple[HeldUnits, ...]]  # of which sources the database holds units
    likeness: Callable[[], SimilarityColumns]  # what neurons are compared by
    outlined: Callable[[], Collection[str] | None]  # fields of matches read beside an outline; None without
    columns: Columns | None = None  # where the question is answered from columns
    stages: list[Stage] = field(default_factory=list)
    _fired: dict[tuple[FiringOn, int | None], list[Fired]] = field(default_factory=dict)

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
        """Return a function that runs statements and records each as a stage of this name."""
        return lambda cypher, parameters: self.run(step, Compiled(cypher, dict(parameters)))

    def stage_table(self, step: str) -> Table:
        """Return a function that runs statements of many rows and records each as a stage of this name."""
        return lambda cypher, parameters: self.read(step, Compiled(cypher, dict(parameters)))

    def compare(self, ref: NeuronRef, search: Callable[[ComparisonSource], Counted]) -> Counted:
        """Compare neurons with one: from columns, or by statements, each of them a step."""
        from n2gdb.similarity.search import ComparisonSource

        step = f"compare with {ref}"
        if self.columns is not None:
            return self.work(step, lambda: search(ComparisonSource(self.rows, self.likeness, is_warm=True)))
        taken = len(self.stages)
        start = perf_counter()
        found = search(ComparisonSource(self.stage_rows(step), self.likeness))
        if len(self.stages) == taken:  # no statement knows where neurons fire together
            self.stages.append(Stage(step, rows=len(found), milliseconds=(perf_counter() - start) * 1000))
        return found

    def cut(self, model: int, text: str) -> tuple[int, ...] | None:
        """Return the token ids of a text in a model; None if the model has no tokenizer."""
        tokenizer = self.tokenizer(model)
        return None if tokenizer is None else tokenizer.cut(text)

    def cuts(self, model: int | None, clause: FiringOn) -> dict[int, tuple[int, ...]]:
        """Return the tokens of a text in each model that a clause reaches, all where ``model`` is None.

        They are by the model's number. Raises QueryError where no model can cut the text, or none has the
        token that the clause names.
        """
        models = [each for each in self.models if model in (None, each.number)]
        cuts = {each.number: self.cut(each.number, clause.text) for each in models}
        if not any(cut is not None for cut in cuts.values()):
            raise QueryError(
                f"{' and '.join(each.name for each in models)} was ingested without a tokenizer, which"
                " FIRING ON needs: ingest the model again with one"
            )
        at = clause.token
        reached = {
            number: cut for number, cut in cuts.items() if cut and (at is None or -len(cut) <= at < len(cut))
        }
        if at is not None and not reached:
            longest = max((len(cut) for cut in cuts.values() if cut is not None), default=0)
            tokens = "1 token, 0" if longest == 1 else f"{longest} tokens, 0 to {longest - 1}"
            with placed(clause.token_at):
                raise QueryError(f"AT {at} is outside the text: it has {tokens}")
        return reached

    def text_of(self, model: int | None, clause: FiringOn) -> list[int]:
        """Return the Token.ids of a text, in each model that a clause reaches, where it asks for firings."""
        return sorted(
            {
                token_key(number, cut[position])
                for number, cut in self.cuts(model, clause).items()
                for position in positions_of(clause, cut) or range(len(cut))
            }
        )

    def fired(self, model: int | None, clause: FiringOn) -> list[Firing]:
        """Run the neurons of a model, of all where None, on a text; return firings whatever WHERE says."""
        from n2gdb.prediction.firing import read_firings

        read = self.stage_table(FIRING)
        by: Predictor = clause.by.value
        return [
            firing
            for number, cut, threshold in self._texts(model, clause)
            for firing in read_firings(
                read, cut, number, threshold=threshold, positions=positions_of(clause, cut), by=by
            )
        ]

    def fired_by_columns(self, model: int | None, clause: FiringOn) -> list[Fired]:
        """Return the same for each model from columns; worked out once, as hits ask for it again."""
        from n2gdb.query.columnar.firing import fired_on

        assert self.columns is not None
        if (clause, model) not in self._fired:
            read, columns = self.stage_table(FIRING), self.columns
            by: Predictor = clause.by.value
            self._fired[clause, model] = [
                fired_on(
                    read,
                    columns,
                    cut,
                    number,
                    threshold=threshold,
                    positions=positions_of(clause, cut),
                    by=by,
                )
                for number, cut, threshold in self._texts(model, clause)
            ]
        return self._fired[clause, model]

    def _texts(self, model: int | None, clause: FiringOn) -> list[tuple[int, tuple[int, ...], float]]:
        """Return the number, the tokens of the text and the fire threshold of each model that is reached."""
        thresholds = {each.number: each.fire_threshold for each in self.models}
        cuts = self.cuts(model, clause)
        return [(number, cut, thresholds[number]) for number, cut in cuts.items()]

    def require_effects(self) -> None:
        """Raise QueryError for a database that was built without what neurons write."""
        if not self.rows("MATCH (:Neuron)-[w:WRITES]->(:Token) RETURN w.rank LIMIT 1", {}):
            raise QueryError(
                "the database does not hold what its neurons promote and suppress: add it with n2gdb effects"
            )

    def require_evidence(self) -> None:
        """Raise QueryError for a database that was built without evidence."""
        if not self.rows("MATCH (:Neuron)-[e:EVIDENCE]->(:Token) RETURN e.depth LIMIT 1", {}):
            raise QueryError(
                "the database does not hold what excites and inhibits its neurons: ingest the model again"
            )

    def work(self, step: str, do: Callable[[], Counted], rows: int | None = None) -> Counted:
        """Run a step in Python whose result can be counted, and record it, with ``rows`` if it has more."""
        check_time()
        start = perf_counter()
        done = do()
        check_time()
        taken = (perf_counter() - start) * 1000
        self.stages.append(Stage(step, rows=len(done) if rows is None else rows, milliseconds=taken))
        return done

    def model_of(self, query: Query) -> int | None:
        """Return the number of the model that a query names; raise UnknownNameError if it does not exist."""
        with placed(query.model_at):
            return None if query.model is None else find_model(self.models, query.model).number

    @property
    def has_heldout(self) -> bool:
        """Whether the database knows how well neurons are predicted on held-out text."""
        return knows_heldout(self.rows)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of all sources of the models."""
        return frozenset(source.kind for model in self.models for source in model.sources)

    @property
    def units(self) -> Subject:
        """The word that finds all units of the database, and says what they are as far as one word does."""
        return word_for({each.kind for each in self.read_held()})

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

    def named_by(self, clause: Listed, model: str | None) -> int:
        """Return how many neurons a list, or a saved set, names; raises as ``neuron`` does."""
        named = self.saved(clause.saved) if clause.saved else clause.neurons
        return len(set(self.neurons(named, model)))

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
        """Return the Neuron.id of a neuron that a query names; ``model`` is the query's own.

        Raises UnknownNameError if the database does not hold it, or holds it in several models.
        """
        with placed(ref.model_at if ref.model else ref.at):
            owner = find_model(self.models, ref.model or model)
        name = UnitName(ref.layer, ref.index, ref.side, ref.latent, ref.source)
        with placed(ref.at):
            key = neuron_key(owner, name)
            if key is None or not self.rows("MATCH (n:Neuron) WHERE n.id = $key RETURN n.id", {"key": key}):
                raise missing_neuron(self.rows, owner, name)
        return key


def positions_of(clause: FiringOn, cut: Sequence[int]) -> list[int] | None:
    """Return the positions of a text that a clause looks at; None for all."""
    return None if clause.token is None else [clause.token % len(cut)]
