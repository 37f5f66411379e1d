"""The tokens of a database's models: text into token ids, and ids into text."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from n2gdb.core import arguments
from n2gdb.core.units import token_key
from n2gdb.errors import QueryError
from n2gdb.storage.read.tokens import no_token, read_texts, read_tokenizer, token_ids

if TYPE_CHECKING:
    from n2gdb.core.tokenizer import Tokenizer
    from n2gdb.storage.connection import Connection
    from n2gdb.storage.read.catalog import ModelInfo

__all__ = ["ModelTokens"]


class ModelTokens(ABC):
    """What a ``Database`` says of its models' tokens; texts and tokenizers are kept once they are read."""

    @property
    @abstractmethod
    def connection(self) -> Connection:
        """The open file."""

    @abstractmethod
    def model(self, name: str | None = None) -> ModelInfo:
        """Return a model by its name, or the only one."""

    @cached_property
    def _texts(self) -> dict[int, str]:
        return {}

    @cached_property
    def _tokenizers(self) -> dict[int, Tokenizer | None]:
        return {}

    def tokenize(self, text: str, model: str | None = None) -> tuple[int, ...]:
        """Return the token ids of a text in a model, without special tokens; raises like ``tokenizer``.

        >>> [db.text(token) for token in db.tokenize("the other side")]
        ['the', ' other', ' side']
        """
        return self.tokenizer(model).cut(arguments.text("text", text))

    def cut(self, text: str, model: str | None = None) -> tuple[int, ...]:
        """Return the same as ``tokenize``, under its old name; warns with DeprecationWarning."""
        warnings.warn("Database.cut is now Database.tokenize", DeprecationWarning, stacklevel=2)
        return self.tokenize(text, model)

    def tokenizer(self, model: str | None = None) -> Tokenizer:
        """Return the tokenizer of a model; raise QueryError if it was ingested without one.

        >>> db.tokenizer().cut(" the other")
        (267, 631)
        """
        owner = self.model(model)
        if (found := self._tokenizer(owner.number)) is None:
            raise QueryError(
                f"{owner.name} was ingested without a tokenizer: ingest it with one to tokenize text"
            )
        return found

    def text(self, token: int, model: str | None = None) -> str:
        """Return the text of a token id; raise UnknownNameError for one that the model does not have.

        >>> db.text(631)
        ' other'
        """
        return self.texts([token], model)[int(token)]

    def texts(self, tokens: Iterable[int], model: str | None = None) -> dict[int, str]:
        """Return the texts of token ids in one look-up; raise UnknownNameError for an unknown one.

        >>> db.texts([267, 631])
        {267: ' the', 631: ' other'}
        """
        owner = self.model(model)
        keys = {token: token_key(owner.number, token) for token in token_ids(owner, tokens)}
        if missing := set(keys.values()) - self._texts.keys():
            self._texts.update(read_texts(self.connection, missing))
        if unknown := [token for token, key in keys.items() if key not in self._texts]:
            raise no_token(owner, unknown[0])
        return {token: self._texts[key] for token, key in keys.items()}

    def _tokenizer(self, number: int) -> Tokenizer | None:
        if number not in self._tokenizers:
            from n2gdb.core.tokenizer import Tokenizer

            text = read_tokenizer(self.connection, number)
            self._tokenizers[number] = None if text is None else Tokenizer(text)
        return self._tokenizers[number]
