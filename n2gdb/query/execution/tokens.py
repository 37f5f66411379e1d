"""Answers ``tokens ACTIVATING L3N45``: the tokens of one neuron's patterns in a role."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from n2gdb.core.tokens import display
from n2gdb.query.execution.context import Session
from n2gdb.query.execution.plan import TokenPlan, TokenSetPlan

__all__ = ["TokenHit", "find_set_tokens", "find_tokens"]


@dataclass(frozen=True, slots=True)
class TokenHit:
    """A token in a role of a neuron's patterns.

    ``activation`` is the largest of the ``n_patterns`` patterns with the token in this role, ``importance``
    its largest as context, None for an activating token.

    >>> [(hit.token, hit.activation, hit.n_patterns) for hit in db.query("tokens ACTIVATING L4N12")]
    [(' other', 1.0, 1), (' end', 0.625, 1)]
    """

    token: str
    activation: float
    importance: float | None
    n_patterns: int

    def __repr__(self) -> str:
        return f"<TokenHit {display(self.token)} activation {self.activation:.2f}>"

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON.

        >>> db.query("tokens ACTIVATING L4N12")[0].as_dict()["token"]
        ' other'
        """
        return {
            "token": self.token,
            "activation": self.activation,
            "importance": self.importance,
            "n_patterns": self.n_patterns,
        }


def find_tokens(session: Session, plan: TokenPlan) -> list[TokenHit]:
    """Return the tokens of a neuron in a role, strongest first, without LIMIT and OFFSET."""
    nodes = session.run("read the tokens", plan.nodes)
    ends = session.run("read where patterns end", plan.ends)
    by_text: dict[str, list[tuple[int, int, float, float | None]]] = {}
    for text, *node in nodes:
        by_text.setdefault(text, []).append(tuple(node))
    found = [_token(text, places, [end for (end,) in ends]) for text, places in by_text.items()]
    return sorted(found, key=lambda hit: (-hit.activation, hit.token))


def find_set_tokens(session: Session, plan: TokenSetPlan) -> list[TokenHit]:
    """Return the tokens that meet every term of a query over sets of units, the most activating first."""
    from n2gdb.query.execution.role_counts import tokens_of_sets

    return [TokenHit(*each) for each in tokens_of_sets(session, plan)]


def _token(
    text: str, places: Iterable[tuple[int, int, float, float | None]], ends: Iterable[int]
) -> TokenHit:
    placed = list(places)
    importances = [importance for *_, importance in placed if importance is not None]
    return TokenHit(
        text,
        max(activation for _, _, activation, _ in placed),
        max(importances, default=None),
        sum(any(pre <= end <= last for pre, last, *_ in placed) for end in ends),
    )
