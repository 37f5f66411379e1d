"""Context windows: the corpus as one stream of tokens, cut to the model's context length."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, Self

import numpy as np

from n2gdb.core.arrays import IntArray
from n2gdb.errors import CorpusError
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.corpus.cutting import cut_text
from n2gdb.ingest.corpus.sampling import Draw

__all__ = ["Windows"]


#: Texts are encoded together, side by side, until they have this many characters: a token takes hundreds of
#: bytes while it is encoded.
_CHARACTERS = 1 << 17

#: Characters of a text that is encoded at once; a longer one is cut.
_AT_ONCE = 1 << 15

#: Characters worth encoding for a token that is wanted.
_OF_TOKEN = 4


class _Reader(Protocol):
    """What windows need to know of a model."""

    @property
    def bos(self) -> int | None: ...
    @property
    def separator(self) -> int | None: ...
    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]: ...


class Windows:
    """Windows of a corpus, read once, in batches; memory does not grow with the corpus.

    Documents are joined by ``separator`` and cut into windows of ``length`` tokens, each after a BOS
    when the model has one, as models are trained. Without a separator no window spans two documents.
    A window cut short by the end is padded with PAD.

    ``max_tokens`` bounds the tokens, BOS not counted: the first ones, or with ``draw`` some that are drawn
    from all over the corpus. ``n_tokens``, ``n_documents`` and ``fingerprint``
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
        draw: Draw | None = None,
    ) -> None:
        self.length = length
        self._body = length - (bos is not None)
        if self._body < 1:
            raise ValueError(f"a window of {length} tokens holds no text")
        self._documents = iter(documents)
        self._encode_batch = encode_batch
        self._bos, self._separator = bos, separator
        self._max_tokens, self._batch, self._source, self._draw = max_tokens, batch, source, draw
        self._left = np.inf if max_tokens is None else max_tokens
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
        draw: Draw | None = None,
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
            draw=draw,
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the windows yielded so far, in hexadecimal; the batch size does not matter."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[IntArray]:
        """Yield batches of windows: (window, length) int32."""
        if self._started:
            raise RuntimeError("windows are read once: make them again")
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
        stream = np.empty(0, np.int32)
        for tokens, begins in self._pieces():
            if begins and self._separator is None:
                yield self._cut(stream)
                stream = stream[:0]
            tokens = tokens[: int(min(self._left, len(tokens)))]
            self._left -= len(tokens)
            stream = np.concatenate([stream, tokens])
            whole = len(stream) - len(stream) % self._body
            yield self._cut(stream[:whole])
            stream = stream[whole:]
            if self._left <= 0:
                break
        yield self._cut(stream)

    def _pieces(self) -> Iterator[tuple[IntArray, bool]]:
        """Yield the tokens of documents, (token,) int32, and whether one begins with them.

        From the second on each begins with a separator, if there is one.
        """
        begun = False
        for ids, begins in self._drawn() if self._draw and self._max_tokens else self._encoded():
            begun = begun or begins
            if not len(ids):
                continue
            joined = begun and self._separator is not None and self.n_documents > 0
            self.n_documents += begun
            yield np.concatenate([[self._separator], ids]).astype(np.int32) if joined else ids, begun
            begun = False

    def _drawn(self) -> Iterator[tuple[IntArray, bool]]:
        assert self._draw is not None and self._max_tokens is not None
        for ids in self._draw.texts(self._documents, self._encode_batch, self._max_tokens):
            yield ids, True

    def _encoded(self) -> Iterator[tuple[IntArray, bool]]:
        """Encode documents, some together and no more than are needed; a long one in several parts."""
        texts: list[str] = []
        begins: list[bool] = []
        characters = 0
        for document in self._documents:
            for number, text in enumerate(cut_text([document], _AT_ONCE)):
                texts.append(text)
                begins.append(not number)
                characters += len(text)
                if characters >= min(_CHARACTERS, _OF_TOKEN * self._left):
                    yield from zip(self._encode(texts), begins, strict=True)
                    texts, begins, characters = [], [], 0
        if texts:
            yield from zip(self._encode(texts), begins, strict=True)

    def _encode(self, texts: Sequence[str]) -> Iterator[IntArray]:
        return (np.array(ids, np.int32) for ids in self._encode_batch(texts))

    def _cut(self, tokens: IntArray) -> IntArray:
        """Cut tokens into rows, the last one padded: (token,) -> (window, body)."""
        n_windows = -(-len(tokens) // self._body)
        padded = np.full(n_windows * self._body, PAD, np.int32)
        padded[: len(tokens)] = tokens
        return padded.reshape(n_windows, self._body)
