"""The patterns of a neuron's graph, and their tokens by role, in readable form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from n2gdb.core.paths import PathStep, filled, written
from n2gdb.core.tokens import display
from n2gdb.query.answer import answer_of

if TYPE_CHECKING:
    from n2gdb.core.graph import NeuronGraph
    from n2gdb.query.answer import Answer

__all__ = ["NeuronPattern", "NeuronToken", "patterns_of", "tokens_of"]


@dataclass(frozen=True, slots=True)
class NeuronPattern:
    """One pattern of a neuron's graph: its path in text order, and the normalised activation it predicts.

    ``support`` is how often it occurs in the corpus, ``confidence`` on which share of these occurrences the
    neuron fires; None where that was not counted, or the pattern does not occur.

    >>> strongest = neuron.patterns()[0]
    >>> print(strongest, strongest.activation, len(strongest.path))
    ·the · ·other 1.0 2
    """

    path: tuple[PathStep, ...]
    activation: float
    support: int | None = None
    confidence: float | None = None

    def __repr__(self) -> str:
        return f"<NeuronPattern activation {self.activation:.2f}: {self}>"

    def __str__(self) -> str:
        return written(self.path)


@dataclass(frozen=True, slots=True)
class NeuronToken:
    """A token in a role of a neuron's patterns: ``activating``, or ``context``.

    ``token`` is its text. ``activation`` is the largest of the ``n_patterns`` patterns that have it in this
    role; ``importance`` the largest that it has as context, None for an activating token.

    >>> first = db["L4N358"].tokens()[0]
    >>> first.role, first.token, first.n_patterns
    ('activating', ' other', 3)
    """

    role: str
    token: str
    activation: float
    importance: float | None
    n_patterns: int

    def __repr__(self) -> str:
        return f"<NeuronToken {self.role} {display(self.token)} activation {self.activation:.2f}>"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON.

        >>> neuron.tokens()[0].as_dict()["token"]
        ' other'
        """
        return asdict(self)


def patterns_of(graph: NeuronGraph, texts: Mapping[int, str]) -> tuple[NeuronPattern, ...]:
    """Return the patterns of a graph, the strongest first; ``texts`` are of its tokens."""
    found = []
    for pattern in (each.decimal() for each in graph.patterns()):
        steps = [
            PathStep(step.depth, step.token, texts[step.token], step.importance if step.depth else None)
            for step in pattern.steps
        ]
        found.append(NeuronPattern(filled(steps), pattern.activation, pattern.support, pattern.confidence))
    return tuple(sorted(found, key=lambda each: -each.activation))


def tokens_of(graph: NeuronGraph, texts: Mapping[int, str]) -> Answer[NeuronToken]:
    """Return the tokens of a graph by role, activating ones first; the most activating first."""
    found: dict[tuple[str, str], list[tuple[float, float | None]]] = {}
    for pattern in (each.decimal() for each in graph.patterns()):
        here: dict[tuple[str, str], float | None] = {}
        for step in pattern.steps:
            key = ("context" if step.depth else "activating", texts[step.token])
            here[key] = max(here.get(key) or 0.0, step.importance) if step.depth else None
        for key, importance in here.items():
            found.setdefault(key, []).append((pattern.activation, importance))
    tokens = [
        NeuronToken(
            *key,
            max(activation for activation, _ in each),
            max((importance for _, importance in each if importance is not None), default=None),
            len(each),
        )
        for key, each in found.items()
    ]
    tokens.sort(key=lambda each: (each.role, -each.activation, each.token))
    return answer_of(tokens, ("role", "token", "activation", "importance", "n_patterns"))
