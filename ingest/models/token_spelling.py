"""Token spelling: from a tokenizer's vocabulary to the text that each token stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from n2gdb.core.tokens import text_of_bytes

__all__ = ["Spelling"]

_BYTE_FALLBACK = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True, slots=True)
class Spelling:
    """The marks of one tokenizer.

    Text between words is marked in one of four ways: by the byte of the space (``Ġthe``), by a character in
    its stead (``▁the``), by a mark on the pieces that go on a word (``##ing``), or by one after the last
    piece of a word (``the</w>``).
    """

    byte_level: bool = False
    space: str = "▁"
    inside: str = ""
    last: str = ""

    @classmethod
    def of(cls, stages: Mapping[str, Any]) -> Self:
        """Read the marks off a tokenizer, as the tokenizers library writes it."""
        model = stages["model"]
        parts = [*_parts(stages.get("pre_tokenizer")), *_parts(stages.get("decoder"))]
        spaces = [part["replacement"] for part in parts if part["type"] == "Metaspace"]
        endings = [part["suffix"] for part in parts if part["type"] == "BPEDecoder"]
        return cls(
            byte_level=any(part["type"] == "ByteLevel" for part in parts),
            space=next(iter(spaces), "▁"),
            inside=model.get("continuing_subword_prefix") or "",
            last=model.get("end_of_word_suffix") or next(iter(endings), ""),
        )

    def text(self, token: str) -> str:
        """The text of a token: ``Ġthe``, ``▁the`` and, beside ``##ing``, ``the`` are `` the``.

        A mark after the last piece of a word is left out: it does not say whether a piece begins a word.
        """
        if self.last and token.endswith(self.last):
            token = token.removesuffix(self.last) or " "
        if self.inside:
            if token.startswith(self.inside) and token != self.inside:
                return token.removeprefix(self.inside)
            return f" {token}"
        if self.byte_level:
            return _byte_level_text(token)
        byte = _BYTE_FALLBACK.fullmatch(token)
        return text_of_bytes(bytes([int(byte[1], 16)])) if byte else token.replace(self.space, " ")


def _parts(stage: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """Yield a stage, and those that it is a sequence of."""
    if stage is None:
        return
    yield stage
    for part in (*stage.get("pretokenizers", ()), *stage.get("decoders", ())):
        yield from _parts(part)


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable character of every byte, as a map from character to byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable}
    alphabet.update({chr(256 + place): byte for place, byte in enumerate(hidden)})
    return alphabet


_ALPHABET = _byte_alphabet()


def _byte_level_text(token: str) -> str:
    """Text of a byte-level token: ``Ġthe`` is `` the``."""
    if any(char not in _ALPHABET for char in token):
        return token
    return text_of_bytes(bytes(_ALPHABET[char] for char in token))
