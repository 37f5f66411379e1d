"""What to say of a token that a query names and no model has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from n2gdb.inventory import ModelInfo
from n2gdb.store import Connection
from n2gdb.tokens import normalise

if TYPE_CHECKING:  # lark takes longer to load than most answers
    from n2gdb.grammar.ast import TokenLiteral

__all__ = ["unknown_tokens"]

_SHOWN = 3
_LENGTHS = 2  # characters that a near token may be longer or shorter


def _key(literal: TokenLiteral) -> str:
    """What the column ``text``, or else ``norm``, must be."""
    return literal.text if literal.exact else normalise(literal.text)


def _written(text: str, exact: bool) -> str:
    return f'"{text}"' if exact else f"'{text}'"


def unknown_tokens(
    connection: Connection, models: Sequence[ModelInfo], literals: Iterable[TokenLiteral]
) -> tuple[str, ...]:
    """Return a sentence for each literal that no model has a token for, with near tokens they have."""
    wanted = sorted(set(literals), key=lambda literal: (literal.text, literal.exact))
    if not wanted:
        return ()
    conditions = [
        f"t.{'text' if literal.exact else 'norm'} = $wanted{place}" for place, literal in enumerate(wanted)
    ]
    rows = connection.rows(
        f"MATCH (t:Token) WHERE {' OR '.join(conditions)} RETURN t.norm, t.text",
        {f"wanted{place}": _key(literal) for place, literal in enumerate(wanted)},
    )
    norms, texts = {norm for norm, _ in rows}, {text for _, text in rows}
    unknown = [literal for literal in wanted if _key(literal) not in (texts if literal.exact else norms)]
    names = " or ".join(model.name for model in models)
    return tuple(_sentence(connection, names, literal) for literal in unknown)


def _sentence(connection: Connection, models: str, literal: TokenLiteral) -> str:
    near = _near(connection, literal)
    if not near:
        return f"no token of {models} reads {literal}, and none is near"
    counts = _neurons(connection, near, literal.exact)
    shown = ", ".join(f"{_written(text, literal.exact)} ({_plural(counts.get(text, 0))})" for text in near)
    return f"no token of {models} reads {literal}; near: {shown}"


def _near(connection: Connection, literal: TokenLiteral) -> list[str]:
    """Return the nearest texts, or normalised texts, of the models' tokens: nearest first."""
    rows = connection.rows("MATCH (t:Token) WHERE NOT t.special RETURN t.norm, t.text")
    wanted = normalise(literal.text)
    known = {norm for norm, _ in rows if norm.strip()}
    alike = sorted(norm for norm in known - {wanted} if abs(len(norm) - len(wanted)) <= _LENGTHS)
    beginnings = (wanted[:end] for end in range(len(wanted) - 1, 1, -1))  # as a tokenizer may cut the word
    near = [wanted] if wanted in known else []
    near += get_close_matches(wanted, alike, _SHOWN)
    near += [beginning for beginning in beginnings if beginning in known]
    if literal.exact:
        near = [text for norm in near for text in sorted({row[1] for row in rows if row[0] == norm})]
    return list(dict.fromkeys(near))[:_SHOWN]


def _neurons(connection: Connection, near: list[str], exact: bool) -> dict[str, int]:
    """Count the neurons whose graphs name each near token, in either role."""
    column = "text" if exact else "norm"
    rows = connection.rows(
        f"MATCH (t:Token)<-[:ACTIVATES_ON|CONTEXT]-(n:Neuron) WHERE t.{column} IN $near"
        f" RETURN t.{column}, count(DISTINCT n.id)",
        {"near": near},
    )
    return {text: int(count) for text, count in rows}


def _plural(count: int) -> str:
    return "1 neuron" if count == 1 else f"{count} neurons"
