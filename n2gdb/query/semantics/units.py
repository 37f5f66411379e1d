"""Turns a query's subject (neurons, latents, all units) into a condition on the kind of unit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from n2gdb.core.units import MLP
from n2gdb.grammar.ast import And, Comparison, Condition, Formula, InList, Operator, Query, Subject

__all__ = ["LATENT_KINDS", "of_asked_units"]

#: Kinds of sources whose units are latents.
LATENT_KINDS = ("sae", "transcoder")


def of_asked_units(query: Query, kinds: Collection[str]) -> Query:
    """Return a query with its units, or those whose patterns it asks for, said in WHERE.

    ``latents`` are those of SAEs and transcoders. ``neurons`` are the units of MLPs, which needs no condition
    where a database holds nothing else; ``kinds`` are those of the sources that it holds.
    """
    condition: Condition
    units = query.owners or query.subject
    if units is Subject.LATENTS:
        condition = InList("kind", LATENT_KINDS)
    elif units is Subject.NEURONS and any(kind != MLP for kind in kinds):
        condition = Comparison("kind", Operator.EQUAL, MLP)
    else:
        return query
    asked: Formula[Condition] = condition
    return replace(query, where=asked if query.where is None else And((query.where, asked)))
