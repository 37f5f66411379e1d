"""Ingest from Python: one function from a model's name to an open database."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from n2gdb.core.progress import Report, silent
from n2gdb.database import Database, default_path, open_database
from n2gdb.errors import IngestError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.storage.database_file import check_replaceable

__all__ = ["ingest_model"]


def ingest_model(
    model: str | os.PathLike[str],
    corpus: str | os.PathLike[str] | None = None,
    *,
    database: str | os.PathLike[str] | None = None,
    name: str | None = None,
    field: str = "text",
    tokens: int | None = None,
    layers: Iterable[int] | None = None,
    neurons: Iterable[int] | None = None,
    sample: int | None = None,
    sides: str = "auto",
    sae: Iterable[str] = (),
    latents: Iterable[int] | None = None,
    site: Iterable[str] = (),
    config: N2GConfig | None = None,
    device: str = "auto",
    weights: str = "float32",
    batch_tokens: int | None = None,
    max_memory: int | None = None,
    processes: int | None = 0,
    ray: str | None = None,
    report: Report = silent,
    note: Callable[[str], None] | None = None,
) -> Database:
    """Learn the graph of every neuron of a model, load them into a database and open it.

    What it does, and what each argument means, is what ``n2gdb ingest`` says of it: interrupted, it goes on
    where it stopped when called again; what is learned already is not learned again. ``model`` is demo, a
    directory or a name on the Hugging Face hub, ``corpus`` a file, a directory or a data set, by default the
    model's own; ``database`` the file, by default the one that ``n2gdb.open`` opens. ``tokens`` bounds the
    corpus, ``layers``, ``neurons`` (of each layer) and ``sample`` the neurons. ``sides``
    are +, -, both or auto: both where MLPs are gated. ``sae`` are places of SAEs and transcoders, as
    ``[name=]place``, whose ``latents`` are ingested instead of neurons, and ``site`` are other sites of the
    layers, such as resid_post. Every number of the algorithm is in
    ``config``. ``weights`` are held in float32 or bfloat16. ``max_memory`` is in bytes. ``report`` is told
    how far each stage is, ``note`` what one should know of the model.

    ``processes`` learn beside this one, which runs the model. None starts one for each core, with a GPU
    for each that is left; as they import the calling script, its call then stands under
    ``if __name__ == "__main__":``.

    Raises CorpusError, ModelError, SelectionError, StorageError, and IngestError where the Ray cluster at
    ``ray`` cannot be used.
    """
    if ray is not None and processes:
        raise IngestError("processes is for one machine: on a cluster its workers learn, so leave it out")
    place = default_path() if database is None else Path(database)
    check_replaceable(place)  # the model may take minutes to load
    report("load model", 0, None)
    from n2gdb.ingest.models.subject import default_corpus, load_model
    from n2gdb.ingest.pipeline import Source, ingest
    from n2gdb.ingest.sources.formats import read_dictionaries
    from n2gdb.ingest.workers.processes import start_ahead
    from n2gdb.ingest.workers.ray_cluster import RayCluster, require_ray

    chosen = config or N2GConfig()
    if tokens is not None:
        chosen = replace(chosen, tokens=tokens)
    asked = os.fspath(model)
    if ray is None:
        if processes != 0:
            start_ahead(device)
        subject = load_model(asked, device, chosen.precision, name, weights)
    else:
        require_ray()
        subject = load_model(
            asked, "cpu", name=name, weights=weights
        )  # the cluster's devices are its workers'
    if note is not None:
        for notice in subject.notices:
            note(notice)
    ingest(
        subject,
        Source(default_corpus(asked) if corpus is None else os.fspath(corpus), field),
        place,
        chosen,
        Selection(
            None if layers is None else tuple(layers),
            None if neurons is None else tuple(neurons),
            sample,
            sides,
            None if latents is None else tuple(latents),
            tuple(site),
        ),
        report,
        batch_tokens,
        max_memory=max_memory,
        cluster=None if ray is None else RayCluster(ray, device),
        processes=processes,
        dictionaries=[one for place in sae for one in read_dictionaries(place)],
    )
    return open_database(place)
