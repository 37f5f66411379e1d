"""Token text: normalised, classified, and displayed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

try:
    from _blake2 import blake2b  # what hashlib has, without OpenSSL: 4 MB and 3 ms of every start
except ImportError:
    from hashlib import blake2b

__all__ = [
    *("CLASSES", "KINDS", "SHAPES", "TEXT_START", "display", "kinds_of", "normalise", "text_key"),
    *("text_of_bytes", "visible", "without_space"),
]

#: Characters that need a closer look before they are printed.
_PERHAPS_HIDDEN = re.compile("[^\x20-\x7e]")

_SHOWN = {" ": "·", "\n": "⏎", "\t": "⇥", "\r": "␍"}


def text_of_bytes(raw: bytes) -> str:
    r"""Decode a token's bytes; one that is not a whole UTF-8 text is written in hex, ``\xE2\x80``."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(f"\\x{byte:02X}" for byte in raw)


def without_space(text: str) -> str:
    """Drop one leading space, unless it is all there is."""
    return text[1:] if len(text) > 1 and text.startswith(" ") else text


def normalise(text: str) -> str:
    """Drop one leading space and the case: what a single-quoted token of a query is compared by."""
    return without_space(text).casefold()


def _is_punctuation(text: str) -> bool:
    return all(unicodedata.category(char)[0] in "PS" for char in text)


#: What classes of the language hold of, by a token's text, one leading space aside: bit i of ``kinds_of``.
KINDS: dict[str, Callable[[str], bool]] = {
    "digit": str.isdecimal,
    "punct": _is_punctuation,
    "upper": lambda text: text.isalpha() and text.isupper(),
    "title": lambda text: text.isalpha() and text.istitle(),
    "word": str.isalpha,
    "space": str.isspace,
}


#: Classes of a token's text with its leading space, which a database does not hold as bits.
SHAPES: dict[str, Callable[[str], bool]] = {
    "lower": lambda text: without_space(text).isalpha() and text.islower(),
    "start": lambda text: text.startswith(" "),
    "piece": lambda text: text != "" and not text.startswith(" "),
}

#: The class of the special token that stands in front of a text, which its own text does not tell.
TEXT_START = "start of text"

#: Every class that a database holds, in the order of their bits.
CLASSES = (*KINDS, TEXT_START)


def kinds_of(text: str, *, special: bool = False) -> int:
    """Return the classes of a token as bits, in the order of CLASSES; of an empty text none of KINDS."""
    bare = without_space(text)
    of_text = sum(1 << bit for bit, holds in enumerate(KINDS.values()) if bare and holds(bare))
    return of_text | special << CLASSES.index(TEXT_START)


def text_key(text: str) -> int:
    """Number a text by 63 bits of its hash: the engine compares numbers three times as fast as text."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def display(text: str) -> str:
    """Make white space and control characters visible: ``·the``, ``⏎``, ``⇥``."""
    return "".join(_SHOWN.get(char, char if char.isprintable() else f"\\u{ord(char):04x}") for char in text)


def visible(text: str, kept: str = "") -> str:
    r"""Write a text of any origin for a terminal: control characters are written in hex, ``\u001b``.

    White space other than the space is written so, too, but for the characters ``kept``.
    """

    def shown(found: re.Match[str]) -> str:
        char = found[0]
        return char if char.isprintable() or char in kept else f"\\u{ord(char):04x}"

    return _PERHAPS_HIDDEN.sub(shown, text)
