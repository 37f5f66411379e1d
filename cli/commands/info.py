"""`n2gdb info`: what a database holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from n2gdb.cli.options import DatabaseOption
from n2gdb.cli.output.terminal import print_json, print_table, say
from n2gdb.core.units import MLP

if TYPE_CHECKING:
    from n2gdb.storage.read.catalog import Inventory, ModelInfo

__all__ = ["info"]

_SHORT = 12  # characters of a fingerprint


def info(
    db: DatabaseOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the file with the checksum taken when it was built.")
    ] = False,
) -> None:
    """Say what a database holds: models, corpus, and figures of the neurons by layer.

    n2gdb info --db neurons.n2gdb --verify
    """
    import n2gdb

    with n2gdb.open(db) as database:
        if verify:
            database.verify()
        inventory = database.info()
    if as_json:
        print_json(inventory.as_dict() | ({"verified": True} if verify else {}))
        return
    _print_summary(inventory, verify)
    for model in inventory.models:
        _print_model(inventory, model)


def _print_summary(inventory: Inventory, verified: bool) -> None:
    size = f"{inventory.size / 1e6:.1f} MB"
    say(f"{inventory.path}: {size}, schema version {inventory.schema_version}")
    if verified:
        say("verified: the file is as it was built")


def _print_model(inventory: Inventory, model: ModelInfo) -> None:
    layers = [layer for layer in inventory.layers if layer.model == model.name]
    neurons, dead = sum(layer.neurons for layer in layers), sum(layer.dead for layer in layers)
    patterns = sum(layer.patterns for layer in layers)
    all_neurons = sum(source.width * len(source.sides) for source in model.sources)
    latents = [source for source in model.sources if source.kind != MLP]
    what = "units" if latents else "neurons"
    shape = f"{model.n_layers} layers x {model.d_mlp} neurons"
    say(f"\n{model.name}: {neurons:,} of {all_neurons:,} {what}, {dead:,} dead, {patterns:,} patterns")
    say(f"  model         {shape}, {model.activation_function}, read at {model.site}")
    if model.source != model.name:
        say(f"  loaded from   {model.source}")
    for source in latents:
        if source.origin:
            said = f"{source.width:,} {source.kind} latents, {source.architecture}, from {source.origin}"
        else:
            said = f"{source.width:,} {source.kind} directions, sides {source.sides}"
        say(f"  {source.name:<13} layer {source.layer}: {said}, read at {source.site}")
    say(f"  corpus        {model.corpus}, {model.corpus_tokens:,} tokens scanned")
    say(f"  fingerprints  {_fingerprints(model)}")
    say(f"  written by    n2gdb {model.code_version}\n")
    held = any(layer.mean_heldout_f1 is not None for layer in layers)
    headers = (
        *("layer", "neurons", "dead", "unpredicted", "patterns"),
        *(("held-out judged", "held-out F1") if held else ()),
        *("judged", "precision", "recall", "F1"),
    )
    rows = [
        (
            layer.layer,
            layer.neurons,
            layer.dead,
            layer.unpredicted,
            layer.patterns,
            *((layer.heldout_judged, _mean(layer.mean_heldout_f1)) if held else ()),
            layer.judged,
            _mean(layer.mean_precision),
            _mean(layer.mean_recall),
            _mean(layer.mean_f1),
        )
        for layer in layers
    ]
    print_table(headers, rows, right=headers)
    say("means over judged neurons, those that fire on their test examples; a graph that predicts none is 0")
    if held:
        say("on held-out text, over those that fire there: evidence, or the graph of those without")


def _fingerprints(model: ModelInfo) -> str:
    prints = {
        "model": model.model_fingerprint,
        "tokenizer": model.tokenizer_fingerprint,
        "corpus": model.corpus_fingerprint,
    }
    return ", ".join(f"{name} {value[:_SHORT]}" for name, value in prints.items())


def _mean(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
