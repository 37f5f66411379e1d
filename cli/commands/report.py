"""`n2gdb report`: how faithful a database's graphs are, compared with look-up tables."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from n2gdb.cli.completion import DEVICES, complete_words
from n2gdb.cli.options import DatabaseOption, ForceOption, JsonOption, ModelOption
from n2gdb.cli.output.terminal import print_json, print_table

if TYPE_CHECKING:
    from n2gdb.database import Database
    from n2gdb.ingest.evaluation.causal import CausalFigures
    from n2gdb.storage.read.catalog import LayerFigures
    from n2gdb.storage.read.scores import LayerScores

__all__ = ["report"]

_TITLES = {"n2g": "N2G", "evidence": "evidence", "plain": "plain", "lookup": "token", "ngram": "5-gram"}
_LABELS = {
    "n2g": "N2G",
    "evidence": "evidence",
    "plain": "before refinement",
    "lookup": "token look-up",
    "ngram": "5-gram look-up",
}
_TEXTS = {"test": "test examples", "heldout": "held-out text", "active": "test examples, > 0"}
#: The same in full, in the order in which they are printed.
_NAMED = {
    "heldout": "held-out text",
    "test": "the test half of each neuron's top examples",
    "active": "the test half of each latent's top examples, where any activation above zero is a firing",
}
_RULE = (
    "means over the neurons that fire on the text (dead and unjudged ones apart); one of which nothing is "
    "predicted counts 0; evidence over those that have it; behind F1, the 95 % interval of its mean, from "
    "resampling the neurons"
)


def report(
    db: DatabaseOption = None,
    model: ModelOption = None,
    heldout: Annotated[
        str | None,
        typer.Option(help="Judge on this text as well, where firings are rare: a corpus as of ingest."),
    ] = None,
    field: Annotated[str, typer.Option(help="Field or column of that text.")] = "text",
    tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of it, at most, drawn from all over it.")
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            help="For --heldout and --causal: auto, cpu, cuda or mps.",
            autocompletion=complete_words(*DEVICES),
        ),
    ] = "auto",
    figure: Annotated[
        Path | None, typer.Option(help="Draw a figure into this file: .svg, .png or .pdf.")
    ] = None,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Count the similar and the subset pairs of neurons as well.")
    ] = False,
    causal: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="NEURONS",
            help="Check on the model, for so many neurons, that the context of patterns matters as claimed.",
        ),
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say how well neurons are predicted, by layer: precision, recall and F1.

    n2gdb report

    n2gdb report --figure faithful.svg --json

    n2gdb report --heldout heldout.jsonl.gz --tokens 100000

    On held-out text, if ingest kept some apart, evidence and graphs are judged on ordinary text. On top
    examples, every graph is judged on those that it was not built from, beside the neuron's evidence, the
    graph before refinement (plain) and two look-up tables of the same training examples: of single tokens,
    and of up to five. Similar pairs, which --pairs counts, share 0.9 of their activating and of their
    context tokens.
    """
    import n2gdb
    from n2gdb.database import default_path
    from n2gdb.storage.read.scores import read_layer_scores

    if figure is not None:
        from n2gdb.plotting import check_figure

        check_figure(figure, force=force, reads=(db or default_path(), Path(heldout) if heldout else None))
    with n2gdb.open(db) as database:
        info = database.model(model)
        layers = [each for each in database.info().layers if each.model == info.name]
        scores = read_layer_scores(database.connection, info.number, info.name)
        if heldout is not None:
            scores = tuple(each for each in scores if each.text != "heldout")  # in place of ingest's own
            scores += _judge_heldout(database, info.name, heldout, field, tokens, device)
        counted = _count_pairs(database, info.name) if pairs else None
        checked = () if causal is None else _check_causes(database, info.name, causal, device)
    if figure is not None:
        from n2gdb.plotting import draw_report

        draw_report([_labelled(each) for each in scores], figure, force=force)
    if as_json:
        plain = _as_dict(info.name, scores, layers, counted)
        if causal is not None:
            plain["causal"] = [each.as_dict() for each in checked]
        print_json(plain)
        return
    _print_scores(scores)
    _print_counts(layers)
    if counted is not None:
        similar, subset = counted.values()
        print(f"{similar:,} similar pairs, {subset:,} subset pairs, at 0.9 or more")
    if causal is not None:
        _print_causes(checked)


def _check_causes(database: Database, model: str, neurons: int, device: str) -> tuple[CausalFigures, ...]:
    from n2gdb.cli.output.progress import stages
    from n2gdb.errors import StorageError

    with stages() as progress:
        progress("load model", 0, None)
        from n2gdb.ingest.corpus.store import CorpusStore
        from n2gdb.ingest.evaluation.causal import check_importance
        from n2gdb.ingest.models.stored import load_stored_model
        from n2gdb.storage.shards import run_folders

        info = database.model(model)
        runs = [
            run
            for run in run_folders(database.path)
            if run.model().to_pylist()[0]["corpus_fingerprint"] == info.corpus_fingerprint
        ]
        corpus = CorpusStore.of_run(runs[0]) if runs else None
        if corpus is None:
            raise StorageError(
                f"--causal needs the corpus of {info.name}, which was not found: put the shards of"
                f" {database.path.name} beside it, or ingest the model again"
            )
        subject = load_stored_model(info, device)
        return check_importance(database, info, subject, corpus.mapped(), neurons, report=progress)


def _print_causes(checked: Sequence[CausalFigures]) -> None:
    """Say which share of patterns lost the activation that their importance claims."""
    print(
        "where a pattern's context token is replaced by what the corpus has there most often; a pattern holds"
        " if every token costs at least half of the activation that is claimed:"
    )
    headers = ["layer", "neurons", "patterns", "tokens", "holding", "claimed", "measured"]
    rows = [
        (
            "all" if each.layer is None else each.layer,
            each.neurons,
            each.patterns,
            each.tokens,
            *map(_share, (each.holding, each.claimed, each.measured)),
        )
        for each in checked
    ]
    print_table(headers, rows, right=headers)


def _count_pairs(database: Database, model: str) -> dict[str, int]:
    """Count the pairs of every two neurons of a model, by what they are called in JSON."""
    from n2gdb.cli.output.progress import stages

    with stages() as progress:
        return {
            f"{called}_pairs": len(
                database.pairs(metric, above=0.9, sharing=1, model=model, progress=progress)
            )
            for called, metric in (("similar", "tokens"), ("subset", "subset"))
        }


def _judge_heldout(
    database: Database, model: str, path: str, field: str, tokens: int | None, device: str
) -> tuple[LayerScores, ...]:
    from n2gdb.cli.output.progress import stages

    with stages() as progress:
        progress("load model", 0, None)
        import numpy as np

        from n2gdb.ingest.corpus.documents import Windows, is_data_set, read_documents
        from n2gdb.ingest.corpus.sampling import Draw
        from n2gdb.ingest.evaluation.heldout import judge_heldout
        from n2gdb.ingest.models.stored import load_stored_model, stored_config

        info = database.model(model)
        config, subject = stored_config(info), load_stored_model(info, device)
        windows = Windows.of(
            read_documents(path, field),
            subject,
            length=min(config.window, subject.n_ctx),
            max_tokens=tokens,
            source=path,
            draw=Draw(config.seed, Path(tempfile.gettempdir()), is_data_set(path)),
        )
        text = np.concatenate(list(windows))
        return judge_heldout(database, info, subject, text, config.fire_threshold, progress)


def _labelled(scores: LayerScores) -> LayerScores:
    """Name the predictor and the text as a figure's reader would."""
    return replace(scores, predictor=_LABELS[scores.predictor], text=_TEXTS[scores.text])


def _as_dict(
    model: str, scores: Sequence[LayerScores], layers: Sequence[LayerFigures], pairs: dict[str, int] | None
) -> dict[str, Any]:
    from n2gdb.storage.read.scores import mean_over_layers

    return {
        "model": model,
        "rule": _RULE,
        "scores": [each.as_dict() for each in (*scores, *mean_over_layers(scores))],
        "layers": [
            {name: getattr(each, name) for name in ("layer", "neurons", "judged", "dead", "unpredicted")}
            for each in layers
        ],
        **(pairs or {}),
    }


def _print_scores(scores: Sequence[LayerScores]) -> None:
    from n2gdb.storage.read.scores import mean_over_layers

    for text in sorted({each.text for each in scores}, key=list(_NAMED).index):
        there = [each for each in scores if each.text == text]
        predictors = list(dict.fromkeys(each.predictor for each in there))
        together = [*there, *mean_over_layers(there)]
        rare = any(each.base_rate is not None for each in there)
        share = ", and the share of its tokens that a neuron fires on" if rare else ""
        print(f"on {_NAMED[text]}{share}:")
        headers = [
            "layer",
            "neurons",
            *(f"{_TITLES[name]} {what}" for name in predictors for what in ("P", "R", "F1")),
            *(f"{_TITLES[name]} nodes" for name in predictors if name in ("n2g", "plain") and text == "test"),
            *(["base rate"] if rare else []),
        ]
        layers = dict.fromkeys(each.layer for each in together)
        rows = [
            _row([each for each in together if each.layer == layer], predictors, rare) for layer in layers
        ]
        print_table(headers, rows, right=headers)
    print(_RULE)


def _print_counts(layers: Sequence[LayerFigures]) -> None:
    """Say how many neurons the means on test examples are over, and what became of the others."""
    neurons, judged, dead, unpredicted = (
        sum(getattr(each, name) for each in layers) for name in ("neurons", "judged", "dead", "unpredicted")
    )
    print(
        f"of {neurons:,} neurons {judged:,} fire on their test examples; {dead:,} are dead, never firing on "
        f"the corpus; {unpredicted:,} are unpredicted, their graphs firing on no test example"
    )


def _row(scores: Sequence[LayerScores], predictors: Sequence[str], rare: bool) -> tuple[object, ...]:
    by_name = {each.predictor: each for each in scores}
    first = scores[0]
    ordered = [by_name.get(name) for name in predictors]
    graphs = [by_name[name] for name in ("n2g", "plain") if name in by_name and first.text == "test"]
    return (
        "all" if first.layer is None else first.layer,
        first.neurons,
        *(cell for each in ordered for cell in _cells(each)),
        *("-" if each.nodes is None else f"{each.nodes:.1f}" for each in graphs),
        *([f"{first.base_rate:.6f}" if first.base_rate is not None else "-"] if rare else []),
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _f1(scores: LayerScores) -> str:
    """Write the F1 with its interval, where that is known."""
    if scores.f1 is None or scores.f1_low is None or scores.f1_high is None:
        return _share(scores.f1)
    return f"{scores.f1:.3f} [{scores.f1_low:.3f}, {scores.f1_high:.3f}]"


def _cells(scores: LayerScores | None) -> tuple[str, str, str]:
    """Write precision, recall and F1; a predictor that no neuron of a layer has is not judged there."""
    if scores is None:
        return "-", "-", "-"
    return _share(scores.precision), _share(scores.recall), _f1(scores)
