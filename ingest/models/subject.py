"""The subject model: loaded, and run no further than needed."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from n2gdb.core.arrays import BoolArray, FloatArray, IndexArray, IntArray
from n2gdb.core.units import SIDES, UnitName
from n2gdb.errors import ModelError
from n2gdb.ingest.arrays import PAD
from n2gdb.ingest.homes import at_home
from n2gdb.ingest.models.devices import PRECISIONS, device_of, require_precision, set_precision
from n2gdb.ingest.models.fused_norms import fuse_norms
from n2gdb.ingest.models.hub import boot_directory, boot_gguf, boot_hub, is_gguf, require_float32
from n2gdb.ingest.models.loaded import Loaded, close, probe_tokens
from n2gdb.ingest.models.native import boot_native, demo_directory, is_native
from n2gdb.ingest.models.sites import find_sites
from n2gdb.ingest.models.tokenizer import ModelTokenizer
from n2gdb.ingest.sources.places import UnitPlaceOf, mlp_place, site_of
from n2gdb.ingest.trunk.packing import Packed
from n2gdb.ingest.trunk.readers import trunk_of
from n2gdb.ingest.trunk.trunk import Trunk

__all__ = ["DEMO", "PRECISIONS", "WEIGHTS", "SubjectModel", "default_corpus", "load_model"]

#: Name of the packaged model, and of its corpus.
DEMO = "demo"

#: What weights can be held in.
WEIGHTS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SubjectModel:
    """A causal language model, read at one site a layer; activations are float32.

    Tokens are (batch, position) int64 on ``device``, padded on the right with any token: attention is
    causal, so later tokens never change a position, and no mask is needed. Tensors returned
    are inference tensors on ``device``.
    """

    name: str
    """What the database calls it."""
    source: str
    """What ``load_model`` loads it from, wherever the process runs: an absolute path, or a name."""
    n_layers: int
    d_model: int
    d_mlp: int
    gated: bool = False
    """Whether a gate multiplies what enters the neurons: their activations are of both signs then."""
    sides: str = "+"
    """Sides of its neurons that are scanned, ``+`` or ``+-``."""
    latents: tuple[UnitPlaceOf, ...] = ()
    """Parts of the dictionaries, and of other sites, that are read beside its neurons."""
    d_vocab: int
    n_ctx: int
    activation_function: str
    site: str
    """Hook point of a layer's neurons, with ``{layer}`` for its number."""
    fingerprint: str
    """SHA-256 of configuration and weights, in hexadecimal."""
    device: torch.device
    tokenizer: ModelTokenizer
    bridge: Any
    points: tuple[torch.nn.Module, ...]
    """Hook point of every layer."""
    trunk: Trunk | None
    """The layers on plain tensors; None for a model that only its bridge can run."""
    weights: str = "float32"
    """What its weights are held in, of WEIGHTS."""

    @property
    def bos(self) -> int | None:
        """Token that stands in front of every window; None if the model was trained without."""
        return self.tokenizer.bos

    @property
    def separator(self) -> int | None:
        """Token between documents; None if the tokenizer has none."""
        return self.tokenizer.separator

    @property
    def special(self) -> frozenset[int]:
        """Ids that never count: special tokens, and ids without a token."""
        return self.tokenizer.special

    @property
    def first_counts(self) -> bool:
        """Whether a window's first position can count: without a BOS attention rests on what is there."""
        return self.bos is not None

    def counted(self, windows: IntArray) -> BoolArray:
        """Whether each position of windows, or of prompts, counts: (window, position).

        Padding and special tokens never do, nor, in a model without BOS, does the first position: what
        stands there, whatever token it is, has activations beyond any other position's.
        """
        counts: BoolArray = (windows != PAD) & ~np.isin(windows, list(self.special))
        counts[:, :1] &= self.first_counts
        return counts

    @property
    def mask(self) -> int:
        """Token that stands in for another whose importance is measured."""
        return self.tokenizer.mask

    @property
    def notices(self) -> tuple[str, ...]:
        """What is unusual about how its text is read, a sentence each."""
        return self.tokenizer.notices

    @property
    def tokenizer_json(self) -> str:
        """The tokenizer as the tokenizers library writes it."""
        return self.tokenizer.json

    @property
    def tokenizer_fingerprint(self) -> str:
        """SHA-256 of the tokenizer's JSON, in hexadecimal."""
        return self.tokenizer.fingerprint

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, with no special token added."""
        return self.tokenizer.encode_batch(texts)

    def token_texts(self) -> list[str]:
        """Raw text of every token id: (d_vocab,)."""
        return self.tokenizer.token_texts()

    def at(self, place: int) -> UnitPlaceOf:
        """Return the units of a place, which is a layer's number for its MLP."""
        if place < self.n_layers:
            return mlp_place(place, self.site, self.d_mlp, self.sides)
        return next(part for part in self.latents if part.place == place)

    def unit_of(self, name: UnitName) -> tuple[int, int]:
        """Return the place of a unit and its number there; of latents those of the only dictionary read."""
        side = SIDES.index(name.side)
        if not name.latent:
            return name.layer, name.index + side * self.d_mlp
        here = (part for part in self.latents if part.first <= name.index < part.first + part.count)
        part = next(part for part in here if name.source in ("", part.name) and part.layer == name.layer)
        return part.place, name.index - part.first + side * part.count

    def activations(self, tokens: torch.Tensor, layer: int) -> torch.Tensor:
        """Activations of the units of one place, stopping there: (batch, position, unit)."""
        return self.all_activations(tokens, (layer,))[0]

    def all_activations(
        self, tokens: torch.Tensor, layers: Sequence[int] | None = None
    ) -> list[torch.Tensor]:
        """Activations of several places in one pass that stops at the last: (batch, position, unit) each.

        In the order of ``layers``; all of the model's MLPs if None.
        """
        wanted = range(self.n_layers) if layers is None else layers
        if any(place >= self.n_layers for place in wanted):
            return self._of_places(tokens, [self.at(place) for place in wanted])
        through = self.through_bridge if self.trunk is None else self.trunk.along_windows
        return [
            self.at(place).of_hook(hook) for place, hook in zip(wanted, through(tokens, wanted), strict=True)
        ]

    def hook_width(self, tokens: torch.Tensor, place: UnitPlaceOf) -> int:
        """How many numbers a position has at a place's hook point; (batch, position) any tokens."""
        return int(self._hooks(tokens, [place])[0].shape[-1])

    def _of_places(self, tokens: torch.Tensor, places: Sequence[UnitPlaceOf]) -> list[torch.Tensor]:
        """As ``all_activations``, where some places are not an MLP's."""
        with torch.inference_mode():
            hooks = self._hooks(tokens, places)
            return [place.of_hook(hook) for place, hook in zip(places, hooks, strict=True)]

    def _hooks(self, tokens: torch.Tensor, places: Sequence[UnitPlaceOf]) -> list[torch.Tensor]:
        """What the model computes at the hook points of places: (batch, position, d) each."""
        if self.trunk is None:
            return self._hooks_through_bridge(tokens, [self._point(place) for place in places])
        return self.trunk.sites_along_windows(tokens, [(place.layer, site_of(place)) for place in places])

    def _point(self, place: UnitPlaceOf) -> torch.nn.Module:
        if place.is_mlp:
            return self.points[place.layer]
        point: torch.nn.Module | None = self.bridge.get_hook_point(place.hook)
        if point is None:
            raise ModelError(f"{self.name} has no hook point {place.hook}, which {place.name} reads")
        return point

    def gathered(self, packed: Packed, place: int, node: IndexArray, unit: IndexArray) -> FloatArray:
        """Activation of one unit of a place at each of some nodes of a tree: (asked,) each, in any order.

        The model must have a trunk.
        """
        assert self.trunk is not None
        units = self.at(place)
        if units.is_mlp:
            positive = unit < units.count
            index = np.where(positive, unit, unit - units.count)
            found = self.trunk.gathered(packed, units.layer, node, index)
            return np.where(positive, found, -found)
        asked, row = np.unique(node, return_inverse=True)
        hook = self.trunk.at_nodes(packed, units.layer, asked, site_of(units))
        device = hook.device
        values = units.of_units(hook, torch.from_numpy(row).to(device), torch.from_numpy(unit).to(device))
        of_latents: FloatArray = values.cpu().numpy()
        return of_latents

    def through_bridge(self, tokens: torch.Tensor, wanted: Sequence[int]) -> list[torch.Tensor]:
        """As ``all_activations``, by the model's own hooked pass."""
        return self._hooks_through_bridge(tokens, [self.points[layer] for layer in wanted])

    def _hooks_through_bridge(
        self, tokens: torch.Tensor, points: Sequence[torch.nn.Module]
    ) -> list[torch.Tensor]:
        """What passes hook points in the model's own pass, which stops when all were met."""
        from transformer_lens.model_bridge.exceptions import StopAtLayerException

        wanted, found = {id(point): point for point in points}, dict[int, torch.Tensor]()

        def keep(number: int, value: torch.Tensor) -> None:
            found[number] = value.reshape(*tokens.shape, -1)  # some flatten the batch, some have heads
            if len(found) == len(wanted):
                raise StopAtLayerException(value)

        handles = [
            point.register_forward_hook(lambda _m, _i, value, number=number: keep(number, value))
            for number, point in wanted.items()
        ]
        try:
            with torch.inference_mode():
                self.bridge.forward(tokens, return_type=None)
        finally:
            for handle in handles:
                handle.remove()
        missing = [point for point in points if id(point) not in found]
        if missing:
            names = ", ".join(str(getattr(point, "name", None) or type(point).__name__) for point in missing)
            raise ModelError(f"{self.name} never passes the hook point {names}, so nothing can be read there")
        return [found[id(point)] for point in points]

    def logits(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits of the next token: (batch, position, d_vocab)."""
        with torch.inference_mode():
            logits: torch.Tensor = self.bridge.forward(tokens, return_type="logits").float()
        return logits

    def embedding(self) -> torch.Tensor:
        """Embedding of every token: (d_vocab, d_model)."""
        weight: torch.Tensor = self.bridge.W_E
        return weight.detach().float()


def load_model(
    source: str | Path,
    device: str = "auto",
    precision: str = "float32",
    name: str | None = None,
    weights: str = "float32",
) -> SubjectModel:
    """Load a model: ``demo``, a local directory, or a name on the Hugging Face hub.

    A directory holds the native format (config.json, model.safetensors, tokenizer.json) or Hugging
    Face's; a file is a GGUF model. ``name`` is what the model is called: a path's last part if None, without
    ``.gguf``, else what it was asked by. ``device`` is auto, cpu, cuda or mps; auto is what transformer-lens
    would choose. ``precision`` is one of PRECISIONS: matrices are multiplied in float32, in tf32, which
    NVIDIA GPUs have, or in bfloat16. ``weights`` are held in float32, or in bfloat16, which takes half the
    memory: each is made float32 where it is used. Loading installs nothing, and a path is loaded without a
    network. Raises ModelError, in one line.
    """
    from transformer_lens.utilities import warn_if_mps

    chosen = device_of(device)
    if weights not in WEIGHTS:
        raise ModelError(f"weights cannot be held in {weights!r}: choose {', '.join(WEIGHTS)}")
    warn_if_mps(chosen)  # what it gives may be wrong, and transformer-lens says when
    require_precision(precision, chosen)
    set_precision("float32")  # models are checked in full precision, whatever the last one ran in
    asked = str(source)
    path = _path(asked)
    with _quiet():
        loaded = _boot(asked, path, str(chosen), WEIGHTS[weights])
        loaded.bridge.eval()
        model = _subject(
            name or (asked if path is None or asked == DEMO else path.name.removesuffix(".gguf")),
            asked if path is None or asked == DEMO else str(path),
            loaded,
            chosen,
            half=precision == "bfloat16",
            weights=weights,
        )
    if "bfloat16" in (precision, weights) and model.trunk is None:
        raise ModelError(f"{model.name} can only be run in float32: n2gdb does not know parts of its layers")
    set_precision(precision)
    return model


def default_corpus(name: str | Path) -> str:
    """Name the corpus that fits a model: its own where it has one, else a small sample of its like.

    Anything that corpus.read_documents takes.
    """
    text = str(name)
    beside = at_home(text) / "corpus.jsonl.gz"
    if text == DEMO:
        return DEMO
    if beside.is_file():
        return str(beside)
    trained_on_code = "C4_Code" in text or (
        text.startswith(("solu-", "gelu-")) and not text.endswith(("-pile", "-old"))
    )
    return "NeelNanda/c4-code-20k" if trained_on_code else "NeelNanda/pile-10k"


def _path(source: str) -> Path | None:
    """The directory or GGUF file that a model is loaded from, without links; None for a name on the hub."""
    path = demo_directory() if source == DEMO else at_home(source)
    if path.is_dir() or is_gguf(path):
        return path.resolve()
    if path.exists():
        raise ModelError(f"{source} is a file; a model is a directory with a config.json, or a GGUF file")
    if source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise ModelError(f"{source}: there is no such directory")
    return None


def _boot(asked: str, path: Path | None, device: str, held: torch.dtype) -> Loaded:
    if path is None:
        return boot_hub(asked, device, held)
    if path.is_file():
        return boot_gguf(path, asked, device, held)
    if is_native(path):
        require_float32(asked, held)
        return boot_native(path, asked, device)
    return boot_directory(path, asked, device, held)


def _subject(
    name: str, source: str, loaded: Loaded, device: torch.device, *, half: bool, weights: str
) -> SubjectModel:
    bridge = loaded.bridge
    sites = find_sites(bridge, name)
    trunk = trunk_of(bridge, half=half)
    fuse_norms(bridge)
    model = SubjectModel(
        name=name,
        source=source,
        n_layers=bridge.cfg.n_layers,
        d_model=bridge.cfg.d_model,
        d_mlp=sites.d_mlp,
        gated=bool(getattr(bridge.cfg, "gated_mlp", False)),
        d_vocab=bridge.cfg.d_vocab,
        n_ctx=bridge.cfg.n_ctx,
        activation_function=str(bridge.cfg.act_fn),
        site=sites.template,
        fingerprint=loaded.fingerprint,
        device=device,
        tokenizer=loaded.tokenizer,
        bridge=bridge,
        points=sites.points,
        trunk=trunk,
        weights=weights,
    )
    # A configuration may know more than the trunk does: then the bridge runs all passes.
    return model if half or _trunk_agrees(model) else replace(model, trunk=None)


def _trunk_agrees(model: SubjectModel) -> bool:
    """Whether a model's trunk computes what its bridge does, on the prompts that models are tried on."""
    if model.trunk is None:
        return True
    tokens, layers = probe_tokens(model.d_vocab, model.n_ctx).to(model.device), range(model.n_layers)
    pairs = zip(model.all_activations(tokens, layers), model.through_bridge(tokens, layers), strict=True)
    return all(close(found, expected, WEIGHTS[model.weights]) for found, expected in pairs)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the chatter of loading off the terminal: progress bars, advice, deprecations."""
    import logging

    from transformers.utils import logging as chatter

    level = logging.root.manager.disable
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        chatter.disable_progress_bar()
        try:
            yield
        finally:
            chatter.enable_progress_bar()
            logging.disable(level)
