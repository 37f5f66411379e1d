"""Token text: what a token says, how people type it, and how it is shown."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["display", "normalise", "text_key", "text_of_bytes"]

_SHOWN = {" ": "·", "\n": "⏎", "\t": "⇥", "\r": "␍"}


def text_of_bytes(raw: bytes) -> str:
    r"""Decode a token's bytes; one that is no whole UTF-8 text is written in hex, ``\xE2\x80``."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(f"\\x{byte:02X}" for byte in raw)


def normalise(text: str) -> str:
    """Drop one leading space and the case: what a single-quoted token of a query is compared by."""
    bare = text[1:] if len(text) > 1 and text.startswith(" ") else text
    return bare.casefold()


def text_key(text: str) -> int:
    """Number a text by 63 bits of its hash: the engine compares numbers three times as fast as text."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def display(text: str) -> str:
    """Make white space and control characters visible: ``·the``, ``⏎``, ``⇥``."""
    return "".join(_SHOWN.get(char, char if char.isprintable() else f"\\u{ord(char):04x}") for char in text)
