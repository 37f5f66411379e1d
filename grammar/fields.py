"""Registry of columns: every field of a neuron and of a match."""

from __future__ import annotations

import re
from enum import Enum

from n2gdb.grammar.errors import shortened
from n2gdb.grammar.records import dataclass

__all__ = [
    *("FIELDS", "GROUPS", "GROUP_WORDS", "MATCH_FIELDS", "OF_MATCH", "RETURNED", "WALKED", "WRITTEN"),
    *("Field", "Kind", "Origin", "nearest", "no_field"),
]


class Kind(Enum):
    """What values a field takes."""

    WHOLE = "whole number"
    REAL = "number"
    CHOICE = "word"


class Origin(Enum):
    """Where the value of a field comes from."""

    LEARNED = "known when a neuron is learned, and stored in its shard"
    COUNTED = "counted from the graphs when a database is built"
    MATCHED = "of one match, not of the neuron"
    WALKED = "of a match too, and known only once whole tries are walked"
    WRITTEN = "of what a neuron writes to the tokens that a query names"


@dataclass(frozen=True, slots=True)
class Field:
    """A name, what values it takes, and where they come from."""

    name: str
    kind: Kind
    origin: Origin = Origin.LEARNED
    choices: tuple[str, ...] = ()
    """The words that it takes; empty, it takes any."""
    example: str = ""

    @property
    def word(self) -> str:
        """A word to show."""
        return self.example or self.choices[0]

    @property
    def of_match(self) -> bool:
        """Whether it belongs to a match rather than to the neuron."""
        return self.origin in (Origin.MATCHED, Origin.WALKED)


#: The one registry of columns, by name: the fields of WHERE and ORDER BY, what RETURN knows, the columns of
#: the database, of answers and of exports, and the attributes of neurons and hits are all read off it.
FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        Field("layer", Kind.WHOLE),
        Field("index", Kind.WHOLE),
        Field("source", Kind.CHOICE, example="mlp"),
        Field("kind", Kind.CHOICE, choices=("mlp", "sae", "transcoder", "residual", "attention")),
        Field("side", Kind.CHOICE, choices=("+", "-")),
        Field("density", Kind.REAL),
        # Live if a graph predicts a firing on the unit's test examples, unpredicted if it predicts none, dead
        # if the unit never fires on the corpus, dense if a latent fires on too many tokens to be learned.
        Field("state", Kind.CHOICE, choices=("live", "unpredicted", "dead", "dense")),
        Field("max_activation", Kind.REAL),
        Field("precision", Kind.REAL),
        Field("recall", Kind.REAL),
        Field("f1", Kind.REAL),
        Field("true_firings", Kind.WHOLE),
        Field("predicted_firings", Kind.WHOLE),
        Field("heldout_precision", Kind.REAL),
        Field("heldout_recall", Kind.REAL),
        Field("heldout_f1", Kind.REAL),
        Field("heldout_firings", Kind.WHOLE),
        Field("n_patterns", Kind.WHOLE),
        Field("n_nodes", Kind.WHOLE),
        Field("n_activating", Kind.WHOLE),
        Field("n_context", Kind.WHOLE),
        Field("polysemy", Kind.WHOLE, Origin.COUNTED),
        Field("max_depth", Kind.WHOLE, Origin.COUNTED),
        Field("activation", Kind.REAL, Origin.MATCHED),
        Field("importance", Kind.REAL, Origin.MATCHED),
        Field("support", Kind.WHOLE, Origin.MATCHED),
        Field("confidence", Kind.REAL, Origin.MATCHED),
        Field("matches", Kind.WHOLE, Origin.WALKED),
        Field("share", Kind.REAL, Origin.WALKED),
        Field("depth", Kind.WHOLE, Origin.WALKED),
        Field("named", Kind.WHOLE, Origin.WALKED),
        Field("promoted", Kind.REAL, Origin.WRITTEN),
        Field("suppressed", Kind.REAL, Origin.WRITTEN),
    )
}

#: The fields of a match that are stored, in the order in which rows of matches have them.
OF_MATCH = tuple(field.name for field in FIELDS.values() if field.origin is Origin.MATCHED)

#: The fields of a match that no statement knows.
WALKED = tuple(field.name for field in FIELDS.values() if field.origin is Origin.WALKED)

#: The logits that PROMOTING and SUPPRESSING ask about, in the order of these.
WRITTEN = tuple(field.name for field in FIELDS.values() if field.origin is Origin.WRITTEN)

#: Every field of a match.
MATCH_FIELDS = tuple(name for name, field in FIELDS.items() if field.of_match)

#: The columns that RETURN knows: how a row is named, what of it matched, and every field.
RETURNED = ("neuron", "model", "path", "similarity", "size", *FIELDS)

#: What a count is grouped by: the model, tokens by their role, and every field.
GROUPS = (
    *("model", "layer", "state", "activating", "context"),
    *(name for name in FIELDS if name not in ("layer", "state")),
)

#: The same in words.
GROUP_WORDS = "there are model, layer, state, activating, context, and every field"

#: What is not a field, though one might think so, and what to write.
_ELSEWHERE = {
    "similarity": "order by it with RANK BY SIMILARITY TO L3N45, bound it with SIMILAR TO L3N45 ABOVE 0.9",
    "size": "it stands beside a similarity and settles its ties",
    "model": "pick one by IN MODEL 'name' after neurons",
    "neuron": "write layer = 3 AND index = 45",
    "path": "ask for it with RETURN path",
    "id": "write layer = 3 AND index = 45",
    "unit": "write layer = 3 AND index = 45",
    "name": "write layer = 3 AND index = 45, or IN MODEL 'name' after neurons",
    **dict.fromkeys(
        ("token", "tokens", "text", "word", "words", "pattern", "context", "string"),
        "tokens are tested by MATCHING, as in MATCHING 'the'",
    ),
    "patterns": "write n_patterns for how many there are, MATCHING for what they are",
    "nodes": "write n_nodes for how many there are",
    "firings": "write true_firings or predicted_firings",
    **dict.fromkeys(
        ("logit", "logits", "promotes", "suppresses"),
        "write promoted after PROMOTING, suppressed after SUPPRESSING",
    ),
    "count": "write COUNT before neurons, or a field such as n_patterns",
    "score": "write f1, precision or recall",
    "accuracy": "write f1, precision or recall",
    **dict.fromkeys(("asc", "desc"), "it follows a field, as in f1 DESC"),
    "true": "every condition is a comparison, as in f1 >= 0.6",
    "false": "every condition is a comparison, as in f1 >= 0.6",
    **dict.fromkeys(
        ("null", "none", "nan", "missing"),
        "a value that is missing is asked for by IS MISSING, as in f1 IS MISSING",
    ),
}


def no_field(name: str) -> str:
    """Return what to say of a name that is not a field: where it belongs, or the nearest field."""
    word = name.lower()
    if word in _ELSEWHERE:
        return f"{word} is not a field: {_ELSEWHERE[word]}"
    if neuron := re.fullmatch(r"l(\d+)n(\d+)", word):
        return f"{shortened(name)} is not a field: write layer = {neuron[1]} AND index = {neuron[2]}"
    if layer := re.fullmatch(r"(l|n)(\d+)", word):
        return f"{shortened(name)} is not a field: write only the number, {layer[2]}"
    for field in FIELDS.values():
        if word in field.choices:
            return f"{word} is a {field.name}, no field: write it in quotes, '{word}'"
    near = nearest(name, tuple(FIELDS))
    hint = f"did you mean {near}?" if near else f"there are {', '.join(FIELDS)}"
    return f"no field {shortened(name)}: {hint}"


def nearest(word: str, names: tuple[str, ...]) -> str | None:
    """Return the name most like ``word``, case aside, or None when none is like it."""
    import difflib  # here, as only a mistake needs it

    found = difflib.get_close_matches(word.lower(), [name.lower() for name in names], n=1, cutoff=0.5)
    return next((name for name in names if found and name.lower() == found[0]), None)
