"""Clauses that compare neurons with a given one, and the builder's methods for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

from n2gdb.core import arguments
from n2gdb.core.neuron_view import AnyUnit
from n2gdb.grammar.ast import DEFAULT_METRIC, Clause, ContainedIn, Contains, Query, SimilarTo
from n2gdb.query.builder.clauses import metric_named, neuron_ref
from n2gdb.query.builder.conditions import Truth

__all__ = ["Comparing", "similar_to", "subset_of", "superset_of"]

#: What subset_of and superset_of are bounded by where nothing is said, as in the query language.
_LIKE_ENOUGH = 0.9


class Comparing(ABC):
    """A query for neurons or patterns, which can ask for likeness to a neuron."""

    __slots__ = ()
    tree: Query

    @abstractmethod
    def having(self, *clauses: Truth[Clause]) -> Self:
        """Require all of ``clauses`` too."""

    def similar_to(
        self,
        neuron: AnyUnit,
        *,
        metric: str = DEFAULT_METRIC.value,
        above: float | None = None,
        sharing: int = 1,
        model: str | None = None,
    ) -> Self:
        """Require a similarity, as in the function ``similar_to``.

        >>> neurons().similar_to("L4N358", above=0.3)
        <QueryBuilder neurons SIMILAR TO L4N358 ABOVE 0.3>
        """
        return self.having(similar_to(neuron, metric=metric, above=above, sharing=sharing, model=model))

    def subset_of(
        self,
        neuron: AnyUnit,
        *,
        above: float = _LIKE_ENOUGH,
        sharing: int = 1,
        model: str | None = None,
    ) -> Self:
        """Require neurons that share at least ``above`` of their tokens with the other, as in ``subset_of``.

        >>> neurons().subset_of("L4N358", sharing=3)
        <QueryBuilder neurons SUBSET OF L4N358 SHARING 3>
        """
        return self.having(subset_of(neuron, above=above, sharing=sharing, model=model))

    def superset_of(
        self,
        neuron: AnyUnit,
        *,
        above: float = _LIKE_ENOUGH,
        sharing: int = 1,
        model: str | None = None,
    ) -> Self:
        """Require neurons that have at least ``above`` of the other's tokens, as in ``superset_of``.

        >>> neurons().superset_of("L4N358")
        <QueryBuilder neurons SUPERSET OF L4N358>
        """
        return self.having(superset_of(neuron, above=above, sharing=sharing, model=model))


def similar_to(
    neuron: AnyUnit,
    *,
    metric: str = DEFAULT_METRIC.value,
    above: float | None = None,
    sharing: int = 1,
    model: str | None = None,
) -> Truth[Clause]:
    """Return the clause for neurons at least ``above`` (0 to 1) similar, which share at least ``sharing``.

    ``metric`` is graph, cofiring, tokens or subset; without ``above`` the bound is the metric's own.

    >>> neurons(similar_to("L4N358", metric="tokens", above=0.5))
    <QueryBuilder neurons SIMILAR TO L4N358 USING tokens ABOVE 0.5>
    """
    least = None if above is None else arguments.number("above", above)
    named = metric_named(metric)
    return Truth(SimilarTo(neuron_ref(neuron, model), named, least, _size(sharing)))


def subset_of(
    neuron: AnyUnit, *, above: float = _LIKE_ENOUGH, sharing: int = 1, model: str | None = None
) -> Truth[Clause]:
    """Return the clause for neurons that share at least ``above`` (0 to 1) of their tokens with the other.

    >>> neurons(subset_of("L4N358", sharing=3))
    <QueryBuilder neurons SUBSET OF L4N358 SHARING 3>
    """
    return Truth(ContainedIn(neuron_ref(neuron, model), arguments.number("above", above), _size(sharing)))


def superset_of(
    neuron: AnyUnit, *, above: float = _LIKE_ENOUGH, sharing: int = 1, model: str | None = None
) -> Truth[Clause]:
    """Return the clause for neurons that have at least ``above`` (0 to 1) of the other's tokens.

    >>> neurons(superset_of("L4N358", above=0.8))
    <QueryBuilder neurons SUPERSET OF L4N358 ABOVE 0.8>
    """
    return Truth(Contains(neuron_ref(neuron, model), arguments.number("above", above), _size(sharing)))


def _size(sharing: int) -> int:
    return arguments.whole("sharing", sharing, -arguments.LARGEST)
