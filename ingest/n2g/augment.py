"""Augment: replace tokens of a prompt by likely others, and keep what still fires."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from n2gdb.core.arrays import FloatArray, IndexArray, IntArray
from n2gdb.errors import ModelError
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.config import N2GConfig
from n2gdb.ingest.inference.engine import Engine
from n2gdb.ingest.models.hub import require_on_hub
from n2gdb.ingest.n2g.prune import Prompts
from n2gdb.ingest.trunk.packing import lengths_of

__all__ = ["HELPERS", "Helper", "augment", "load_helpers"]


class Helper(Protocol):
    """Proposes substitutes for tokens of prompts."""

    def propose(self, prompts: IntArray, positions: IndexArray, n: int) -> IndexArray:
        """The ``n`` likeliest substitutes of the token at each position.

        prompts (slot, position), positions (slot,) -> (slot, n) token ids, -1 where there are fewer.
        """
        ...


class ModelHelper:
    """The subject model's own next-token distribution, given what stands before the token."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def propose(self, prompts: IntArray, positions: IndexArray, n: int) -> IndexArray:
        """See Helper; a token with nothing before it gets no proposal."""
        found = np.full((len(prompts), n), -1, np.intp)
        slot = np.flatnonzero(positions > 0)
        before = prompts[slot].copy()
        before[np.arange(prompts.shape[1]) >= positions[slot, None]] = PAD
        banned = np.array(sorted(self._engine.model.special), np.intp)
        found[slot] = self._engine.likeliest_next(before, positions[slot], n, banned)
        return found


class EmbeddingHelper:
    """Nearest neighbours by cosine in the subject model's token embedding."""

    def __init__(self, engine: Engine) -> None:
        embedding = engine.model.embedding().float()  # (token, d_model)
        self._unit = torch.nn.functional.normalize(embedding, dim=-1)
        self._banned = torch.tensor(sorted(engine.model.special), device=embedding.device)

    def propose(self, prompts: IntArray, positions: IndexArray, n: int) -> IndexArray:
        """See Helper; the same token has the same neighbours wherever it stands."""
        token = prompts[np.arange(len(prompts)), positions]
        distinct, place = np.unique(token, return_inverse=True)
        index = torch.from_numpy(distinct.astype(np.int64)).to(self._unit.device)
        nearest = [self._neighbours(part, n) for part in torch.split(index, 1024)]
        found: IndexArray = torch.cat(nearest).cpu().numpy()[place] if nearest else np.empty((0, n), np.intp)
        return found

    def _neighbours(self, token: torch.Tensor, n: int) -> torch.Tensor:
        """(token,) -> (token, n)."""
        likeness = self._unit[token] @ self._unit.T  # (token, vocabulary)
        likeness[:, self._banned] = -torch.inf
        likeness[torch.arange(len(token)), token] = -torch.inf
        return likeness.topk(n, dim=-1).indices


class FormHelper:
    """Tokens of the same form: other cases and spacings of the text, and for digits the other digits."""

    def __init__(self, engine: Engine) -> None:
        texts = engine.model.token_texts()
        self._kin: dict[str, list[int]] = {}
        self._form = [_form(text) for text in texts]
        for token, form in enumerate(self._form):
            if form and token not in engine.model.special:
                self._kin.setdefault(form, []).append(token)

    def propose(self, prompts: IntArray, positions: IndexArray, n: int) -> IndexArray:
        """See Helper; tokens of one form are proposed in the order of their ids."""
        found = np.full((len(prompts), n), -1, np.intp)
        tokens = prompts[np.arange(len(prompts)), positions].tolist()
        for row, token in enumerate(tokens):
            kin = [other for other in self._kin.get(self._form[token], ()) if other != token][:n]
            found[row, : len(kin)] = kin
        return found


def _form(text: str) -> str:
    """What tokens of one form have in common: letters, or a number of digits; empty for others."""
    letters = text.strip().casefold()
    if letters.isdecimal():
        return f"{len(letters)} digits"
    return letters if any(map(str.isalpha, letters)) else ""


class MaskedHelper:
    """A masked language model, as in the paper (DistilBERT): it sees the text on both sides.

    Only the proposals pass through text; the prompt stays as token ids.
    """

    def __init__(self, engine: Engine, name: str = "distilbert-base-uncased") -> None:
        from transformers import AutoModelForMaskedLM, AutoTokenizer

        self._model = engine.model
        self._texts = engine.model.token_texts()
        if not Path(name).is_dir():
            require_on_hub(name, name)
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(name)
            self._masked = AutoModelForMaskedLM.from_pretrained(name).eval().to(engine.model.device)
        except (OSError, ValueError) as error:
            raise ModelError(
                f"the masked language model {name!r} cannot be loaded: put it into a local directory "
                "(--augment masked:DIRECTORY), or augment with model or embedding"
            ) from error
        if self._tokenizer.mask_token is None:
            raise ModelError(f"{name!r} has no mask token, so it is not a masked language model")

    def propose(self, prompts: IntArray, positions: IndexArray, n: int) -> IndexArray:
        """See Helper; a proposal that is not one token of the subject model is left out."""
        found = np.full((len(prompts), n), -1, np.intp)
        for start in range(0, len(prompts), 64):
            slots = slice(start, start + 64)
            self._fill(found[slots], prompts[slots], positions[slots])
        return found

    def _fill(self, found: IndexArray, prompts: IntArray, positions: IndexArray) -> None:
        texts, spaced = zip(*map(self._masked_text, prompts, positions), strict=True)
        words = self._likeliest_words(list(texts), found.shape[1])
        for row, (candidates, space) in enumerate(zip(words, spaced, strict=True)):
            ids = self._model.encode_batch([space + word for word in candidates])
            single = [tokens[0] for tokens in ids if len(tokens) == 1]
            found[row, : len(single)] = single

    def _masked_text(self, prompt: IntArray, position: int) -> tuple[str, str]:
        """The prompt's text with the mask at ``position``, and the space that its token began with."""
        texts = [self._texts[token] for token in prompt[: lengths_of(prompt[None])[0]]]
        space = " " if texts[position].startswith(" ") else ""
        special = self._model.special
        shown = ["" if token in special else text for token, text in zip(prompt, texts, strict=False)]
        shown[position] = space + self._tokenizer.mask_token
        return "".join(shown), space

    def _likeliest_words(self, texts: list[str], n: int) -> list[list[str]]:
        batch = self._tokenizer(texts, return_tensors="pt", padding=True, truncation=True)
        batch = batch.to(self._masked.device)
        with torch.inference_mode():
            logits = self._masked(**batch).logits  # (text, position, word)
        row, at = (batch["input_ids"] == self._tokenizer.mask_token_id).nonzero(as_tuple=True)
        top = logits[row, at].topk(n, dim=-1).indices  # (mask, n)
        words: list[list[str]] = [[] for _ in texts]
        for text, ids in zip(row.tolist(), top.tolist(), strict=True):
            words[text] = self._tokenizer.convert_ids_to_tokens(ids)
        return words


HELPERS = ("model", "embedding", "form", "masked")


def load_helpers(names: Sequence[str], engine: Engine) -> tuple[Helper, ...]:
    """Make the helpers of these names; ``masked:NAME`` chooses the masked language model.

    Raises ModelError for an unknown helper, or a masked language model that cannot be loaded.
    """
    return tuple(_load_helper(name, engine) for name in names)


def _load_helper(name: str, engine: Engine) -> Helper:
    kind, _, argument = name.partition(":")
    if kind == "model":
        return ModelHelper(engine)
    if kind == "embedding":
        return EmbeddingHelper(engine)
    if kind == "form":
        return FormHelper(engine)
    if kind == "masked":
        return MaskedHelper(engine, argument) if argument else MaskedHelper(engine)
    raise ModelError(f"no augmentation helper {name!r}: there are {', '.join(HELPERS)}")


def augment(
    engine: Engine,
    layer: int,
    prompts: Prompts,
    importance: FloatArray,
    helpers: Sequence[Helper],
    config: N2GConfig,
    threshold: float,
) -> tuple[Prompts, IndexArray, FloatArray]:
    """Vary each context token more important than ``threshold``, and the pivot, and keep what still fires.

    importance (prompt, masked position, position). Returns the originals followed by the variants, with
    ``source`` as before; for each of them the row of ``importance`` that it inherits: (prompt,); and how
    important the token is that was replaced, infinite for originals and pivots: (prompt,).

    Source: N2G, arXiv 2305.19911, section 3.3.
    """
    base, position = _slots(prompts, importance, threshold)
    row, where, token = _substitutions(prompts, base, position, helpers, config.substitutes)
    variant = prompts.tokens[row]
    variant[np.arange(len(row)), where] = token
    pivot = prompts.pivot[row]
    # What stands before the substitute is as it was.
    behind = np.arange(variant.shape[1]) >= where[:, None]
    found = engine.activations(layer, variant, prompts.neuron[row], behind)
    found = np.where(behind, found, prompts.activations[row])
    kept = found[np.arange(len(row)), pivot] >= (config.augment_ratio * prompts.activations[row, pivot])
    row, where = row[kept], where[kept]
    slot = importance[row, where, prompts.pivot[row]]
    slot[where == prompts.pivot[row]] = np.inf
    together = Prompts(
        np.concatenate([prompts.source, prompts.source[row]]),
        np.concatenate([prompts.neuron, prompts.neuron[row]]),
        np.concatenate([prompts.tokens, variant[kept]]),
        np.concatenate([prompts.pivot, prompts.pivot[row]]),
        np.concatenate([prompts.activations, found[kept]]),
        np.concatenate([prompts.factor, prompts.factor[row]]),
    )
    originals = np.arange(len(prompts.tokens))
    return (
        together,
        np.concatenate([originals, row]),
        np.concatenate([np.full(len(originals), np.inf, np.float32), slot]),
    )


def _slots(prompts: Prompts, importance: FloatArray, threshold: float) -> tuple[IndexArray, IndexArray]:
    """Prompt and position of each token to vary: those important for the pivot, and the pivot."""
    rows = np.arange(len(prompts.tokens))
    vary = importance[rows, :, prompts.pivot] > threshold  # (prompt, position)
    vary[rows, prompts.pivot] = True
    prompt, position = np.nonzero(vary)
    return prompt, position


def _substitutions(
    prompts: Prompts, base: IndexArray, position: IndexArray, helpers: Sequence[Helper], n: int
) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Prompt, position and new token of each variant to try, each one once."""
    proposals = [helper.propose(prompts.tokens[base], position, n) for helper in helpers]
    token = np.concatenate(proposals, axis=1) if proposals else np.empty((len(base), 0), np.intp)
    triples = np.stack(
        [np.broadcast_to(base[:, None], token.shape), np.broadcast_to(position[:, None], token.shape), token]
    ).reshape(3, -1)
    new = (triples[2] >= 0) & (triples[2] != prompts.tokens[triples[0], triples[1]])
    row, where, substitute = np.unique(triples[:, new], axis=1)
    return row, where, substitute
