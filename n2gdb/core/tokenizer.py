"""Tokenizers as a database stores them: text in, token ids out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from n2gdb.errors import DatabaseFormatError, QueryError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Engine

__all__ = ["Cutter", "Tokenizer"]

#: Stages that cut a text at white space and drop it.
_DROP_SPACES = {"WhitespaceSplit", "Whitespace", "BertPreTokenizer"}


class Cutter(Protocol):
    """Cuts texts into tokens."""

    def cut(self, text: str) -> tuple[int, ...]:
        """Return the token ids of ``text``: (tokens,)."""
        ...


class Tokenizer:
    """A model's tokenizer: cuts a text into tokens, special tokens left out.

    >>> [db.text(token) for token in db.tokenizer().cut("the other")]
    ['the', ' other']
    """

    def __init__(self, stored: str) -> None:
        """Read the JSON of the tokenizers library; raise DatabaseFormatError if it is none."""
        from tokenizers import Tokenizer as Reader  # a twentieth of a second: only where a text is cut

        self._stored = stored
        try:
            self._engine: Engine = Reader.from_str(stored)
        except Exception as error:  # the library raises Exception itself
            raise DatabaseFormatError(
                "the stored tokenizer cannot be read: build the database again with `n2gdb ingest`"
            ) from error

    def __repr__(self) -> str:
        return f"<Tokenizer {self._engine.get_vocab_size():,} tokens>"

    def cut(self, text: str) -> tuple[int, ...]:
        """Return the token ids of a whole ``text``, none of them special: (tokens,).

        Some tokenizers put a space in front of a text that has none, as they did when the model was trained.
        Raises QueryError if the text holds half a character, as bytes that are not UTF-8 give.

        >>> db.tokenizer().cut("the other")
        (1210, 631)
        """
        return self._cut(self._engine, text)

    def cut_inside(self, text: str) -> tuple[int, ...]:
        """Return the token ids of a part of a text, which other text stands before: no space is added.

        >>> [db.text(token) for token in db.tokenizer().cut_inside("the other")]
        ['the', ' other']
        """
        inside, drops_spaces = self._inside
        if not drops_spaces:
            return self._cut(inside, text)
        # Where words are cut apart first, a space is known by what is put in front of the word behind it.
        if text[:1].isspace():
            return self._cut(self._engine, text)
        word, space, rest = text.partition(" ")
        return self._cut(inside, word) + (self._cut(self._engine, rest) if space else ())

    @property
    def inside(self) -> Cutter:
        """What cuts parts of texts, as ``cut_inside`` does.

        >>> db.tokenizer().inside.cut("the other") == db.tokenizer().cut_inside("the other")
        True
        """
        return _Inside(self)

    @cached_property
    def _inside(self) -> tuple[Engine, bool]:
        """The same without what puts a space in front, and whether it then loses spaces."""
        stages = json.loads(self._stored)
        before = deepcopy((stages.get("pre_tokenizer"), stages.get("normalizer")))
        parts = list(_parts(stages.get("pre_tokenizer")))
        prepends = [part for part in parts if part["type"] == "Metaspace"]
        for part in prepends:
            part["prepend_scheme"] = "never"
            part.pop("add_prefix_space", None)
        for part in parts:
            if part["type"] == "ByteLevel":
                part["add_prefix_space"] = False
        stages["normalizer"] = _without_edges(stages.get("normalizer"))
        drops_spaces = bool(prepends) and any(part["type"] in _DROP_SPACES for part in parts)
        if before == (stages.get("pre_tokenizer"), stages["normalizer"]):
            return self._engine, drops_spaces  # to make another takes long where the vocabulary is large
        return type(self._engine).from_str(json.dumps(stages)), drops_spaces

    @staticmethod
    def _cut(engine: Engine, text: str) -> tuple[int, ...]:
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise QueryError("the text holds half a character, which no token can read: write it in UTF-8")
        return tuple(engine.encode(text, add_special_tokens=False).ids)


@dataclass(frozen=True, slots=True)
class _Inside:
    """Cuts parts of texts by a tokenizer."""

    tokenizer: Tokenizer

    def cut(self, text: str) -> tuple[int, ...]:
        return self.tokenizer.cut_inside(text)


def _parts(stage: Any) -> Iterator[dict[str, Any]]:
    """Yield a stage, and those that it is a sequence of."""
    if stage is None:
        return
    yield stage
    for part in stage.get("pretokenizers", stage.get("normalizers", ())):
        yield from _parts(part)


def _without_edges(normalizer: Any) -> Any:
    """A normalizer without the steps that put a space in front of a text, or take those at its ends away."""
    if normalizer is None or normalizer["type"] in ("Prepend", "Strip"):
        return None
    if normalizer["type"] != "Sequence":
        return normalizer
    kept = [_without_edges(part) for part in normalizer["normalizers"]]
    return {**normalizer, "normalizers": [part for part in kept if part is not None]}
