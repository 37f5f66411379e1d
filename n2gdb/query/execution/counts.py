"""The answer to ``COUNT ...``: how many neurons or patterns, in all or by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from n2gdb.core.deadline import timed
from n2gdb.grammar.ast import Grouping, Subject
from n2gdb.query.execution.context import Session
from n2gdb.query.execution.neurons import count_neurons, find, read_neurons
from n2gdb.query.execution.patterns import count_patterns
from n2gdb.query.semantics.binder import Settled

__all__ = ["GroupCount", "count_groups"]

#: Rows that tell the tokens of a role: the relationship that has them.
_ROLES = {Grouping.ACTIVATING: "ACTIVATES_ON", Grouping.CONTEXT: "CONTEXT"}


@dataclass(frozen=True, slots=True)
class GroupCount:
    """A group, a layer or a token's text for example, and how many there are; the group of all is None.

    >>> [(each.group, each.count) for each in db.query("COUNT neurons MATCHING 'the' BEFORE ... BY layer")]
    [(3, 1), (4, 3)]
    """

    group: int | str | None
    count: int

    def as_dict(self) -> dict[str, object]:
        """Return what JSON can hold."""
        return {"group": self.group, "count": self.count}


def count_groups(session: Session, settled: Settled) -> list[GroupCount]:
    """Count what a query finds, by its group: models and layers in order, tokens the most frequent first."""
    grouping = settled.query.count.by if settled.query.count else None
    bare = replace(settled, query=replace(settled.query, order=(), limit=None, offset=None))
    if grouping in _ROLES:
        counts = _token_counts(session, bare, _ROLES[grouping])
        return [GroupCount(*each) for each in sorted(counts.items(), key=lambda each: (-each[1], each[0]))]
    if grouping is None:
        return [GroupCount(None, _total(session, bare))]
    return [GroupCount(*each) for each in sorted(_neuron_counts(session, bare, grouping).items())]


def _total(session: Session, settled: Settled) -> int:
    if settled.query.subject is Subject.PATTERNS:
        return count_patterns(session, settled).total()
    return count_neurons(session, settled)


def _neuron_counts(session: Session, settled: Settled, grouping: Grouping) -> Counter[Any]:
    neurons: Sequence[Mapping[str, Any]]
    if settled.query.subject is Subject.PATTERNS:
        each = count_patterns(session, settled)
        neurons = read_neurons(session, sorted(each))
    else:
        neurons = find(session, settled).every()
        each = Counter({neuron["id"]: 1 for neuron in neurons})
    names = {model.number: model.name for model in session.models}
    counts: Counter[Any] = Counter()
    for neuron in timed(neurons):
        counts[neuron[grouping.value]] += each[neuron["id"]]
    if grouping is Grouping.MODEL:
        return Counter({names[number]: count for number, count in counts.items()})
    return counts


def _token_counts(session: Session, settled: Settled, role: str) -> Counter[str]:
    """Count the neurons, or the patterns, that have each token in a role on a pattern that matches."""
    from n2gdb.query.execution.role_counts import (
        count_in_role,  # numpy takes longer to load than most answers
    )

    return count_in_role(session, settled, role, by_pattern=settled.query.subject is Subject.PATTERNS)
