"""The tokenizer that a model was ingested with, as the database keeps it: text in, token ids out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from n2gdb.errors import DatabaseFormatError, QueryError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Engine

__all__ = ["Tokenizer"]


class Tokenizer:
    """Cuts a text into the tokens of one model, special tokens left out."""

    def __init__(self, stored: str) -> None:
        """Read the JSON of the tokenizers library; raise DatabaseFormatError where it is none."""
        from tokenizers import Tokenizer as Reader  # a twentieth of a second: only where a text is cut

        try:
            self._engine: Engine = Reader.from_str(stored)
        except Exception as error:  # the library raises Exception itself
            raise DatabaseFormatError(
                "the stored tokenizer cannot be read: build the database again with `n2gdb ingest`"
            ) from error

    def cut(self, text: str) -> tuple[int, ...]:
        """Return the token ids of ``text``, none of them special: (tokens,).

        Raises QueryError where the text holds half a character, as bytes that are not UTF-8 give.
        """
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise QueryError("the text holds half a character, which no token can read: write it in UTF-8")
        return tuple(self._engine.encode(text, add_special_tokens=False).ids)
