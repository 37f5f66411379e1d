"""Names of token classes in other languages, and what to write instead."""

from __future__ import annotations

from n2gdb.grammar.fields import nearest
from n2gdb.grammar.patterns import TokenKind

__all__ = ["meant_class"]

#: A class here, and other words for it.
_OTHER = {
    "digit": "number num numeric numeral int integer float decimal year d",
    "punct": "symbol sign special mark",
    "upper": "caps allcaps all_caps uc",
    "lower": "lowercase lower_case small minuscule lc",
    "piece": "subword subwords continuation suffix inner fragment",
    "title": "capital capitalized capitalised cap name proper initial titlecase camel",
    "word": "letter letters alpha alphabetic text string w alnum noun verb",
    "space": "newline tab blank ws s linebreak indent eol",
    "start of text": "bos start begin beginning sot cls",
}
_CLASSES = {word: name for name, words in _OTHER.items() for word in words.split()}
#: What is not a class, and how it is asked for.
_EXPRESSED = {
    "any": "write _ for exactly one position, ... for one or more",
    "token": "write _ for exactly one position, ... for one or more",
    "ignore": "write _ for exactly one position, ... for one or more",
    "vowel": "write an expression such as /[aeiou]/i",
    "emoji": "write an expression such as /[^\\x00-\\x7F]+/",
    "unicode": "write an expression such as /[^\\x00-\\x7F]+/",
    "eos": "special tokens are in no pattern but <start of text>",
    "pad": "special tokens are in no pattern but <start of text>",
    "unk": "special tokens are in no pattern but <start of text>",
}


def meant_class(word: str) -> str | None:
    """Return what to write for a class that is none; None if nothing is like it."""
    names = tuple(kind.value for kind in TokenKind)
    if word in names:
        return f"did you mean <{word}>?"
    if word in _EXPRESSED:
        return _EXPRESSED[word]
    near = _CLASSES.get(word) or _CLASSES.get(word.removesuffix("s")) or nearest(word, names)
    return f"did you mean <{near}>?" if near else None
