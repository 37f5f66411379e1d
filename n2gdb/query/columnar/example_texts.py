"""The stored examples as text, and which units show a text in theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from n2gdb.core.arrays import BoolArray
from n2gdb.core.byte_tokens import side_by_side
from n2gdb.core.deadline import timed
from n2gdb.core.tokens import without_space

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ExampleTexts"]

_TEXTS = "MATCH (t:Token) RETURN t.id AS id, t.text AS text, t.special AS special"
_WINDOWS = "MATCH (w:Window) RETURN offset(id(w)) AS window, w.model AS model, w.tokens AS tokens"
_SHOWN = "MATCH (n:Neuron)-[:TOP_EXAMPLE]->(w:Window) RETURN n.id AS unit, offset(id(w)) AS window"


class ExampleTexts:
    """The context windows of a database's examples; read when a text is first looked for."""

    def __init__(
        self, table: Callable[[str, Mapping[str, object]], pa.Table], key: Callable[[int, int], int]
    ) -> None:
        """Read through ``table``; ``key`` gives Token.id of a token of a model."""
        self._table = table
        self._key = key

    @cached_property
    def texts(self) -> dict[int, str]:
        """The text of each window, without special tokens."""
        known = self._table(_TEXTS, {})
        columns = (known[name].to_pylist() for name in ("id", "text", "special"))
        text = {token: "" if special else text for token, text, special in zip(*columns, strict=True)}
        found = self._table(_WINDOWS, {})
        rows = zip(*(found[name].to_pylist() for name in ("window", "model", "tokens")), strict=True)
        return {
            window: _joined([text.get(self._key(model, token), "") for token in tokens])
            for window, model, tokens in timed(rows)
        }

    @cached_property
    def _loose(self) -> dict[int, str]:
        return {window: text.casefold() for window, text in self.texts.items()}

    @cached_property
    def _shown(self) -> pa.Table:
        return self._table(_SHOWN, {})

    def showing(self, text: str, *, exact: bool) -> frozenset[int]:
        """Return the ids of the units that show a text in an example: as it is written, or in any case.

        What is not exact is looked for without its leading space.
        """
        wanted = text if exact else without_space(text).casefold()
        texts = self.texts if exact else self._loose
        size = max(texts, default=-1) + 1
        inside: BoolArray = np.zeros(size, np.bool_)
        for window, each in timed(texts.items()):
            inside[window] = wanted in each
        shown = self._shown
        if not len(shown):
            return frozenset()
        return frozenset(shown["unit"].to_numpy()[inside[shown["window"].to_numpy()]].tolist())


def _joined(texts: list[str]) -> str:
    if any("\\x" in text for text in texts):
        texts = [text or "" for _, _, text in side_by_side(texts)]
    return "".join(texts)
