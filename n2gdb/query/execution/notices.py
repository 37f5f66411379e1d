"""Notices about tokens that a query names but no model has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from n2gdb.core.tokens import display, normalise, without_space
from n2gdb.query.execution.context import Rows, Session

if TYPE_CHECKING:  # lark takes longer to load than most answers
    from n2gdb.grammar.ast import TokenLiteral

__all__ = ["unknown_tokens"]

_SHOWN, _LOOKED_AT = 3, 30
_LENGTHS = 2  # characters that a near token may be longer or shorter


def unknown_tokens(session: Session, literals: Iterable[TokenLiteral], *, suggest: bool) -> tuple[str, ...]:
    """Return a sentence for each literal that is no single token of any model; ``suggest`` similar tokens."""
    wanted = sorted(set(literals), key=lambda literal: (literal.text, literal.exact))
    session.vocabulary.learn(wanted)
    unknown = [literal for literal in wanted if not session.vocabulary.reads(literal)]
    names = " or ".join(model.name for model in session.models)
    return tuple(_sentence(session, names, literal, suggest) for literal in unknown)


def _sentence(session: Session, models: str, literal: TokenLiteral, suggest: bool) -> str:
    none = f"no token of {models} reads {literal}"
    cuts = session.vocabulary.held(literal) or session.vocabulary.cuts(literal)
    if cuts:
        shown = " ".join(display(session.vocabulary.text(token)) for token in cuts[0])
        none += f", it is taken as {len(cuts[0])} tokens: {shown}"
    if not suggest:
        return none
    if cuts and (fired := _fired(session, literal)):
        none += f"; {fired}"
    near = _near(session.rows, literal)
    counts = _neurons(session.rows, near, literal.exact) if near else {}
    named = [text for text in near if text in counts][:_SHOWN]  # a word that no graph names leads nowhere
    if not named:
        return none if cuts else f"{none}, and none is near"
    shown = ", ".join(f"{replace(literal, text=text)} ({_plural(counts[text])})" for text in named)
    return f"{none}; near: {shown}"


def _fired(session: Session, literal: TokenLiteral) -> str | None:
    """Suggest FIRING ON for a text that no graph names as a whole, if some fire on its last token."""
    from n2gdb.grammar.unparse import quoted
    from n2gdb.prediction.firing import read_firings  # numpy takes longer to load than most answers

    bare = without_space(literal.text)
    read = session.stage_table("read the patterns that may match the text")
    for text in [literal.text] if literal.exact else [f" {bare}", bare]:
        neurons = {
            firing.neuron
            for model in session.models
            if (cut := session.cut(model.number, text))
            for firing in read_firings(
                read, cut, model.number, threshold=model.fire_threshold, positions=[len(cut) - 1]
            )
        }
        if neurons:
            found = _plural(len(neurons))
            return f"{found} would fire at the end of it: FIRING ON {quoted(text, chr(34))} AT -1"
    return None


def _near(rows: Rows, literal: TokenLiteral) -> list[str]:
    """Return the nearest texts, or normalised texts, of the models' tokens: nearest first."""
    found = rows("MATCH (t:Token) WHERE NOT t.special RETURN t.norm, t.text", {})
    wanted = normalise(literal.text)
    known = {norm for norm, _ in found if norm.strip()}
    alike = sorted(norm for norm in known - {wanted} if abs(len(norm) - len(wanted)) <= _LENGTHS)
    beginnings = (wanted[:end] for end in range(len(wanted) - 1, 1, -1))  # as a tokenizer may cut the word
    near = [wanted] if wanted in known else []
    near += get_close_matches(wanted, alike, _LOOKED_AT)
    near += [beginning for beginning in beginnings if beginning in known]
    if literal.exact:
        near = [text for norm in near for text in sorted({row[1] for row in found if row[0] == norm})]
    return list(dict.fromkeys(near))


def _neurons(rows: Rows, near: list[str], exact: bool) -> dict[str, int]:
    """Count the neurons whose graphs name each near token, in either role."""
    column = "text" if exact else "norm"
    found = rows(
        f"MATCH (t:Token)<-[:ACTIVATES_ON|CONTEXT]-(n:Neuron) WHERE t.{column} IN $near"
        f" RETURN t.{column}, count(DISTINCT n.id)",
        {"near": near},
    )
    return {text: int(count) for text, count in found}


def _plural(count: int) -> str:
    return "1 neuron" if count == 1 else f"{count} neurons"
