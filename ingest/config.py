"""The configuration: every number of the algorithm, in one frozen record that is stored with the result."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass

__all__ = ["N2GConfig", "Selection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class N2GConfig:
    """Parameters of N2G; the defaults are the paper's, arXiv 2305.19911, where it names one."""

    seed: int = 0
    top_k: int = 20
    """Top examples a neuron, half of them for training and half for testing."""
    window: int = 256
    """Tokens of a context window, BOS included; never more than the model's context."""
    tokens: int | None = None
    """Bound on the corpus tokens scanned; None scans all."""
    near_duplicate: float = 0.9
    """Two windows are near-duplicates when this share of the tokens up to their pivots agrees."""
    duplicate_span: int = 24
    """Tokens up to the pivot that near-duplicates are compared by."""
    candidates: int = 2
    """Windows kept in the scan, as a multiple of top_k, so that dropped duplicates are replaced."""
    fire_threshold: float = 0.5
    """Normalised activation from which a neuron fires."""
    prune_ratio: float = 0.5
    """Share of the pivot's activation that the pruned prompt must keep."""
    prune_limit: int = 30
    """Tokens of the longest pruned prompt."""
    prune_growth: float = 1.5
    """Suffixes grow by this factor, at least by a token; the gap before the first that keeps enough is
    halved. 1 tries every length."""
    mask_alone: int = 4
    """Context tokens nearest to the pivot that are masked one at a time. Those further away are masked span
    by span, and a span that matters is halved, down to its tokens; 0 masks every token by itself."""
    dense: float = 0.1
    """Share of tokens from which a latent is dense: it is kept, and no graph of it is learned."""
    importance_threshold: float = 0.75
    """Importance above which a context token enters its pattern by name."""
    activation_threshold: float = 0.5
    """Normalised activation above which a position gives a pattern."""
    augment: tuple[str, ...] = ("embedding",)
    """Helpers that propose substitutes, in order; empty turns augmentation off."""
    substitutes: int = 5
    """Substitutes a helper proposes for a token."""
    augment_ratio: float = 0.5
    """Share of the original's pivot activation that a variant must keep."""
    precision: str = "float32"
    """How matrices are multiplied: float32, tf32 or bfloat16."""
    measure_variants: bool = False
    """Measure each variant's saliency anew, rather than let it inherit its original's."""

    refine_rounds: int = 4
    """Rounds in which a graph learns from its mistakes; 0 turns that off, and the graph is the paper's."""
    refine_windows: int = 512
    """Random windows of the corpus that graphs are weighed on, beside a neuron's training examples."""
    refine_thresholds: tuple[float, ...] = (0.5, 0.3)
    """Importance thresholds that deepen a path, beside the first."""
    refine_nodes: float = 2.0
    """Nodes of a refined graph, at most, as a multiple of the graph before."""
    revise: bool = True
    """Drop or deepen the patterns of refined graphs that the record of the corpus says are seldom right."""

    heldout: float | str | None = 0.05
    """Share of the documents that is kept out of everything, to judge by; or another text; None for none."""
    evidence: bool = True
    """Learn evidence, signed weights of tokens, beside each graph."""

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Every importance threshold that patterns are read off with, the paper's first."""
        return (self.importance_threshold, *(self.refine_thresholds if self.refine_rounds else ()))

    def to_json(self) -> str:
        """Write the configuration as JSON, keys sorted."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    def fingerprint(self) -> str:
        """Name the configuration by 12 hexadecimal digits."""
        return _digest(dataclasses.asdict(self))

    def scan_fingerprint(self) -> str:
        """Name what the scan depends on, the corpus aside, by 12 hexadecimal digits."""
        return _digest({name: getattr(self, name) for name in _OF_SCAN})


_OF_SCAN = ("top_k", "candidates", "window", "near_duplicate", "duplicate_span", "precision")


def _digest(values: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which units to ingest: None means all; ``sample`` draws that many of what is left, seeded.

    Where dictionaries or other sites are read, their units alone are ingested, unless ``neurons`` names some.
    """

    layers: tuple[int, ...] | None = None
    neurons: tuple[int, ...] | None = None
    sample: int | None = None
    sides: str = "auto"
    """Sides of neurons: auto, +, - or both; auto is both where MLPs are gated, else +."""
    latents: tuple[int, ...] | None = None
    """Of every dictionary, and of every other site."""
    sites: tuple[str, ...] = ()
    """Sites of the layers whose basis directions are units, as ``places.SITES_BY_NAME`` calls them."""
