"""Which units a query is about: neurons, latents or all, as a condition on their kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from n2gdb.core.units import MLP
from n2gdb.grammar.ast import And, Comparison, Condition, Formula, InList, Operator, Query, Subject
from n2gdb.storage.read.catalog import ModelInfo

__all__ = ["LATENT_KINDS", "of_asked_units"]

#: Kinds of sources whose units are latents.
LATENT_KINDS = ("sae", "transcoder")


def of_asked_units(query: Query, models: Sequence[ModelInfo]) -> Query:
    """Return a query with its subject said in WHERE: ``latents`` are those of SAEs and transcoders.

    ``neurons`` are the units of MLPs, which needs no condition where a database holds nothing else.
    """
    condition: Condition
    if query.subject is Subject.LATENTS:
        condition = InList("kind", LATENT_KINDS)
    elif query.subject is Subject.NEURONS and any(
        source.kind != MLP for model in models for source in model.sources
    ):
        condition = Comparison("kind", Operator.EQUAL, MLP)
    else:
        return query
    asked: Formula[Condition] = condition
    return replace(query, where=asked if query.where is None else And((query.where, asked)))
