from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from n2gdb.core.tokens import display, normalise, text_key, text_of_bytes


@given(st.sets(st.text(), min_size=2, max_size=50))
def test_texts_have_keys_of_their_own(texts: set[str]) -> None:
    keys = {text_key(text) for text in texts}
    assert len(keys) == len(texts)
    assert all(0 <= key < 2**63 for key in keys)


def test_a_key_never_changes() -> None:
    assert text_key("the") == 3417481933629398295
    assert text_key("\ud800") > 0, "half a surrogate pair is no crash"


def test_single_quotes_ignore_case_and_one_leading_space() -> None:
    assert normalise(" The") == normalise("the") == "the"
    assert normalise("  the") == " the"
    assert normalise(" ") == " "


def test_what_cannot_be_seen_is_shown() -> None:
    assert display(" the\n\t") == "·the⏎⇥"
    assert display("\x00") == "\\u0000"


def test_bytes_that_are_no_text_are_hexadecimal() -> None:
    assert text_of_bytes(b"\xe2\x80") == "\\xE2\\x80"
    assert text_of_bytes("é".encode()) == "é"
