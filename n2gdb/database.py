"""The Python door to a database: open it, ask it, look at a neuron."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, overload

from n2gdb.errors import DatabaseError, DatabaseFormatError, UnknownNameError
from n2gdb.inventory import Inventory, ModelInfo, read_inventory, read_models
from n2gdb.near_tokens import unknown_tokens
from n2gdb.neuron import NeuronName
from n2gdb.seal import is_sealed, verify_seal
from n2gdb.store import Connection
from n2gdb.stored_neuron import Neuron, load_neuron

if TYPE_CHECKING:
    from n2gdb.grammar.ast import Formula, Matching, Query
    from n2gdb.hits import Hit

__all__ = ["Answer", "Database", "default_path", "open_database"]


def default_path() -> Path:
    """Return the database used when none is named: ``$N2GDB_DB``, else ``neurons.n2gdb`` here."""
    return Path(os.environ.get("N2GDB_DB") or "neurons.n2gdb")


def open_database(path: str | os.PathLike[str] | None = None) -> Database:
    """Open a database to read; ``n2gdb.open`` is this function.

    Raises DatabaseNotFoundError, DatabaseFormatError or DatabaseLockedError.
    """
    return Database(Connection.open(Path(path) if path is not None else default_path()))


@dataclass(frozen=True, slots=True)
class Answer(Sequence["Hit"]):
    """The hits of a query in its order; ``total`` counts the neurons that LIMIT and OFFSET left out too.

    ``notices`` say what the reader should know, as that no token reads as the query writes it.
    """

    hits: tuple[Hit, ...]
    total: int
    notices: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[index]


class Database:
    """A database opened to read; a context manager, for one thread at a time."""

    def __init__(self, connection: Connection) -> None:
        """Take a connection over: ``n2gdb.open(path)`` makes both."""
        self._connection = connection
        self._texts: dict[int, str] = {}

    @property
    def path(self) -> Path:
        """The file."""
        return self._connection.path

    def models(self) -> tuple[ModelInfo, ...]:
        """Return the models that the database holds, by number."""
        return self._models

    @cached_property
    def _models(self) -> tuple[ModelInfo, ...]:
        return read_models(self._connection)

    def query(self, query: str | Query) -> Answer:
        """Answer a query of the language, read already or not.

        Raises QuerySyntaxError where it does not parse, UnknownNameError for a field that does not exist,
        QueryError where it asks for what cannot be answered.
        """
        from n2gdb.compiler import compile_query, read_query
        from n2gdb.hits import find_hits

        parsed = read_query(query) if isinstance(query, str) else query
        hits = tuple(find_hits(self._connection.rows, parsed))
        skipped = parsed.offset or 0
        whole = (parsed.limit is None or len(hits) < parsed.limit) and (bool(hits) or not skipped)
        total = skipped + len(hits) if whole else self.count(parsed)
        if hits and _needs_every_token(parsed.clauses):
            return Answer(hits, total, ())
        literals = compile_query(parsed).literals
        return Answer(hits, total, unknown_tokens(self._connection, self._models, literals))

    def count(self, query: str | Query) -> int:
        """Count the neurons that a query finds, its LIMIT and OFFSET aside."""
        from n2gdb.compiler import compile_count, read_query

        compiled = compile_count(read_query(query) if isinstance(query, str) else query)
        ((count,),) = self._connection.rows(compiled.cypher, compiled.parameters)
        return int(count)

    def neuron(self, name: str | NeuronName, model: str | None = None) -> Neuron:
        """Return a neuron by its name; ``model`` is needed where the database holds several.

        Raises UnknownNameError where the database does not hold it, saying what it holds.
        """
        wanted = NeuronName.parse(name) if isinstance(name, str) else name
        owner = self.model(model)
        key = owner.number << 40 | wanted.layer << 24 | wanted.index
        within = wanted.layer < owner.n_layers and wanted.index < owner.d_mlp
        found = load_neuron(self._connection, key, wanted, owner.name) if within else None
        if found is None:
            raise self._no_neuron(wanted, owner)
        return found

    def model(self, name: str | None = None) -> ModelInfo:
        """Return a model by its name, or the only one; raise UnknownNameError where that is not clear."""
        names = [model.name for model in self._models]
        matching = [model for model in self._models if name is None or model.name == name]
        if len(matching) == 1:
            return matching[0]
        if name is not None and not matching:
            near = tuple(get_close_matches(name, names))
            raise UnknownNameError(f"{self.path} holds no model {name!r}: it holds {', '.join(names)}", near)
        raise UnknownNameError(f"{self.path} holds several models, name one: {', '.join(names)}")

    def text(self, token: int, model: str | None = None) -> str:
        """Return the text of a token id; raise UnknownNameError for one that the model does not have."""
        return self.texts([token], model)[token]

    def texts(self, tokens: Iterable[int], model: str | None = None) -> dict[int, str]:
        """Return the texts of token ids, in one look-up; raise UnknownNameError for one that is not there."""
        owner = self.model(model)
        keys = {token: owner.number << 32 | token for token in tokens}
        missing = sorted(set(keys.values()) - self._texts.keys())
        if missing:
            rows = self._connection.rows(
                "MATCH (t:Token) WHERE t.id IN $keys RETURN t.id, t.text", {"keys": missing}
            )
            self._texts.update((key, text) for key, text in rows)
        for token, key in keys.items():
            if key not in self._texts:
                raise UnknownNameError(
                    f"{owner.name} has no token {token}: its ids end at {owner.d_vocab - 1}"
                )
        return {token: self._texts[key] for token, key in keys.items()}

    def info(self) -> Inventory:
        """Return what the database holds: models, and figures by layer."""
        return read_inventory(self._connection, self._models)

    def verify(self) -> None:
        """Compare the file with the checksum taken when it was built.

        Raises DatabaseFormatError where they differ, DatabaseError where there is no checksum beside it.
        """
        if not is_sealed(self.path):
            raise DatabaseError(
                f"no checksum lies beside {self.path}, so it cannot be verified: build it again"
            )
        if not verify_seal(self.path):
            raise DatabaseFormatError(
                f"{self.path} is damaged: it differs from the file that was built; run `n2gdb ingest` again"
            )

    def close(self) -> None:
        """Give the file back; closing twice does nothing."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _no_neuron(self, name: NeuronName, model: ModelInfo) -> UnknownNameError:
        if name.layer >= model.n_layers:
            return UnknownNameError(
                f"{model.name} has no layer {name.layer}: its layers are 0 to {model.n_layers - 1}"
            )
        if name.index >= model.d_mlp:
            return UnknownNameError(
                f"{model.name} has no neuron {name}: layer {name.layer} has N0 to N{model.d_mlp - 1}"
            )
        rows = self._connection.rows(
            "MATCH (n:Neuron) WHERE n.model = $model AND n.layer = $layer"
            " RETURN count(n.id), min(n.index), max(n.index)",
            {"model": model.number, "layer": name.layer},
        )
        count, low, high = rows[0]
        held = (
            f"{count} neurons of layer {name.layer}, N{low} to N{high}"
            if count
            else f"none of layer {name.layer}"
        )
        return UnknownNameError(f"{name} of {model.name} was not ingested: the database holds {held}")


def _needs_every_token(clauses: Formula[Matching] | None) -> bool:
    """Tell whether a hit proves that every token named exists: no clause is negated or one of several."""
    from n2gdb.grammar.ast import And, Matching

    if isinstance(clauses, And):
        return all(_needs_every_token(operand) for operand in clauses.operands)
    return isinstance(clauses, Matching)
