"""The Python door to a database: open it, ask it, look at a neuron."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from n2gdb.errors import DatabaseError, DatabaseFormatError, QueryError, UnknownNameError
from n2gdb.inventory import Inventory, ModelInfo, read_inventory, read_models
from n2gdb.names import find_model, missing_neuron, neuron_key
from n2gdb.neuron import NeuronName
from n2gdb.seal import is_sealed, verify_seal
from n2gdb.store import Connection
from n2gdb.stored_neuron import Neuron, load_neuron

if TYPE_CHECKING:
    from n2gdb.answer import Answer
    from n2gdb.grammar.ast import Statement
    from n2gdb.session import Session
    from n2gdb.tokenizer import Tokenizer
    from n2gdb.vocabulary import Vocabulary

__all__ = ["Database", "default_path", "open_database"]


def default_path() -> Path:
    """Return the database used when none is named: ``$N2GDB_DB``, else ``neurons.n2gdb`` here."""
    return Path(os.environ.get("N2GDB_DB") or "neurons.n2gdb")


def open_database(path: str | os.PathLike[str] | None = None) -> Database:
    """Open a database to read; ``n2gdb.open`` is this function.

    Raises DatabaseNotFoundError, DatabaseFormatError or DatabaseLockedError.
    """
    return Database(Connection.open(Path(path) if path is not None else default_path()))


class Database:
    """A database opened to read; a context manager, for any number of threads."""

    def __init__(self, connection: Connection) -> None:
        """Take a connection over: ``n2gdb.open(path)`` makes both."""
        self._connection = connection
        self._texts: dict[int, str] = {}
        self._tokenizers: dict[int, Tokenizer | None] = {}

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

    def query(self, query: str | Statement, *, timeout: float | None = None) -> Answer[Any]:
        """Answer a query of the language, read already or not.

        Records are Hit for neurons, PatternHit for patterns, GroupCount for COUNT, TokenHit for tokens and
        Stage for EXPLAIN and PROFILE. Raises QuerySyntaxError where it does not parse, UnknownNameError for
        a name that does not exist, QueryError where it asks for what cannot be answered, QueryTimeoutError
        where a statement takes longer than ``timeout`` seconds.
        """
        from n2gdb.answering import answer

        return answer(self._session(timeout), _read(query))

    def count(self, query: str | Statement, *, timeout: float | None = None) -> int:
        """Count what a query finds, its LIMIT and OFFSET aside; raises as ``query`` does."""
        from n2gdb.answering import count

        return count(self._session(timeout), _read(query))

    def tokenizer(self, model: str | None = None) -> Tokenizer:
        """Return the tokenizer of a model; raise QueryError where it was ingested without one."""
        owner = self.model(model)
        found = self._tokenizer(owner.number)
        if found is None:
            raise QueryError(
                f"{owner.name} came without a tokenizer, so no text can be cut: ingest it with one"
            )
        return found

    def _session(self, timeout: float | None) -> Session:
        from n2gdb.session import Session

        return Session(
            partial(self._connection.rows, timeout=timeout),
            partial(self._connection.table, timeout=timeout),
            self._models,
            self._vocabulary,
            self._tokenizer,
        )

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        from n2gdb.vocabulary import Vocabulary

        cutters = {model.number: partial(self._tokenizer, model.number) for model in self._models}
        return Vocabulary(self._connection.rows, self._connection.table, cutters)

    def _tokenizer(self, number: int) -> Tokenizer | None:
        if number not in self._tokenizers:
            from n2gdb.tokenizer import Tokenizer

            rows = self._connection.rows(
                "MATCH (m:Model) WHERE m.id = $number RETURN m.tokenizer", {"number": number}
            )
            self._tokenizers[number] = Tokenizer(rows[0][0]) if rows[0][0] else None
        return self._tokenizers[number]

    def neuron(self, name: str | NeuronName, model: str | None = None) -> Neuron:
        """Return a neuron by its name; ``model`` is needed where the database holds several.

        Raises UnknownNameError where the database does not hold it, saying what it holds.
        """
        wanted = NeuronName.parse(name) if isinstance(name, str) else name
        owner = self.model(model)
        key = neuron_key(owner, wanted)
        found = None if key is None else load_neuron(self._connection, key, wanted, owner.name)
        if found is None:
            raise missing_neuron(self._connection.rows, owner, wanted)
        return found

    def model(self, name: str | None = None) -> ModelInfo:
        """Return a model by its name, or the only one; raise UnknownNameError where that is not clear."""
        return find_model(self._models, name)

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


def _read(query: str | Statement) -> Statement:
    from n2gdb.compiler import read_query

    return read_query(query) if isinstance(query, str) else query
