"""Reads what neurons write: the tokens that each promotes and suppresses most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from n2gdb.core.tokens import display
from n2gdb.storage.connection import Connection

__all__ = ["WrittenToken", "read_effects", "read_effects_between"]


@dataclass(frozen=True, slots=True)
class WrittenToken:
    """A token whose logit a neuron moves directly: up where ``logit`` is above 0, else down.

    The logit is at the neuron's maximum activation, relative to the mean over the vocabulary; the scale of
    the final norm is left out.

    >>> first = neuron.promotes[0]
    >>> first.text, first.logit
    (' E', 2.0)
    """

    token: int
    text: str
    logit: float

    def __repr__(self) -> str:
        return f"<WrittenToken {display(self.text)} {self.logit:+.2f}>"

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON.

        >>> neuron.promotes[0].as_dict()["logit"]
        2.0
        """
        return {"token": self.token, "text": self.text, "logit": self.logit}


def read_effects(connection: Connection, key: int) -> tuple[WrittenToken, ...]:
    """Return what the neuron with this key writes, the most promoted first; nothing where none is stored."""
    return read_effects_between(connection, key, key).get(key, ())


def read_effects_between(
    connection: Connection, first: int, last: int
) -> dict[int, tuple[WrittenToken, ...]]:
    """Return the same of the neurons whose keys lie between two, both included; without those of none."""
    rows = connection.rows(
        "MATCH (n:Neuron)-[w:WRITES]->(t:Token) WHERE n.id >= $first AND n.id <= $last"
        " RETURN n.id, t.token, t.text, w.logit, w.rank",
        {"first": first, "last": last},
    )
    found: dict[int, list[tuple[WrittenToken, int]]] = {}
    for key, token, text, logit, rank in rows:
        found.setdefault(key, []).append((WrittenToken(token, text, logit), rank))
    return {key: _ordered(written) for key, written in found.items()}


def _ordered(written: Sequence[tuple[WrittenToken, int]]) -> tuple[WrittenToken, ...]:
    """Order from the most promoted to the most suppressed token."""

    def place(item: tuple[WrittenToken, int]) -> tuple[bool, int]:
        token, rank = item
        return token.logit < 0, -rank if token.logit < 0 else rank

    return tuple(token for token, _ in sorted(written, key=place))
