"""Every neuron of a database: the graph that is loaded against the one that was built, and what they predict.

python -m benchmarks.round_trip [neurons.n2gdb]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import n2gdb
from n2gdb.core.graph import NeuronGraph
from n2gdb.storage.graph_rows import graphs_from
from n2gdb.storage.read.names import neuron_of
from n2gdb.storage.shards import run_folders


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "neurons.n2gdb")
    compared = predictions = 0
    with n2gdb.open(path) as database:
        for run in run_folders(path):
            model = run.model()["name"][0].as_py()
            built = graphs_from(run.nodes())
            windows = [np.array(tokens) for tokens in run.windows()["tokens"].slice(0, 20).to_pylist()]
            for unit in run.neurons()["unit"].to_pylist():
                name = neuron_of(database.models(), unit)[1]
                expected = built.get(unit, NeuronGraph.empty())
                loaded = database.neuron(name, model).graph
                assert loaded == expected, f"{name} differs"
                text = windows[compared % len(windows)]
                assert (loaded.predict(text) == expected.predict(text)).all(), f"{name} predicts otherwise"
                compared += 1
                predictions += len(text)
    print(
        f"{compared:,} neurons: every graph is the one that was built, and {predictions:,} predictions agree"
    )


if __name__ == "__main__":
    main()
