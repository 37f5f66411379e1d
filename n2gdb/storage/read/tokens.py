"""Tokens of a database: texts, tokenizers, and how many neurons' graphs name each."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Literal

from n2gdb.core import arguments
from n2gdb.core.units import MOST_TOKENS
from n2gdb.errors import UnknownNameError
from n2gdb.storage.connection import Connection

if TYPE_CHECKING:
    from n2gdb.storage.read.catalog import ModelInfo

__all__ = ["count_neurons", "no_token", "read_texts", "read_tokenizer", "token_ids"]

_RELATIONS = {"activating": "ACTIVATES_ON", "context": "CONTEXT"}


def read_texts(connection: Connection, keys: Collection[int]) -> dict[int, str]:
    """Return the texts of the tokens with these keys; a key that no token has is left out."""
    rows = connection.rows("MATCH (t:Token) WHERE t.id IN $keys RETURN t.id, t.text", {"keys": sorted(keys)})
    return dict(rows)


def read_tokenizer(connection: Connection, model: int) -> str | None:
    """Return a model's tokenizer as JSON, None if it was ingested without one."""
    ((text,),) = connection.rows("MATCH (m:Model) WHERE m.id = $number RETURN m.tokenizer", {"number": model})
    return text or None


def count_neurons(
    connection: Connection, role: Literal["activating", "context"], keys: Collection[int]
) -> dict[int, int]:
    """Count by token key the neurons whose graphs hold the token in a role; those of none are left out."""
    if not keys:
        return {}
    rows = connection.rows(
        f"MATCH (n:Neuron)-[x:{_RELATIONS[role]}]->(t:Token) WHERE t.id IN $keys"
        " RETURN t.id, count(DISTINCT n.id)",
        {"keys": sorted(keys)},
    )
    return dict(rows)


def token_ids(owner: ModelInfo, tokens: Iterable[int]) -> tuple[int, ...]:
    """Return token ids; raise UnknownNameError for one that no model could have."""
    ids = arguments.wholes("tokens", tokens, -arguments.LARGEST)
    for token in ids:
        if not 0 <= token < MOST_TOKENS:
            raise no_token(owner, token)
    return ids


def no_token(owner: ModelInfo, token: int) -> UnknownNameError:
    """Return the error for a token that a model does not have."""
    return UnknownNameError(f"{owner.name} has no token {token}: its ids end at {owner.d_vocab - 1}")
