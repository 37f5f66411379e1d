"""Meanings of the explorer's input: a name, a word, a text or a query, the likeliest first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from n2gdb.core.units import NeuronName
from n2gdb.database import Database
from n2gdb.errors import N2gdbError, UnknownNameError
from n2gdb.explorer.layers import units_word
from n2gdb.explorer.plain import plain_error
from n2gdb.grammar.ast import Query, Subject
from n2gdb.grammar.unit_names import read_unit
from n2gdb.query.parse import read_query

__all__ = ["understand"]

_SUBJECT = "(?:neurons|patterns|latents|units)"
_BEGINS_A_QUERY = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*"
    rf"(?:EXPLAIN|PROFILE|COUNT|(?:AVG|MIN|MAX|SUM|MEDIAN)\s+\w+\s+OF\s+{_SUBJECT}|{_SUBJECT}"
    r"|tokens\s+(?:ACTIVATING|IN))\b",
    re.IGNORECASE,
)
#: Of a word or text; longer ones are read on a neuron's page.
_LONGEST = 2_000

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an input may be: a ``kind``, in words, and the neuron or the query that it stands for."""

    kind: str
    said: str
    neuron: str | None = None
    model: str | None = None
    query: str | None = None
    error: dict[str, Any] | None = None


def understand(database: Database, text: str, model: str | None) -> dict[str, Any]:
    """Return the meanings of an input, the likeliest first; none of an empty one."""
    given = text.strip()
    return {"meanings": [asdict(each) for each in _meanings(database, given, model)] if given else []}


def _meanings(database: Database, text: str, model: str | None) -> Iterator[Meaning]:
    if read_unit(text) is not None:
        yield from _neurons(database, text, model)
    query = _query(text)
    is_one = query.error is None or _BEGINS_A_QUERY.match(text) is not None
    if is_one:
        yield query
    if len(text) <= _LONGEST:
        yield from _words(text, units_word(database))
    if not is_one:
        yield query


def _neurons(database: Database, text: str, model: str | None) -> Iterator[Meaning]:
    """Yield the units of this name, of the model on show first; where there is none, why."""
    what = "latent" if NeuronName.of(text).latent else "neuron"
    models = sorted(database.models(), key=lambda each: each.name != model)
    missing: N2gdbError | None = None
    for each in models:
        try:
            name = str(database.neuron(NeuronName.of(text), each.name).name)
        except UnknownNameError as error:
            missing = missing or error
            continue
        of = f" of {each.name}" if len(models) > 1 else ""
        yield Meaning("neuron", f"the {what} {name}{of}", neuron=name, model=each.name)
        missing = None
    if missing is not None:
        yield Meaning("neuron", f"the {what} {text}", error=plain_error(missing))


def _words(text: str, units: Subject) -> Iterator[Meaning]:
    from n2gdb.query.builder.queries import neurons, tok

    def query(tree: Query) -> str:
        return _written(replace(tree, subject=units))

    firing = replace(neurons().firing_on(text).tree, limit=100)
    reads = Meaning("text", f"a text: {units.value} whose graphs fire on it", query=query(firing))
    if not _WORD.fullmatch(text):
        yield reads
        return
    word = neurons().matching(tok(text)).tree
    yield Meaning("word", f"the word {text}: {units.value} that fire on it", query=query(word))
    mentioned = neurons().mentioning(tok(text)).tree
    yield Meaning("mention", f"the word {text}, anywhere in a pattern", query=query(mentioned))
    yield reads


def _written(tree: Query) -> str:
    from n2gdb.grammar.unparse import written

    return written(tree)


def _query(text: str) -> Meaning:
    try:
        read_query(text)
    except N2gdbError as error:
        return Meaning("query", "a query", query=text, error=plain_error(error))
    return Meaning("query", "a query", query=text)
