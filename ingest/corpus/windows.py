"""Context windows: the corpus as one stream of tokens, cut to the length that a model reads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from n2gdb.errors import CorpusError
from n2gdb.ingest.arrays import PAD

__all__ = ["Windows"]

IntArray = npt.NDArray[np.int32]

#: Documents are encoded together, side by side, until they have this many characters: a few whole books.
_CHARACTERS = 1 << 23


class _Reader(Protocol):
    """What windows need to know of a model."""

    @property
    def bos(self) -> int | None: ...
    @property
    def separator(self) -> int | None: ...
    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]: ...


class Windows:
    """Windows of a corpus, read once, in batches; memory does not grow with the corpus.

    Documents are joined by ``separator`` and cut into windows of ``length`` tokens, each behind a BOS
    when the model has one, as models are trained. Without a separator no window spans two documents.
    A window cut short by the end is padded with PAD.

    ``max_tokens`` bounds the tokens, BOS not counted. ``n_tokens``, ``n_documents`` and ``fingerprint``
    speak of what has been yielded so far. Raises CorpusError at the end of a corpus without any token,
    which it calls ``source``.
    """

    def __init__(
        self,
        documents: Iterable[str],
        encode_batch: Callable[[Sequence[str]], list[list[int]]],
        *,
        length: int,
        bos: int | None,
        separator: int | None,
        max_tokens: int | None = None,
        batch: int = 64,
        source: str = "the corpus",
    ) -> None:
        self._body = length - (bos is not None)
        if self._body < 1:
            raise ValueError(f"a window of {length} tokens holds no text")
        self._documents = iter(documents)
        self._encode_batch = encode_batch
        self._bos, self._separator = bos, separator
        self._max_tokens, self._batch, self._source = max_tokens, batch, source
        self._digest = hashlib.sha256(f"{length} {bos} {separator}".encode())
        self._started = False
        self.n_tokens = 0
        self.n_documents = 0

    @classmethod
    def of(
        cls,
        documents: Iterable[str],
        model: _Reader,
        *,
        length: int,
        max_tokens: int | None = None,
        batch: int = 64,
        source: str = "the corpus",
    ) -> Self:
        """Cut windows as ``model`` reads them."""
        return cls(
            documents,
            model.encode_batch,
            length=length,
            bos=model.bos,
            separator=model.separator,
            max_tokens=max_tokens,
            batch=batch,
            source=source,
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the windows yielded so far, in hexadecimal; the batch size does not matter."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[IntArray]:
        """Yield batches of windows: (window, length) int32."""
        if self._started:
            raise RuntimeError("windows are read once: make them anew")
        self._started = True
        pending: list[IntArray] = []
        for body in self._bodies():
            if not len(body):
                continue
            rows = self._framed(body)
            self._digest.update(rows.tobytes())
            self.n_tokens += int(np.count_nonzero(body != PAD))
            pending.append(rows)
            if sum(map(len, pending)) >= self._batch:
                joined = np.concatenate(pending)
                whole = len(joined) - len(joined) % self._batch
                yield from np.split(joined[:whole], whole // self._batch)
                pending = [joined[whole:]]
        if not self.n_tokens:
            raise CorpusError(f"{self._source} has no text")
        rest = np.concatenate(pending)
        if len(rest):
            yield rest

    def _framed(self, body: IntArray) -> IntArray:
        """Put a BOS in front of every row, if there is one."""
        if self._bos is None:
            return body
        return np.pad(body, ((0, 0), (1, 0)), constant_values=self._bos)

    def _bodies(self) -> Iterator[IntArray]:
        """Yield windows without their BOS, some at a time: (window, body) int32."""
        left = np.inf if self._max_tokens is None else self._max_tokens
        stream = np.empty(0, np.int32)
        for tokens in self._pieces():
            tokens = tokens[: int(min(left, len(tokens)))]
            left -= len(tokens)
            if self._separator is None:
                yield self._cut(tokens)
                stream = stream[:0]
            else:
                stream = np.concatenate([stream, tokens])
                whole = len(stream) - len(stream) % self._body
                yield self._cut(stream[:whole])
                stream = stream[whole:]
            if left <= 0:
                break
        yield self._cut(stream)

    def _pieces(self) -> Iterator[IntArray]:
        """Yield the tokens of each document, behind a separator from the second on: (token,) int32."""
        for texts in self._together():
            for ids in self._encode_batch(texts):
                if not ids:
                    continue
                joined = self._separator is not None and self.n_documents > 0
                self.n_documents += 1
                yield np.array([self._separator, *ids] if joined else ids, np.int32)

    def _together(self) -> Iterator[list[str]]:
        """Collect documents that are encoded together."""
        texts: list[str] = []
        characters = 0
        for text in self._documents:
            texts.append(text)
            characters += len(text)
            if characters >= _CHARACTERS:
                yield texts
                texts, characters = [], 0
        if texts:
            yield texts

    def _cut(self, tokens: IntArray) -> IntArray:
        """Cut tokens into rows, the last one padded: (token,) -> (window, body)."""
        n_windows = -(-len(tokens) // self._body)
        padded = np.full(n_windows * self._body, PAD, np.int32)
        padded[: len(tokens)] = tokens
        return padded.reshape(n_windows, self._body)
