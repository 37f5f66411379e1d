"""A made-up vocabulary by falling frequency: words in two spellings, capitals, numbers, marks, spaces."""

from __future__ import annotations

import numpy as np
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split

from n2gdb.core.arrays import Float64Array, IntArray

__all__ = ["VOCABULARY", "token_text", "tokenizer_json", "zipf", "zipf_tokens"]

VOCABULARY = 50_000

_SYLLABLES = [consonant + vowel for consonant in "bcdfghjklmnprstvwxyz" for vowel in "aeiou"]
_MARKS = "!#%&()*+,-./:;<=>?@[]^_{|}~"
_SPACES = 25


def token_text(token: int) -> str:
    """Return the text of a token; words have two, as byte-level tokenizers cut them: ``·bado``, ``Bado``."""
    word, second = divmod(token, 2)
    match word % 16:
        case 3:
            text = str(word)
        case 7:
            text = _spelled(word, _MARKS)
        case 11:
            text = _word(word).upper()
        case 15 if word < 16 * _SPACES:
            return "\n" * (1 + word // 16) if second else " " * (2 + word // 16)
        case _:
            text = _word(word).title() if second else _word(word)
    return text if second else f" {text}"


def zipf(random: np.random.Generator, size: int) -> IntArray:
    """Draw tokens of which the most frequent ones dominate: (size,) int32."""
    return zipf_tokens(random.random(size))


def zipf_tokens(share: Float64Array) -> IntArray:
    """Return the token at each share, from 0 to 1, of all the tokens of a text sorted by frequency."""
    return np.searchsorted(_CUMULATED, share).clip(max=VOCABULARY - 1).astype(np.int32)


_WEIGHTS = 1.0 / (np.arange(VOCABULARY) + 2.7)
_CUMULATED = np.cumsum(_WEIGHTS / _WEIGHTS.sum())


def _word(number: int) -> str:
    return _spelled(number, _SYLLABLES)


def _spelled(number: int, digits: str | list[str]) -> str:
    """Write a number in these digits, so that no two are the same."""
    text = digits[number % len(digits)]
    while number := number // len(digits):
        text += digits[number % len(digits)]
    return text


def tokenizer_json() -> str:
    """Return a tokenizer of whole words, in the tokenizers library's JSON: it cuts a text of even tokens."""
    vocabulary = {token_text(token): token for token in range(VOCABULARY)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=token_text(VOCABULARY - 1)))
    tokenizer.pre_tokenizer = Split(Regex(r" ?\S+|\s+"), "isolated")
    return str(tokenizer.to_str())
