"""Tokenizers of every kind: what their tokens say, how patterns are cut, and which tokens are special."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import transformers
from tokenizers import Tokenizer as Backend

import n2gdb
from n2gdb.core.progress import silent
from n2gdb.core.tokenizer import Tokenizer
from n2gdb.errors import ModelError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.subject import load_model
from n2gdb.ingest.models.tokenizer import ModelTokenizer
from n2gdb.ingest.pipeline import Source, ingest
from tests.support.tiny_models import VOCABULARY, tiny_tokenizer, write_native
from tests.support.tokenizers_of_every_kind import KINDS

#: Kinds that know where a word begins, and those that put a space in front of a text.
SPACED = (
    "byte_level",
    "byte_level_prefixed",
    "byte_level_stripped",
    "llama",
    "gemma",
    "unigram",
    "unigram_first",
    "unigram_split",
)
PREFIXED = ("byte_level_prefixed", "llama", "unigram", "unigram_first", "unigram_split")
UNMARKED = ("word_endings", "byte_level_endings", "words")


def read(backend: Backend) -> ModelTokenizer:
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=backend)
    return ModelTokenizer.from_transformers(wrapped, VOCABULARY)


def texts(kind: str, text: str, *, inside: bool) -> list[str]:
    backend = KINDS[kind]()
    spelled = ModelTokenizer(
        backend=backend, d_vocab=VOCABULARY, bos=None, separator=None, mask=0, special=frozenset()
    ).token_texts()
    tokenizer = Tokenizer(backend.to_str())
    return [spelled[token] for token in (tokenizer.cut_inside if inside else tokenizer.cut)(text)]


@pytest.mark.parametrize("kind", KINDS)
def test_no_mark_stays_in_a_text(kind: str) -> None:
    backend = KINDS[kind]()
    spelled = ModelTokenizer(
        backend=backend, d_vocab=VOCABULARY, bos=None, separator=None, mask=0, special=frozenset()
    ).token_texts()
    special = {token.content for token in backend.get_added_tokens_decoder().values()}
    for text in set(spelled) - special:
        assert not any(mark in text for mark in ("</w>", "##", "▁", "Ġ", "<0x")), text
    assert {"the", " the"} & set(spelled) or kind in ("llama", "gemma")
    assert any(text.strip() == "the" for text in spelled)


@pytest.mark.parametrize("kind", SPACED)
@pytest.mark.parametrize("text", [" Con", "Con", " the cat", "the cat", "天", " 天", "New York", " New York"])
def test_patterns_are_cut_as_inside_text(kind: str, text: str) -> None:
    assert text_of(texts(kind, text, inside=True)) == text


def text_of(tokens: list[str]) -> str:
    """Join tokens, and bytes to what they make."""
    raw = b"".join(
        bytes.fromhex(token[2:]) if token.startswith("\\x") else token.encode() for token in tokens
    )
    return raw.decode()


@pytest.mark.parametrize("kind", SPACED)
def test_what_stands_inside_text_is_cut_alike(kind: str) -> None:
    """Behind other text, a pattern's tokens are those of the whole text."""
    whole = texts(kind, "the sea Con", inside=False)
    assert whole[-len(texts(kind, " Con", inside=True)) :] == texts(kind, " Con", inside=True)


@pytest.mark.parametrize("kind", SPACED)
def test_a_whole_text_is_cut_as_the_model_reads_it(kind: str) -> None:
    assert text_of(texts(kind, "Con", inside=False)) == (" Con" if kind in PREFIXED else "Con")


@pytest.mark.parametrize("kind", ["wordpiece", *UNMARKED])
def test_words_without_spaces_are_cut_whole(kind: str) -> None:
    space = " " if kind == "wordpiece" else ""
    for text in ("New York", " New York"):
        assert texts(kind, text, inside=True) == [f"{space}New", f"{space}York"]


def test_word_pieces_begin_with_a_space_where_a_word_begins() -> None:
    spelled = texts("wordpiece", "the sea", inside=False)
    assert text_of(spelled) == " the sea"


@pytest.mark.parametrize("kind", ["wordpiece", "word_endings", "words"])
def test_what_the_vocabulary_lacks_is_no_special_role(kind: str) -> None:
    backend = KINDS[kind]()
    with pytest.raises(ModelError, match="no padding, end or begin token to mask"):
        read(backend)
    backend.add_tokens(["."])
    tokenizer = read(backend)
    unknown = {backend.token_to_id("[UNK]"), backend.token_to_id("<unk>")} - {None}
    assert (tokenizer.bos, tokenizer.separator) == (None, None)
    assert tokenizer.mask == backend.token_to_id(".")
    assert tokenizer.mask not in unknown
    said = " ".join(tokenizer.notices)
    assert "no window spans two documents" in said
    assert "first position never counts" in said
    assert "stands in for masked tokens" in said


def test_roles_that_a_vocabulary_lacks_are_none() -> None:
    """Asked for the id of what it lacks, a tokenizer of transformers gives that of its unknown token."""
    backend = KINDS["wordpiece"]()
    backend.add_tokens(["."])
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")
    wrapped._special_tokens_map |= {"bos_token": "<s>", "eos_token": "[UNK]"}
    tokenizer = ModelTokenizer.from_transformers(wrapped, VOCABULARY)
    assert (tokenizer.bos, tokenizer.separator) == (None, None)


def test_one_token_may_begin_end_and_be_unknown() -> None:
    """GPT-2's <|endoftext|> has all three roles."""
    name = "<|endoftext|>"
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tiny_tokenizer(name), bos_token=name, eos_token=name, unk_token=name
    )
    tokenizer = ModelTokenizer.from_transformers(wrapped, VOCABULARY)
    assert (tokenizer.bos, tokenizer.separator, tokenizer.mask, tokenizer.notices) == (0, 0, 0, ())


@pytest.mark.parametrize("kind", ["llama", "unigram", "unigram_split", "wordpiece", "byte_level_endings"])
def test_a_word_is_found(kind: str, tmp_path: Path) -> None:
    """Neurons of a model with such a tokenizer are asked for by words, as anybody would write them."""
    write_native(tmp_path / "model", "relu")
    backend = KINDS[kind]()
    (tmp_path / "model" / "tokenizer.json").write_text(backend.to_str(), encoding="utf-8")
    (tmp_path / "texts.txt").write_text(
        "the cat sat on the mat. New York has the sea. " * 30, encoding="utf-8"
    )
    path = tmp_path / "words.n2gdb"
    config = N2GConfig(window=24, top_k=4, prune_limit=4, augment=(), refine_rounds=0)
    model = load_model(tmp_path / "model", "cpu")
    ingest(model, Source(str(tmp_path / "texts.txt")), path, config, Selection(layers=(0,)), silent, 512)
    with n2gdb.open(path) as database:
        known = {
            text: neuron.name
            for neuron in database.neurons()
            for pattern in neuron.graph.patterns()
            if (text := database.text(pattern.steps[0].token).strip()).isalpha()
        }
        assert len(known) > 2
        for text, name in known.items():
            for literal in (f"'{text}'", f"'{text.upper()}'"):
                found = database.query(f"neurons MATCHING {literal} LIMIT 1000")
                assert name in {row.neuron for row in found}, literal


def test_a_stored_tokenizer_is_not_changed_by_cutting() -> None:
    stored = KINDS["llama"]().to_str()
    tokenizer = Tokenizer(stored)
    before = tokenizer.cut("the cat")
    tokenizer.cut_inside("the cat")
    assert tokenizer.cut("the cat") == before
    assert json.loads(stored)["normalizer"]["normalizers"][0]["type"] == "Prepend"
