"""The builder's methods that require a clause: each is the function of its name, as a link of a chain."""

from __future__ import annotations

from typing import Self

from n2gdb.query.builder.clauses import (
    activating_on,
    excited_by,
    firing_on,
    inhibited_by,
    matching,
    mentioning,
    promoting,
    showing,
    suppressing,
)
from n2gdb.query.builder.comparisons import Comparing
from n2gdb.query.builder.patterns import Steps, Stepwise, TokenStep

__all__ = ["Narrowing"]


class Narrowing(Comparing):
    """A query for neurons or patterns, which can require any clause."""

    __slots__ = ()

    def matching(
        self,
        pattern: Stepwise,
        *,
        promoting: str | Steps | None = None,
        suppressing: str | Steps | None = None,
        only: bool = False,
    ) -> Self:
        """Require a matching pattern; each call may match another path of the neuron.

        ``promoting`` and ``suppressing`` join what the neuron writes, as in the function ``matching``.

        >>> neurons().matching(tok("the").before("end"), only=True)
        <QueryBuilder neurons MATCHING ONLY 'the' BEFORE 'end'>
        """
        clause = matching(pattern, promoting=promoting, suppressing=suppressing, only=only)
        return self.having(clause)

    def showing(self, text: str, *, exact: bool = False) -> Self:
        """Require units with a stored example that contains the text.

        >>> neurons().showing("the end")
        <QueryBuilder neurons SHOWING 'the end'>
        """
        return self.having(showing(text, exact=exact))

    def promoting(self, token: str | TokenStep) -> Self:
        """Require neurons that promote the token, as in the function ``promoting``.

        >>> neurons().promoting("end")
        <QueryBuilder neurons PROMOTING 'end'>
        """
        return self.having(promoting(token))

    def suppressing(self, token: str | TokenStep) -> Self:
        """Require neurons that suppress the token, as in the function ``suppressing``.

        >>> neurons().suppressing("dog")
        <QueryBuilder neurons SUPPRESSING 'dog'>
        """
        return self.having(suppressing(token))

    def excited_by(self, token: str | TokenStep, *, at: int | None = None, within: int | None = None) -> Self:
        """Require neurons likelier to fire where the token stands, as in the function ``excited_by``.

        >>> neurons().excited_by("of", at=2)
        <QueryBuilder neurons EXCITED BY 'of' AT 2>
        """
        return self.having(excited_by(token, at=at, within=within))

    def inhibited_by(
        self, token: str | TokenStep, *, at: int | None = None, within: int | None = None
    ) -> Self:
        """Require neurons less likely to fire where the token stands, as in the function ``inhibited_by``.

        >>> neurons().inhibited_by("of", within=4)
        <QueryBuilder neurons INHIBITED BY 'of' WITHIN 4>
        """
        return self.having(inhibited_by(token, at=at, within=within))

    def mentioning(self, token: str | TokenStep) -> Self:
        """Require a pattern that names the token, as activating token or as context.

        >>> db.query(neurons().mentioning("an"))["neuron"]
        ['L4N358']
        """
        return self.having(mentioning(token))

    def activating_on(self, token: str | TokenStep, *, only: bool = False) -> Self:
        """Require a pattern that fires on the token; with ``only``, units that fire on no others.

        >>> db.query(neurons().activating_on("end", only=True))["neuron"]
        ['L3N45']
        """
        return self.having(activating_on(token, only=only))

    def firing_on(self, text: str, *, at: int | None = None, by: str = "evidence") -> Self:
        """Require a predicted firing on ``text``: at the token ``at`` (negative from the end), or at any.

        ``by`` names the predictor, evidence or graph, as in the function ``firing_on``.

        >>> neurons().firing_on("the dog", at=-1, by="graph")
        <QueryBuilder neurons FIRING ON "the dog" AT -1 USING graph>
        """
        return self.having(firing_on(text, at=at, by=by))
