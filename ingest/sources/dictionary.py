"""Dictionaries: the encoders of sparse autoencoders and transcoders, as plain tensors and formulas.

Whatever file a dictionary comes from (``dictionary_formats``), it is one `Dictionary` here. What its
activations are is said once: `Dictionary.encode`, and for some latents alone `encode_columns` and `gathered`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from n2gdb.errors import ModelError

__all__ = ["Dictionary", "GatedWeights", "layer_of"]

#: Pre-activations held at a time: 64 MB.
_HELD = 1 << 24

_ALL = slice(None)

_OF_GATES = ("gate", "magnitude", "log_scale")

_Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_LAYER = re.compile(r"blocks\.(\d+)\.[A-Za-z]")


@dataclass(frozen=True, slots=True, eq=False)
class GatedWeights:
    """What a gated encoder has in place of one bias: (d_sae,) each."""

    gate: torch.Tensor
    magnitude: torch.Tensor
    log_scale: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Dictionary:
    """One set of latents, read at one hook point of one layer; every tensor is float32.

    Raises ModelError for tensors whose shapes do not fit each other.
    """

    name: str
    """Name of the source, as in ``L6F650@res-jb``."""
    hook: str
    """Hook point that is encoded, as ``blocks.6.hook_resid_pre``."""
    kind: str
    """``sae`` or ``transcoder``."""
    activation: str
    """``relu``, ``jumprelu``, ``topk`` or ``gated``: what turns pre-activations into activations."""
    encoder: torch.Tensor
    """(d_in, d_sae)."""
    bias: torch.Tensor
    """(d_sae,), added to pre-activations; not used where ``gated`` is."""
    decoder: torch.Tensor
    """(d_sae, d_out): what each latent writes."""
    input_bias: torch.Tensor | None = None
    """(d_in,), subtracted from what is encoded."""
    threshold: torch.Tensor | None = None
    """(d_sae,), of jumprelu."""
    gated: GatedWeights | None = None
    k: int = 0
    """Latents that stay at a position, of topk."""
    rescaled: bool = False
    """Whether topk weighs pre-activations by the norms of the decoder's rows."""
    normalisation: str = "none"
    """``none``, ``layer_norm``, ``constant_norm_rescale`` or ``factor``: done to what is encoded first."""
    factor: float = 1.0
    centred: bool = False
    """Whether the mean over d_model is subtracted first: trained on a model with centred writing weights."""
    architecture: str
    """As the file calls it."""
    model_name: str = ""
    """Model that it was trained on, as the file calls it; empty where it does not say."""
    prepend_bos: bool | None = None
    origin: str
    """Path or hub address that it was read from."""
    revision: str = ""
    log_density: torch.Tensor | None = None
    """(d_sae,) log10 of the share of tokens on which each latent fires, where the file says so."""
    fingerprint: str = ""
    """SHA-256 of all that bears on activations, in hexadecimal; made where it is not given."""

    def __post_init__(self) -> None:
        if not self.fingerprint:  # what is copied under another name, or to another device, was checked
            self._check()
            object.__setattr__(self, "fingerprint", self._digest())

    @property
    def layer(self) -> int:
        """Number of the layer that the hook point lies in."""
        return layer_of(self.hook)

    @property
    def d_in(self) -> int:
        """Numbers of a position that are encoded."""
        return int(self.encoder.shape[0])

    @property
    def sides(self) -> str:
        """A latent's activations are of one sign."""
        return "+"

    @property
    def d_sae(self) -> int:
        """How many latents there are."""
        return int(self.encoder.shape[1])

    @property
    def needs_all(self) -> bool:
        """Whether one latent's activation depends on every other's: topk."""
        return self.activation == "topk"

    def to(self, device: torch.device) -> Dictionary:
        """Return the same dictionary on another device."""
        if self.encoder.device == device:
            return self
        moved = {
            name: None if tensor is None else tensor.to(device) for name, tensor in self._tensors().items()
        }
        parts = [moved.pop(name) for name in _OF_GATES]
        gated = None if self.gated is None else GatedWeights(*(part for part in parts if part is not None))
        return replace(self, gated=gated, **moved)  # type: ignore[arg-type]

    @torch.inference_mode()
    def encode(self, hook: torch.Tensor) -> torch.Tensor:
        """Activations of every latent: (..., d_in) or (..., head, d_head) -> (..., d_sae)."""
        prepared = self._prepared(hook)
        flat = prepared.flatten(0, -2)
        return self._encode(flat, _ALL).view(*prepared.shape[:-1], -1)

    @torch.inference_mode()
    def encode_columns(self, hook: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """Activations of some latents alone: (position, d_in), (some,) -> (position, some).

        Where ``needs_all``, whole positions are encoded, some at a time.
        """
        prepared = self._prepared(hook)
        if not self.needs_all:
            return self._encode(prepared, latents)
        return torch.cat([self._encode(part, _ALL)[:, latents] for part in self._parts(prepared)])

    @torch.inference_mode()
    def gathered(self, hook: torch.Tensor, row: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """Activation of one latent at a position, for each asked: (position, d_in), (asked,) -> (asked,).

        Where ``needs_all``, a position is encoded once, however many of its latents are asked for.
        """
        prepared = self._prepared(hook)
        if not self.needs_all:
            size = _HELD // self.d_in
            asked = zip(_split(row, size), _split(latents, size), strict=True)
            return torch.cat([self._encode(prepared[some], at, _row_by_row) for some, at in asked])
        found = torch.empty(len(row), device=prepared.device)
        start = 0
        for part in self._parts(prepared):
            here = torch.nonzero((row >= start) & (row < start + len(part)))[:, 0]
            if len(here):
                found[here] = self._encode(part, _ALL)[row[here] - start, latents[here]]
            start += len(part)
        return found

    def _parts(self, prepared: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return _split(prepared, max(1, _HELD // self.d_sae))

    def _prepared(self, hook: torch.Tensor) -> torch.Tensor:
        """What is multiplied by the encoder: (..., d_in)."""
        if hook.shape[-1] != self.d_in:  # heads side by side
            hook = hook.flatten(-2)
        x = hook.float()
        if self.centred:
            x = x - x.mean(dim=-1, keepdim=True)
        if self.normalisation == "layer_norm":
            x = x - x.mean(dim=-1, keepdim=True)
            x = x / (x.std(dim=-1, keepdim=True) + 1e-5)
        elif self.normalisation == "constant_norm_rescale":
            x = x * (self.d_in**0.5 / x.norm(dim=-1, keepdim=True))
        elif self.normalisation == "factor":
            x = x * self.factor
        return x if self.input_bias is None else x - self.input_bias

    def _encode(
        self, x: torch.Tensor, latents: torch.Tensor | slice, product: _Product = torch.matmul
    ) -> torch.Tensor:
        """(position, d_in) -> (position, some of d_sae), or (position,) of one latent each row by row."""
        encoder = self.encoder[:, latents]
        if self.gated is not None:
            is_open = product(x, encoder) + self.gated.gate[latents] > 0
            scaled = encoder * self.gated.log_scale[latents].exp()
            return is_open * (product(x, scaled) + self.gated.magnitude[latents]).relu()
        before = product(x, encoder) + self.bias[latents]
        if self.activation == "topk":
            if self.rescaled:
                before = before * self.decoder.norm(dim=-1)
            values, latent = before.topk(min(self.k, self.d_sae), dim=-1, sorted=False)
            return torch.zeros_like(before).scatter_(-1, latent, values.relu())
        if self.threshold is not None:
            return before.relu() * (before > self.threshold[latents])
        return before.relu()

    def _tensors(self) -> dict[str, torch.Tensor | None]:
        gated = self.gated
        return {
            "encoder": self.encoder,
            "bias": self.bias,
            "decoder": self.decoder,
            "input_bias": self.input_bias,
            "threshold": self.threshold,
            **{name: getattr(gated, name, None) for name in _OF_GATES},
            "log_density": self.log_density,
        }

    def _check(self) -> None:
        if self.encoder.ndim != 2 or self.decoder.ndim != 2:
            raise ModelError(f"{self.origin}: the encoder and decoder are not matrices")
        d_in, d_sae = self.encoder.shape
        wanted = dict.fromkeys(self._tensors(), (d_sae,)) | {
            "encoder": (d_in, d_sae),
            "decoder": (d_sae, self.decoder.shape[1]),
            "input_bias": (d_in,),
        }
        for name, tensor in self._tensors().items():
            if tensor is not None and tuple(tensor.shape) != wanted[name]:
                raise ModelError(
                    f"{self.origin}: {name} has shape {tuple(tensor.shape)}, "
                    f"where {wanted[name]} fits the encoder"
                )
            if tensor is not None and name != "log_density" and not bool(torch.isfinite(tensor).all()):
                raise ModelError(f"{self.origin}: {name} holds numbers that are not finite")
        if self.activation == "topk" and self.k < 1:
            raise ModelError(f"{self.origin}: k is {self.k}, and a TopK dictionary keeps at least one latent")
        missing = {"jumprelu": self.threshold is None, "gated": self.gated is None}
        if missing.get(self.activation):
            raise ModelError(f"{self.origin}: the weights of a {self.activation} encoder are missing")
        layer_of(self.hook)

    def _digest(self) -> str:
        said = (
            self.hook,
            self.activation,
            self.k,
            self.rescaled,
            self.normalisation,
            self.factor,
            self.centred,
        )
        digest = hashlib.sha256(json.dumps(said).encode())
        for name, tensor in self._tensors().items():
            if tensor is not None and name != "log_density":
                digest.update(f"{name}{tuple(tensor.shape)}".encode())
                digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def _row_by_row(x: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Multiply each row by its own column: (position, d_in), (d_in, position) -> (position,)."""
    return torch.einsum("pi,ip->p", x, columns)


def _split(tensor: torch.Tensor, rows: int) -> tuple[torch.Tensor, ...]:
    return torch.split(tensor, max(1, rows))


def layer_of(hook: str) -> int:
    """Number of the layer that a hook point lies in; raise ModelError if it lies in none."""
    found = _LAYER.match(hook)
    if found is None:
        raise ModelError(f"{hook!r} is not a hook point of a layer, such as blocks.6.hook_resid_post")
    return int(found[1])
