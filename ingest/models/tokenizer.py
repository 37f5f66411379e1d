"""A model's tokenizer: text to token ids, the text of every id, and which ids are special."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tokenizers import Tokenizer

from n2gdb.errors import ModelError, one_line
from n2gdb.ingest.models.token_spelling import Spelling

__all__ = ["ModelTokenizer"]

# What special tokens are called when nothing but a tokenizer.json tells, likeliest first.
_BEGIN = ("<|BOS|>", "<|begin_of_text|>", "<s>", "<bos>", "[BOS]", "<|endoftext|>")
_END = ("<|EOS|>", "<|end_of_text|>", "</s>", "<eos>", "[EOS]", "<|endoftext|>")
_PADDING = ("<|PAD|>", "<|pad|>", "<|padding|>", "<pad>", "[PAD]")

#: What stands in for a masked token where no special token can, the likeliest to mean nothing first.
_NEUTRAL = (".", ",", " ", "\n")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ModelTokenizer:
    """The tokenizer of one model.

    ``bos`` stands in front of every window, None when the model was trained without; ``separator``
    between documents, None if it has none; ``mask`` in place of a token whose importance is measured. A token
    for what the vocabulary lacks, ``[UNK]``, is never one of them. ``special`` holds all
    ids that never count: special tokens, and ids of the model that have no token.
    """

    backend: Any
    d_vocab: int
    bos: int | None
    separator: int | None
    mask: int
    special: frozenset[int]
    notices: tuple[str, ...] = ()
    """What is unusual about it, a sentence each."""

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
        special = {token.content for token in backend.get_added_tokens_decoder().values() if token.special}
        bos, eos, padding = (
            next((name for name in names if name in special), None) for names in (_BEGIN, _END, _PADDING)
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
        private = Tokenizer.from_str(backend.to_str())  # truncation and padding below are only ours
        return cls._assemble(
            private,
            d_vocab,
            bos=tokenizer.bos_token if prepend_bos else None,
            eos=tokenizer.eos_token,
            padding=tokenizer.pad_token,
            special=tokenizer.all_special_tokens,
        )

    @classmethod
    def _assemble(
        cls,
        backend: Any,
        d_vocab: int,
        *,
        bos: str | None,
        eos: str | None,
        padding: str | None,
        special: Iterable[str],
    ) -> Self:
        backend.no_truncation()
        backend.no_padding()
        beyond = sum(index >= d_vocab for index in backend.get_vocab(with_added_tokens=False).values())
        if beyond:
            raise ModelError(f"the tokenizer has {beyond} tokens more than the model's {d_vocab}")
        # By their text: asked for the id of a token that it lacks, a tokenizer gives that of [UNK].
        vocabulary = {name: index for name, index in backend.get_vocab().items() if index < d_vocab}
        begin, end, pad = (
            None if name is None or "unk" in name.lower() else vocabulary.get(name)
            for name in (bos, eos, padding)
        )
        own_padding = None if pad in (begin, end) else pad
        mask = next((index for index in (own_padding, end, begin) if index is not None), None)
        notices = []
        if mask is None:
            text, mask = _neutral(backend, d_vocab)
            notices.append(
                f"the tokenizer has no padding, end or begin token: {text!r} stands in for masked tokens"
            )
        if end is None and begin is None:
            notices.append("the tokenizer has no end token: no window spans two documents")
        if begin is None:
            notices.append("no begin token stands in front of windows: their first position never counts")
        named = set(backend.get_vocab().values())
        added = backend.get_added_tokens_decoder()
        return cls(
            backend=backend,
            d_vocab=d_vocab,
            bos=begin,
            separator=begin if end is None else end,
            mask=mask,
            notices=tuple(notices),
            special=frozenset(vocabulary[name] for name in special if name in vocabulary)
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
        # A padding token that was added only to the tokenizer has no row in the embedding.
        return [[index for index in ids if index < self.d_vocab] for ids in encoded]

    def token_texts(self) -> list[str]:
        """Text of every id of the model: (d_vocab,); bytes that are no whole character in hex."""
        added = {index: token.content for index, token in self.backend.get_added_tokens_decoder().items()}
        spelling = Spelling.of(json.loads(self.json))
        texts = []
        for index in range(self.d_vocab):
            token = self.backend.id_to_token(index)
            if token is None:
                texts.append(f"[unused {index}]")
            else:
                texts.append(added.get(index) or spelling.text(token))
        return texts

    @property
    def json(self) -> str:
        """The tokenizer as the tokenizers library writes it."""
        return str(self.backend.to_str())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the tokenizer's JSON, in hexadecimal."""
        return hashlib.sha256(self.json.encode()).hexdigest()


def _neutral(backend: Any, d_vocab: int) -> tuple[str, int]:
    """A token that means little, and its text; raises ModelError if there is none."""
    for text in _NEUTRAL:
        ids = backend.encode(text, add_special_tokens=False).ids
        unknown = backend.token_to_id(getattr(backend.model, "unk_token", None) or "")
        if len(ids) == 1 and ids[0] < d_vocab and ids[0] != unknown:
            return text, ids[0]
    raise ModelError("the tokenizer has no padding, end or begin token to mask others with")
