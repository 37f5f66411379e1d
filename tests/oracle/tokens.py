"""The tokens of a neuron in a role, with their part in its patterns."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from n2gdb.grammar.ast import Role, TokenQuery
from tests.oracle.world import World

__all__ = ["Token", "tokens"]


@dataclass(frozen=True)
class Token:
    """A token's part in a neuron's patterns."""

    text: str
    activation: float
    importance: float | None
    n_patterns: int


def tokens(query: TokenQuery, world: World) -> list[Token]:
    """Return the tokens of a neuron in a role, the most activating first."""
    neuron = world.neuron(query.neuron, None)
    with_text: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for end, pattern in neuron.patterns.items():
        for step in pattern.steps:
            if (step.depth > 0) == (query.role is Role.CONTEXT):
                text = neuron.model.texts[step.token]
                with_text[text].append((pattern.activation, step.importance, end))
    rows = [
        Token(
            text,
            max(activation for activation, _, _ in places),
            max(importance for _, importance, _ in places) if query.role is Role.CONTEXT else None,
            len({end for _, _, end in places}),
        )
        for text, places in with_text.items()
    ]
    return sorted(rows, key=lambda row: (-row.activation, row.text))
