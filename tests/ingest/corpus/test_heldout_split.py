"""Documents are kept out by their text alone."""

from __future__ import annotations

import pytest

from n2gdb.ingest.corpus.heldout_split import is_held_out, split_documents

TEXTS = [f"document {number}\n" * (number % 7 + 1) for number in range(4_000)]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 1.0])
def test_about_the_share_is_kept_out_and_both_sides_make_up_the_corpus(share: float) -> None:
    inside = list(split_documents(TEXTS, share, held_out=False))
    outside = list(split_documents(TEXTS, share, held_out=True))
    assert len(outside) / len(TEXTS) == pytest.approx(share, abs=0.02)
    assert sorted(inside + outside) == sorted(TEXTS)
    assert inside == [text for text in TEXTS if text in set(inside)]


def test_copies_go_the_same_way_and_a_larger_share_keeps_what_a_smaller_did() -> None:
    kept = {text for text in TEXTS if is_held_out(text, 0.05)}
    assert set(split_documents(reversed(TEXTS * 2), 0.05, held_out=True)) == kept
    assert all(is_held_out(text, 0.2) for text in kept)


def test_text_that_is_no_unicode_is_split_too() -> None:
    assert is_held_out("\ud800", 1.0)
