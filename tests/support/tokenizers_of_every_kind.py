"""Small tokenizers of every kind that models have, trained on a few sentences."""

from __future__ import annotations

from collections.abc import Callable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

__all__ = ["KINDS"]

SENTENCES = ["the cat sat on the mat", "New York has the cathedral", "Con artists bathe in the sea"] * 4
_LETTERS = sorted(set("".join(SENTENCES)))
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def _trained(tokenizer: Tokenizer, trainer: trainers.Trainer) -> Tokenizer:
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def byte_level() -> Tokenizer:
    """GPT-2's kind."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return _trained(
        tokenizer,
        trainers.BpeTrainer(
            vocab_size=290, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"], show_progress=False
        ),
    )


def byte_level_prefixed() -> Tokenizer:
    """The same, with a space put in front of each text, as RoBERTa's."""
    tokenizer = byte_level()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return tokenizer


def byte_level_stripped() -> Tokenizer:
    """The first, where spaces at the ends of a text are dropped."""
    tokenizer = byte_level()
    tokenizer.normalizer = normalizers.Strip()
    return tokenizer


def _sentencepiece_bpe() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return _trained(
        tokenizer,
        trainers.BpeTrainer(
            vocab_size=299, special_tokens=["<unk>", "<s>", "</s>", *_BYTES], show_progress=False
        ),
    )


def llama() -> Tokenizer:
    """SentencePiece BPE with a dummy prefix and byte fallback, as Llama 2's."""
    import json

    stages = json.loads(_sentencepiece_bpe().to_str())
    # Bytes are tokens like others, not special ones: <unk>, <s> and </s> alone are.
    stages["added_tokens"] = stages["added_tokens"][:3]
    return Tokenizer.from_str(json.dumps(stages))


def gemma() -> Tokenizer:
    """The same without the dummy prefix, as Gemma's."""
    tokenizer = llama()
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    return tokenizer


def _unigram(scheme: str) -> Tokenizer:
    pieces = ["▁the", "▁cat", "▁Con", "▁sat", "▁on", "▁New", "▁York", "▁", "the", "Con", *_LETTERS]
    vocabulary = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0)]
    vocabulary += [(piece, -float(place + 1)) for place, piece in enumerate(dict.fromkeys(pieces))]
    vocabulary += [(byte, -200.0) for byte in _BYTES[128:]]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


def unigram() -> Tokenizer:
    """SentencePiece Unigram with a dummy prefix and byte fallback."""
    return _unigram("always")


def unigram_first() -> Tokenizer:
    """The same, where the prefix is put in front of the text alone."""
    return _unigram("first")


def unigram_split() -> Tokenizer:
    """The same, where words are cut apart before, as XLNet's and T5's."""
    tokenizer = _unigram("always")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    return tokenizer


def wordpiece() -> Tokenizer:
    """BERT's kind, with no token that begins or ends a text."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return _trained(
        tokenizer,
        trainers.WordPieceTrainer(vocab_size=80, special_tokens=["[UNK]", "[PAD]"], show_progress=False),
    )


def word_endings() -> Tokenizer:
    """GPT-1's kind: the last piece of a word ends in a mark."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    return _trained(
        tokenizer,
        trainers.BpeTrainer(
            vocab_size=120, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False
        ),
    )


def byte_level_endings() -> Tokenizer:
    """CLIP's kind: bytes, and a mark behind the last piece of a word."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return _trained(
        tokenizer,
        trainers.BpeTrainer(
            vocab_size=120,
            special_tokens=["<|startoftext|>", "<|endoftext|>"],
            end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )


def words() -> Tokenizer:
    """Whole words, and nothing special but the token for unknown ones."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return _trained(tokenizer, trainers.WordLevelTrainer(special_tokens=["[UNK]"], show_progress=False))


KINDS: dict[str, Callable[[], Tokenizer]] = {
    kind.__name__: kind
    for kind in (
        byte_level,
        byte_level_prefixed,
        byte_level_stripped,
        llama,
        gemma,
        unigram,
        unigram_first,
        unigram_split,
        wordpiece,
        word_endings,
        byte_level_endings,
        words,
    )
}
