"""Held-out documents: a share of the corpus that nothing is learned from, to judge by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

__all__ = ["is_held_out", "split_documents"]

_SCALE = 1 << 64


def is_held_out(text: str, share: float) -> bool:
    """Whether a document is kept out, of which ``share`` are: by its text alone.

    The same text is always on the same side, in whatever corpus and place it comes, so no copy of a document
    that is learned from is judged by.
    """
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, person=b"n2gdb heldout")
    return int.from_bytes(digest.digest(), "big") < share * _SCALE


def split_documents(documents: Iterable[str], share: float, *, held_out: bool) -> Iterator[str]:
    """Yield the documents of one side, in order: those kept out, or all others."""
    return (text for text in documents if is_held_out(text, share) == held_out)
