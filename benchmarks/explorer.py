"""How long the explorer's answers take: every address of its pages, asked over HTTP again and again.

    python -m benchmarks.explorer DATABASE [--draws 15] [--seed 0]

DATABASE is best the one of 18,432 synthetic neurons that `python -m benchmarks.scale FOLDER` leaves there.
Each draw takes another neuron, so that nothing comes out of what the server keeps; what it does keep, as the
layers' figures, is asked for once at first, and that time stands in the last column. Processor time, of all
threads, says how long an answer takes where nothing else runs, on a machine that is busy as well. What
`n2gdb serve` reads beside its first answers is read here before them.
"""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from random import Random
from urllib.parse import quote, urlencode

import numpy as np
import typer
from starlette.testclient import TestClient

import n2gdb
from n2gdb.explorer import make_app
from n2gdb.explorer.routes import WARM

QUERIES = (
    "neurons LIMIT 50",
    "neurons WHERE f1 > 0.9 AND layer IN 0..3 ORDER BY f1 DESC",
    "neurons MATCHING '{a}' BEFORE ...",
    "neurons MATCHING '{a}' BEFORE '{b}'",
    "patterns MATCHING '{a}' BEFORE '{b}'",
    "neurons SIMILAR TO {neuron}",
    "COUNT neurons MATCHING '{a}' BEFORE ... BY layer",
    "tokens ACTIVATING {neuron}",
)
PAIRS = tuple(
    f"/api/pairs?above={above}&metric={metric}&min_size=3&limit=50"
    for metric, above in (("tokens", 0.9), ("tokens", 0.8), ("subset", 0.9), ("graph", 0.9))
)
NEURON_PAGE = (
    "",
    "/patterns?limit=12",
    "/examples?limit=6",
    "/similar?limit=12",
    "/graph.svg",
    "/thumbnail.svg",
)


def main(database: Path, draws: int = 15, seed: int = 0) -> None:
    random = Random(seed)
    with (
        n2gdb.open(database) as opened,
        TestClient(make_app(opened, timeout=60.0), "http://localhost") as client,
    ):
        busy = time.process_time()
        opened.read_ahead()
        for path, parts in WARM:
            _asked(client, f"{path}?{urlencode(parts)}")
        print(f"read ahead, as n2gdb serve does beside its first answers: {time.process_time() - busy:.2f} s")
        names = [f"L{layer}N{index}" for layer, index in _neurons(opened, random, draws)]
        tokens = [text for text, _ in opened.connection.rows(_COMMON) if text.strip().isalpha()]
        layers = sorted({int(name[1 : name.index("N")]) for name in names})
        print(f"{'address':<64} {'median ms':>9} {'p95 ms':>7} {'cpu ms':>7} {'p95':>6} {'first ms':>8}")
        for path in ("/api/database", *PAIRS):
            _report(path, [_asked(client, path) for _ in range(3)])
        _report("/api/layer/N", [_asked(client, f"/api/layer/{layer}") for layer in layers])
        for part in NEURON_PAGE:
            _report(f"/api/neuron/LNN{part}", [_asked(client, f"/api/neuron/{name}{part}") for name in names])
        two = [f"/api/comparison?names={one},{other}" for one, other in pairwise(names)]
        _report("two compared", [_asked(client, path) for path in two])
        text = quote(" ".join(tokens))
        _report("predict", [_asked(client, f"/api/neuron/{name}/predict?text={text}") for name in names])
        for query in QUERIES:
            asked = [query.format(a=random.choice(tokens), b=random.choice(tokens), neuron=n) for n in names]
            _report(query, [_asked(client, f"/api/query?q={quote(each)}") for each in asked])
            if query.startswith("neurons"):
                for part in ("pictures", "facets"):
                    _report(
                        f"  its {part}", [_asked(client, f"/api/{part}?q={quote(each)}") for each in asked]
                    )
        for each in ("L3N45", "the", "on the other side"):
            _report(f"understand: {each}", [_asked(client, f"/api/understand?text={quote(each)}")] * 3)
        begun = ("neurons MATCHING '", "neurons WHERE ", "neurons SIMILAR TO L")
        for each in begun:
            _report(f"complete: {each}", [_asked(client, f"/api/complete?q={quote(each)}")] * 3)


_COMMON = (
    "MATCH (n:Neuron)-[:ACTIVATES_ON]->(t:Token) WHERE NOT t.special"
    " RETURN t.text, count(*) ORDER BY count(*) DESC, t.text LIMIT 80"
)


def _neurons(database: n2gdb.Database, random: Random, draws: int) -> list[tuple[int, int]]:
    rows = database.connection.rows("MATCH (n:Neuron) WHERE n.n_patterns > 0 RETURN n.layer, n.`index`")
    return [(int(layer), int(index)) for layer, index in random.sample(rows, min(draws, len(rows)))]


def _asked(client: TestClient, path: str) -> tuple[float, float]:
    """Return how long an answer took, and how long the processor, in milliseconds."""
    start, busy = time.perf_counter(), time.process_time()
    response = client.get(path)
    taken = (time.perf_counter() - start) * 1000, (time.process_time() - busy) * 1000
    if response.status_code != 200:
        print(f"{path}: {response.text}")
    return taken


def _report(what: str, times: list[tuple[float, float]]) -> None:
    (median, cpu), (p95, cpu95) = np.percentile(times, [50, 95], axis=0)
    first = times[0][0]
    print(f"{what:<64} {median:>9.1f} {p95:>7.1f} {cpu:>7.1f} {cpu95:>6.1f} {first:>8.1f}", flush=True)


if __name__ == "__main__":
    typer.run(main)
