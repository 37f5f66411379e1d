"""A model's tokenizer: text to token ids, the text of every id, and which ids are special."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tokenizers import Tokenizer

from n2gdb.core.tokens import text_of_bytes
from n2gdb.errors import ModelError, one_line

__all__ = ["ModelTokenizer"]

# What special tokens are called when nothing but a tokenizer.json tells, likeliest first.
_BEGIN = ("<|BOS|>", "<|begin_of_text|>", "<s>", "<bos>", "[BOS]", "<|endoftext|>")
_END = ("<|EOS|>", "<|end_of_text|>", "</s>", "<eos>", "[EOS]", "<|endoftext|>")
_PADDING = ("<|PAD|>", "<|pad|>", "<|padding|>", "<pad>", "[PAD]")

_BYTE_FALLBACK = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ModelTokenizer:
    """The tokenizer of one model.

    ``bos`` stands in front of every window, None when the model was trained without; ``separator``
    between documents; ``mask`` in place of a token whose importance is measured. ``special`` holds all
    ids that never count: special tokens, and ids of the model that have no token.
    """

    backend: Any
    d_vocab: int
    bos: int | None
    separator: int | None
    mask: int
    special: frozenset[int]

    @classmethod
    def from_file(cls, path: Path, d_vocab: int, *, prepend_bos: bool = True) -> Self:
        """Read a ``tokenizer.json``; its special tokens are known by their usual names.

        Raises ModelError if the file is missing or damaged.
        """
        try:
            backend = Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}") from error
        except Exception as error:  # the library raises bare Exception, and ValueError for bad UTF-8
            raise ModelError(f"{path} is damaged: {one_line(error)}") from error
        special = {
            token.content: index
            for index, token in backend.get_added_tokens_decoder().items()
            if token.special
        }
        bos, eos, padding = (
            next((special[name] for name in names if name in special), None)
            for names in (_BEGIN, _END, _PADDING)
        )
        return cls._assemble(
            backend, d_vocab, bos=bos if prepend_bos else None, eos=eos, padding=padding, special=()
        )

    @classmethod
    def from_transformers(cls, tokenizer: Any, d_vocab: int, *, prepend_bos: bool = True) -> Self:
        """Wrap a tokenizer of the transformers library; raise ModelError if it has no fast backend."""
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ModelError(
                f"{getattr(tokenizer, 'name_or_path', 'the model')}: its tokenizer has no tokenizer.json, "
                "which n2gdb needs; save a fast one beside the model"
            )
        private = Tokenizer.from_str(backend.to_str())  # truncation and padding below are ours alone
        return cls._assemble(
            private,
            d_vocab,
            bos=tokenizer.bos_token_id if prepend_bos else None,
            eos=tokenizer.eos_token_id,
            padding=tokenizer.pad_token_id,
            special=tokenizer.all_special_ids,
        )

    @classmethod
    def _assemble(
        cls,
        backend: Any,
        d_vocab: int,
        *,
        bos: int | None,
        eos: int | None,
        padding: int | None,
        special: Iterable[int],
    ) -> Self:
        backend.no_truncation()
        backend.no_padding()
        beyond = sum(index >= d_vocab for index in backend.get_vocab(with_added_tokens=False).values())
        if beyond:
            raise ModelError(f"the tokenizer has {beyond} tokens more than the model's {d_vocab}")
        bos, eos, padding = (
            None if index is None or index >= d_vocab else int(index) for index in (bos, eos, padding)
        )
        own_padding = None if padding in (bos, eos) else padding
        mask = next((index for index in (own_padding, eos, bos) if index is not None), None)
        if mask is None:
            raise ModelError("the tokenizer has no padding, end or begin token to mask others with")
        named = set(backend.get_vocab().values())
        added = backend.get_added_tokens_decoder()
        return cls(
            backend=backend,
            d_vocab=d_vocab,
            bos=bos,
            separator=bos if eos is None else eos,
            mask=mask,
            special=frozenset(index for index in special if index < d_vocab)
            | {index for index, token in added.items() if token.special and index < d_vocab}
            | (set(range(d_vocab)) - named),
        )

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, with no special token added; one that the model lacks is left out."""
        encoded = [
            found.ids for found in self.backend.encode_batch_fast(list(texts), add_special_tokens=False)
        ]
        if self.backend.get_vocab_size() <= self.d_vocab:
            return encoded
        # A padding token that was added to the tokenizer alone has no row in the embedding.
        return [[index for index in ids if index < self.d_vocab] for ids in encoded]

    def token_texts(self) -> list[str]:
        """Text of every id of the model: (d_vocab,); bytes that are no whole character in hex."""
        added = {index: token.content for index, token in self.backend.get_added_tokens_decoder().items()}
        text_of = _byte_level_text if self._is_byte_level() else _sentencepiece_text
        texts = []
        for index in range(self.d_vocab):
            token = self.backend.id_to_token(index)
            if token is None:
                texts.append(f"[unused {index}]")
            else:
                texts.append(added.get(index) or text_of(token))
        return texts

    @property
    def json(self) -> str:
        """The tokenizer as the tokenizers library writes it."""
        return str(self.backend.to_str())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the tokenizer's JSON, in hexadecimal."""
        return hashlib.sha256(self.json.encode()).hexdigest()

    def _is_byte_level(self) -> bool:
        """Whether tokens are written in GPT-2's alphabet of bytes."""
        stages = json.loads(self.json)
        parts = [stages.get("pre_tokenizer"), stages.get("decoder")]
        for part in parts:
            parts += (part or {}).get("pretokenizers", []) + (part or {}).get("decoders", [])
        return any(part and part["type"] == "ByteLevel" for part in parts)


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


def _sentencepiece_text(token: str) -> str:
    """Text of a SentencePiece token: ``▁the`` is `` the``, ``<0xE2>`` one byte."""
    byte = _BYTE_FALLBACK.fullmatch(token)
    return text_of_bytes(bytes([int(byte[1], 16)])) if byte else token.replace("▁", " ")
