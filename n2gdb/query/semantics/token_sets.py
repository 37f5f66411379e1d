"""Token sets: the tokens of a database that pass a test, and their Cypher."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from n2gdb.grammar.records import dataclass
from n2gdb.storage.parameters import MOST_COMPARED, Parameters
from n2gdb.storage.shapes import node_in

if TYPE_CHECKING:  # both take longer to load than most answers
    import pyarrow as pa

    from n2gdb.core.arrays import BoolArray

__all__ = [
    "Among",
    "AnyOf",
    "EachOf",
    "NotA",
    "OfKind",
    "Reads",
    "TokenSet",
    "is_broad",
    "is_keyed",
    "is_listable",
    "mask",
    "members",
    "reads",
]

#: Tokens that may be listed in a statement: a list is searched from end to end for every row.
MOST_LISTED = 4000
#: Tokens beyond which a set is a large part of the vocabulary.
_MANY = 1000


@dataclass(frozen=True, slots=True)
class Reads:
    """The tokens that a literal means: those whose text, or else normalised text, has this key."""

    key: int
    exact: bool
    tokens: tuple[int, ...]  # Token.id


@dataclass(frozen=True, slots=True)
class Among:
    """These tokens, by Token.id."""

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OfKind:
    """The tokens of a class: those with one of these bits of ``tokens.kinds_of``."""

    bits: int


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The tokens of any of the sets."""

    sets: tuple[TokenSet, ...]


@dataclass(frozen=True, slots=True)
class EachOf:
    """The tokens of every set."""

    sets: tuple[TokenSet, ...]


@dataclass(frozen=True, slots=True)
class NotA:
    """The tokens outside a set."""

    inner: TokenSet


TokenSet: TypeAlias = Reads | Among | OfKind | AnyOf | EachOf | NotA


def reads(node: str, tokens: TokenSet, parameters: Parameters) -> str:
    """Return Cypher for: the Token at the variable ``node`` is one of ``tokens``."""
    match tokens:
        case Reads(key, exact):
            return f"{node}.{'text_key' if exact else 'norm_key'} = {parameters.bind(key)}"
        case Among((token,)):
            return f"{node}.id = {parameters.bind(token)}"
        case Among(many):
            return node_in(f"{node}.id", many, parameters)
        case OfKind(bits):
            return f"bitwise_and({node}.classes, {parameters.bind(bits)}) <> 0"
        case AnyOf(sets):
            return f"({' OR '.join(reads(node, each, parameters) for each in sets)})"
        case EachOf(sets):
            return f"({' AND '.join(reads(node, each, parameters) for each in sets)})"
        case NotA(inner):
            return f"NOT ({reads(node, inner, parameters)})"


def members(tokens: TokenSet) -> tuple[int, ...] | None:
    """Return the tokens one by one, by Token.id, where they are few enough to be compared so; else None."""
    listed = _listed(tokens)
    return None if listed is None or len(listed) > MOST_COMPARED else tuple(sorted(listed))


def is_keyed(tokens: TokenSet) -> bool:
    """Return whether the engine sees by itself that these are few: an equality, not a list."""
    return isinstance(tokens, Reads) or (isinstance(tokens, Among) and len(tokens.tokens) == 1)


def is_broad(tokens: TokenSet | None) -> bool:
    """Return whether these may be a large part of the vocabulary; None is all of it."""
    match tokens:
        case Reads():
            return False
        case Among(many):
            return len(many) > _MANY
        case AnyOf(sets):
            return any(is_broad(each) for each in sets)
        case EachOf(sets):
            return all(is_broad(each) for each in sets)
        case _:
            return True


def is_listable(tokens: TokenSet | None) -> bool:
    """Return whether a statement can ask for these without a list that is too long."""
    match tokens:
        case Among(many):
            return len(many) <= MOST_LISTED
        case AnyOf(sets) | EachOf(sets):
            return all(is_listable(each) for each in sets)
        case NotA(inner):
            return is_listable(inner)
        case _:
            return True


def mask(tokens: TokenSet | None, vocabulary: pa.Table) -> BoolArray:
    """Return which rows of ``Vocabulary.table`` are in a set: (tokens,) bool."""
    import numpy as np

    inside: BoolArray
    match tokens:
        case None:
            return np.ones(len(vocabulary), np.bool_)
        case Reads(tokens=ids) | Among(ids):
            return np.isin(vocabulary["id"].to_numpy(), ids)
        case OfKind(bits):
            inside = (vocabulary["classes"].to_numpy() & bits) != 0
            return inside
        case AnyOf(sets):
            inside = np.logical_or.reduce([mask(each, vocabulary) for each in sets])
            return inside
        case EachOf(sets):
            inside = np.logical_and.reduce([mask(each, vocabulary) for each in sets])
            return inside
        case NotA(inner):
            return ~mask(inner, vocabulary)


def _listed(tokens: TokenSet) -> set[int] | None:
    match tokens:
        case Reads(tokens=ids) | Among(ids):
            return set(ids)
        case AnyOf(sets):
            inner = list(_each(sets))
            return None if None in inner else {token for each in inner for token in each or ()}
        case _:
            return None


def _each(sets: tuple[TokenSet, ...]) -> Iterator[set[int] | None]:
    return (_listed(each) for each in sets)
