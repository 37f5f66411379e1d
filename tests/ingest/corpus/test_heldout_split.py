"""Documents are kept out by their text alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from n2gdb.ingest.corpus.heldout_split import KeptOut, is_held_out

TEXTS = [f"document {number}\n" * (number % 7 + 1) for number in range(4_000)]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 1.0])
def test_about_the_share_is_kept_out_and_both_sides_make_up_the_corpus(share: float, tmp_path: Path) -> None:
    with KeptOut(share, tmp_path) as kept:
        inside, outside = list(kept.others(TEXTS)), list(kept.documents())
    assert len(outside) / len(TEXTS) == pytest.approx(share, abs=0.02)
    assert sorted(inside + outside) == sorted(TEXTS)
    assert inside == [text for text in TEXTS if text in set(inside)]
    assert all(is_held_out(text, share) for text in outside)


def test_copies_go_the_same_way_and_a_larger_share_keeps_what_a_smaller_did(tmp_path: Path) -> None:
    small = {text for text in TEXTS if is_held_out(text, 0.05)}
    with KeptOut(0.05, tmp_path) as kept:
        inside = list(kept.others(TEXTS[:1] + TEXTS[::-1] * 2))
        assert set(kept.documents()) == small - set(TEXTS[:1])
    assert not set(inside) & small - set(TEXTS[:1])
    assert all(is_held_out(text, 0.2) for text in small)


def test_text_that_is_no_unicode_is_split_too() -> None:
    assert is_held_out("\ud800", 1.0)
