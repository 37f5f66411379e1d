"""The words for units in a database: which units they mean, and what to say where there are none of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches

from n2gdb.core.units import MLP, HeldUnits
from n2gdb.errors import QueryError, UnknownNameError
from n2gdb.grammar.ast import And, Comparison, Condition, Formula, InList, Operator, Query, Subject
from n2gdb.grammar.rewriting import nodes_of
from n2gdb.query.semantics.places import placed

__all__ = ["of_named_units", "word_for"]

#: Kinds of sources whose units are latents.
_LATENT_KINDS = ("sae", "transcoder")


def of_named_units(
    query: Query,
    model: int | None,
    kinds: Collection[str],
    read_held: Callable[[], Sequence[HeldUnits]],
) -> Query:
    """Return a query with its units, or those whose patterns it asks for, said in WHERE.

    ``neurons`` are the units of MLPs, which needs no condition where a database has nothing else; ``latents``
    are those of SAEs and transcoders. ``model`` is the number of the query's own, ``kinds`` are those of all
    sources. Raises QueryError for a word or a source of which the database holds no unit; ``read_held`` says
    what it holds, and is called where that is in question.
    """
    units = query.owners or query.subject
    is_plain = units is Subject.NEURONS and all(kind == MLP for kind in kinds)
    if not is_plain and units in (Subject.NEURONS, Subject.LATENTS):
        _check_word(units, query, [each for each in read_held() if model in (None, each.model)])
    if any(_sources_named(query.where)):
        _check_sources(query, sorted({each.source for each in read_held()}))
    if is_plain or units not in (Subject.NEURONS, Subject.LATENTS):
        return query
    asked: Formula[Condition] = InList("kind", _LATENT_KINDS)
    if units is Subject.NEURONS:
        asked = Comparison("kind", Operator.EQUAL, MLP)
    return replace(query, where=asked if query.where is None else And((query.where, asked)))


def word_for(kinds: Collection[str]) -> Subject:
    """Return the word that finds all units of some kinds, and says what they are as far as one word does."""
    words = {_word(kind) for kind in kinds}
    return words.pop() if len(words) == 1 else Subject.UNITS


def _word(kind: str) -> Subject:
    if kind == MLP:
        return Subject.NEURONS
    return Subject.LATENTS if kind in _LATENT_KINDS else Subject.UNITS


def _check_word(units: Subject, query: Query, held: Sequence[HeldUnits]) -> None:
    words = {_word(each.kind) for each in held}
    if not held or units in words:
        return
    sites = sorted({each.source for each in held if _word(each.kind) is Subject.UNITS})
    named = [word.value for word in (Subject.NEURONS, Subject.LATENTS) if word in words]
    there = " and ".join(named + ([f"directions of {', '.join(sites)}"] if sites else []))
    holder = "the database" if query.model is None else query.model
    with placed(query.units_at):
        raise QueryError(f"{holder} holds no {units.value}: it holds {there}; units finds all that it holds")


def _check_sources(query: Query, held: Sequence[str]) -> None:
    for condition, name in _sources_named(query.where):
        if name not in held:
            near = tuple(get_close_matches(name, held))
            with placed(condition.at):
                raise UnknownNameError(
                    f"the database holds no source {name!r}: it holds {', '.join(held)}", near
                )


def _sources_named(where: Formula[Condition] | None) -> Iterator[tuple[Comparison | InList, str]]:
    comparisons: list[Comparison] = list(nodes_of(where, Comparison))
    lists: list[InList] = list(nodes_of(where, InList))
    yield from ((each, str(each.value)) for each in comparisons if each.field == "source")
    yield from ((each, str(name)) for each in lists if each.field == "source" for name in each.values)
