"""`n2gdb ingest`: learn the graphs of a model's neurons and load them into a database."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from n2gdb.cli.completion import (
    AUGMENTING,
    PRECISIONS,
    SITES,
    WEIGHTS,
    complete_each,
    complete_ingested,
    complete_releases,
    complete_words,
)
from n2gdb.cli.options import DatabaseOption, DeviceOption
from n2gdb.cli.output.terminal import say
from n2gdb.database import default_path

if TYPE_CHECKING:
    from n2gdb.storage.read.catalog import Inventory

__all__ = ["ingest", "parse_bytes", "parse_heldout", "parse_ranges"]

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([MGT]i?B)\s*", re.IGNORECASE)
_UNITS = {"mb": 10**6, "gb": 10**9, "tb": 10**12, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
_RANGE = re.compile(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?")


def parse_ranges(text: str) -> tuple[int, ...]:
    """Read ``0-2,5`` as (0, 1, 2, 5); raises typer.BadParameter for anything else."""
    numbers: list[int] = []
    for part in text.split(","):
        found = _RANGE.fullmatch(part)
        if found is None:
            raise typer.BadParameter(f"{part.strip()!r} is not a number or range: write them like 0-2,5")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise typer.BadParameter(f"the range {part.strip()} runs backwards: write {last}-{first}")
        numbers.extend(range(first, last + 1))
    return tuple(numbers)


def parse_bytes(text: str) -> int:
    """Read ``500MB`` or ``8GB`` as bytes; raises typer.BadParameter for anything else."""
    found = _SIZE.fullmatch(text)
    size = int(float(found[1]) * _UNITS[found[2].lower()]) if found else 0
    if not size:
        raise typer.BadParameter(f"{text!r} is not a size: write it like 500MB or 8GB")
    return size


def parse_heldout(text: str) -> float | str | None:
    """Read ``0.05`` as a share, ``none`` as None, anything else as a text's name."""
    try:
        share = float(text)
    except ValueError:
        return None if text == "none" else text
    if not 0 < share < 1:
        raise typer.BadParameter(
            f"{text} is not a share of the corpus: write one between 0 and 1, such as 0.05"
        )
    return share


def ingest(
    model: Annotated[
        str,
        typer.Argument(
            help="demo, a local directory, a Hugging Face name, or a SoLU model such as solu-6l.",
            autocompletion=complete_ingested,
        ),
    ],
    corpus: Annotated[
        str | None,
        typer.Option(
            help="Text to scan: .txt, .jsonl, .ndjson, .json (each also .gz, .zst, .bz2, .xz), .parquet, a "
            "directory of these, - for standard input, or a Hugging Face data set, NAME[:CONFIGURATION]"
            "[@REVISION]. Default: the model's own."
        ),
    ] = None,
    field: Annotated[str, typer.Option(help="Field or column of the corpus that holds the text.")] = "text",
    db: DatabaseOption = None,
    name: Annotated[
        str | None,
        typer.Option(help="What the database calls the model. Default: a directory's last part, or MODEL."),
    ] = None,
    layers: Annotated[str | None, typer.Option(help="Layers, such as 0-2,5. Default: all.")] = None,
    neurons: Annotated[
        str | None, typer.Option(help="Neurons of each layer, such as 0-99. Default: all.")
    ] = None,
    sides: Annotated[
        str,
        typer.Option(
            help="Sides of neurons: +, -, both, or auto: both where MLPs are gated, since activations of "
            "both signs mean something there.",
            autocompletion=complete_words("auto", "both", "+", "-"),
        ),
    ] = "auto",
    sae: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]PLACE",
            help="Ingest the latents of an SAE or transcoder instead of neurons: a folder, or "
            "owner/repository/folder on the Hugging Face hub, or a release as SAELens calls it with an id, "
            "such as gpt2-small-res-jb/blocks.6.hook_resid_pre; may be given several times.",
            autocompletion=complete_releases,
        ),
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(
            help="Ingest another site of every layer instead of neurons, direction by direction, on both "
            "sides: resid_pre, resid_mid, resid_post, attn_z, attn_out, mlp_in or mlp_out; may be given "
            "several times.",
            autocompletion=complete_words(*SITES),
        ),
    ] = None,
    latents: Annotated[
        str | None,
        typer.Option(help="Latents of each --sae, or directions of each --site, such as 0-99. Default: all."),
    ] = None,
    dense: Annotated[
        float,
        typer.Option(
            min=0,
            help="Share of tokens from which a latent is dense: kept, but no graph of it is learned. More "
            "than 1 learns all.",
        ),
    ] = 0.1,
    sample: Annotated[int | None, typer.Option(min=1, help="Draw this many of the chosen neurons.")] = None,
    tokens: Annotated[
        int | None, typer.Option(min=1, help="Scan no more tokens than this, drawn from all over the corpus.")
    ] = None,
    top_k: Annotated[
        int, typer.Option(min=2, help="Top examples a neuron: half to learn from, half to judge by.")
    ] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the split, of --sample and of --tokens.")] = 0,
    augment: Annotated[
        str,
        typer.Option(
            help="Helpers that propose substitutes: model, embedding, form, masked[:NAME]; or none.",
            autocompletion=complete_each(*AUGMENTING),
        ),
    ] = "embedding",
    refine: Annotated[
        bool,
        typer.Option(
            "--refine/--no-refine",
            help="Let graphs learn from their mistakes on training text; without, the paper's graphs.",
        ),
    ] = True,
    heldout: Annotated[
        str,
        typer.Option(
            metavar="SHARE|TEXT|none",
            help="Text that nothing is learned from, to judge by: a share of the corpus' documents, another "
            "text, written like --corpus, or none.",
        ),
    ] = "0.05",
    revise: Annotated[
        bool,
        typer.Option(
            "--revise/--no-revise",
            help="Drop or deepen patterns that are seldom right on the whole corpus; part of --refine.",
        ),
    ] = True,
    evidence: Annotated[
        bool,
        typer.Option(
            "--evidence/--no-evidence",
            help="Learn on the whole corpus which tokens speak for and against a firing; without, graphs "
            "alone.",
        ),
    ] = True,
    device: DeviceOption = "auto",
    precision: Annotated[
        str,
        typer.Option(
            help="How matrices are multiplied: float32, tf32 (NVIDIA GPUs) or bfloat16.",
            autocompletion=complete_words(*PRECISIONS),
        ),
    ] = "float32",
    weights: Annotated[
        str,
        typer.Option(
            help="What the model's weights are held in: float32, or bfloat16, which takes half the memory; "
            "sums are float32 either way.",
            autocompletion=complete_words(*WEIGHTS),
        ),
    ] = "float32",
    batch_tokens: Annotated[
        int | None, typer.Option(min=64, help="Tokens of a batch. Default: by the device.")
    ] = None,
    max_memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Memory that the scan and the batches may take beside the model, such as 8GB (with --ray: "
            "in each worker); with less, the scan takes more passes. Default: half of what is free.",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Processes that learn beside the one that runs the passes. Default: one for each core, with "
            "a GPU for each that is left; none on a CPU for fewer than 512 units.",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Ingest on a Ray cluster: local starts one of this machine's CPUs or GPUs, auto joins the "
            "one that it belongs to, HOST:PORT another.",
            autocompletion=complete_words("local", "auto"),
        ),
    ] = None,
) -> None:
    """Learn the graph of every neuron of MODEL and load them into a database.

    If it is interrupted, the same command resumes it.

        n2gdb ingest demo

        n2gdb ingest gpt2 --corpus NeelNanda/pile-10k --tokens 2000000 --layers 0-2,5 --sample 500

        n2gdb ingest gpt2 --corpus wikitext:wikitext-103-raw-v1 --tokens 2000000

        zstdcat pile/*.jsonl.zst | n2gdb ingest ./my-model --corpus - --tokens 20000000

        n2gdb ingest ./my-model --ray auto --db shared/my-model.n2gdb
    """
    from n2gdb.cli.output.progress import stages

    started = time.monotonic()
    chosen_layers = None if layers is None else parse_ranges(layers)
    chosen_neurons = None if neurons is None else parse_ranges(neurons)
    chosen_latents = None if latents is None else parse_ranges(latents)
    if latents is not None and not sae and not site:
        raise typer.BadParameter("--latents chooses among those of --sae or --site: give one of these too")
    most = None if max_memory is None else parse_bytes(max_memory)
    if processes is not None and ray is not None:
        raise typer.BadParameter("--processes is for one machine: on a cluster its workers learn (--ray)")
    database = default_path() if db is None else db
    with _resumable(), stages() as report:
        from n2gdb.ingest.config import N2GConfig
        from n2gdb.ingest.run import ingest_model

        config = N2GConfig(
            seed=seed,
            top_k=top_k,
            tokens=tokens,
            augment=() if augment == "none" else tuple(augment.split(",")),
            refine_rounds=N2GConfig().refine_rounds if refine else 0,
            revise=revise,
            heldout=parse_heldout(heldout),
            evidence=evidence,
            precision=precision,
            dense=dense,
        )
        ingest_model(
            model,
            corpus or None,
            database=database,
            name=name,
            field=field,
            layers=chosen_layers,
            neurons=chosen_neurons,
            sample=sample,
            sides=sides,
            sae=sae or (),
            site=site or (),
            latents=chosen_latents,
            config=config,
            device=device,
            weights=weights,
            batch_tokens=batch_tokens,
            max_memory=most,
            processes=processes if ray is None else 0,
            ray=ray,
            report=report,
            note=lambda notice: typer.echo(f"note: {notice}", err=True),
        ).close()
    _summarise(database, time.monotonic() - started)


@contextmanager
def _resumable() -> Iterator[None]:
    """Say on Ctrl-C that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt as error:
        typer.echo("interrupted: run the same command again to go on from here", err=True)
        raise typer.Exit(130) from error


def _summarise(database: Path, seconds: float) -> None:
    """Print what the database now holds."""
    import n2gdb

    with n2gdb.open(database) as opened:
        inventory = opened.info()
    for line in summary_lines(inventory, database, seconds):
        say(line)


def summary_lines(inventory: Inventory, database: Path, seconds: float) -> list[str]:
    """Say what a database holds: by layer, then in all."""
    lines = ["model        layer  neurons  dead  patterns precision  recall     F1"]
    for row in inventory.layers:
        lines.append(
            f"{row.model:<12} {row.layer:>5} {row.neurons:>8,} {row.dead:>5,} {row.patterns:>9,} "
            f"{_mean(row.mean_precision):>9} {_mean(row.mean_recall):>7} {_mean(row.mean_f1):>6}"
        )
    total = sum(row.neurons for row in inventory.layers)
    dead = sum(row.dead for row in inventory.layers)
    patterns = sum(row.patterns for row in inventory.layers)
    judged = sum(row.judged for row in inventory.layers)
    lines.append(
        f"{total:,} neurons ({dead:,} dead), {patterns:,} patterns; means over the {judged:,} neurons that "
        f"fire in their test examples, 0 where nothing is predicted"
    )
    lines.append(f"{database}: {inventory.size / 1e6:.1f} MB, {seconds:.0f} s")
    return lines


def _mean(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
