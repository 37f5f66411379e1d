"""A vocabulary without a database, for tests that only compile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from n2gdb.core.tokens import kinds_of, normalise, text_key
from n2gdb.grammar.ast import TokenLiteral
from n2gdb.query.semantics.vocabulary import Vocabulary

__all__ = ["FEW_WORDS", "few_words"]

#: Token i of the only model is FEW_WORDS[i].
FEW_WORDS = (
    *(
        "<eos>",
        " the",
        "the",
        " The",
        " end",
        "end",
        "End",
        " of",
        " a",
        "a",
        "b",
        " c",
        "x",
        " New",
        " York",
    ),
    *("7", " 42", ",", "\n", " dog", " barks", "barked"),
)


class _Cutter:
    """Cuts a text at spaces into tokens of FEW_WORDS; a text with any other word is cut to nothing."""

    def cut(self, text: str) -> tuple[int, ...]:
        words = [f" {word}" for word in text.split(" ")]
        words[0] = words[0][1:] if not text.startswith(" ") else words[1]
        words[1:] = words[2:] if text.startswith(" ") else words[1:]
        known = all(word in FEW_WORDS for word in words)
        return tuple(FEW_WORDS.index(word) for word in words) if known else ()


class _AllHeld(Vocabulary):
    """Without graphs to look into, every way to cut a text counts."""

    def held(self, literal: TokenLiteral) -> tuple[tuple[int, ...], ...]:
        return self.cuts(literal)


def few_words() -> Vocabulary:
    """Return the vocabulary of one model, number 0, with a tokenizer."""
    return _AllHeld(_rows, _table, {0: _Cutter})


def _rows(cypher: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """Answer the statements that a vocabulary looks tokens up by."""
    if cypher == "MATCH (t:Token) WHERE t.id = $token RETURN t.text":
        return [(FEW_WORDS[int(str(parameters["token"]))],)]
    assert cypher.startswith("MATCH (t:Token) WHERE t.")
    asked = set(parameters.values())
    found = [(i, text, text_key(normalise(text)), text_key(text)) for i, text in enumerate(FEW_WORDS)]
    return [row for row in found if asked & set(row[2:])]


def _table(cypher: str, parameters: Mapping[str, object]) -> pa.Table:
    assert "ORDER BY offset(id(t))" in cypher
    assert not parameters
    return pa.table(
        {
            "id": pa.array(range(len(FEW_WORDS)), pa.int64()),
            "text": list(FEW_WORDS),
            "classes": pa.array([kinds_of(text) for text in FEW_WORDS], pa.int64()),
        }
    )
