"""Export formats: JSON lines, tables as CSV or Parquet, and a graph as GraphML."""

from __future__ import annotations

import csv
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from n2gdb.cli.output.graph_tree import write_path
from n2gdb.core.reals import as_decimal
from n2gdb.core.tokens import display
from n2gdb.core.units import model_of
from n2gdb.grammar.fields import Kind
from n2gdb.storage.columns import STATISTICS, column_kind

if TYPE_CHECKING:
    from n2gdb.core.graph import Pattern
    from n2gdb.storage.read.export import ExportedNeuron

__all__ = ["Format", "What", "Writer", "open_writer"]

Row = tuple[Any, ...]


class Format(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    GRAPHML = "graphml"


class What(StrEnum):
    """What the rows of an exported table are."""

    PATTERNS = "patterns"
    NEURONS = "neurons"
    NODES = "nodes"


class Writer(ABC):
    """Takes neurons block by block; what it has written is whole after ``close``."""

    #: Whether it writes what neurons write too.
    takes_effects = False

    @abstractmethod
    def write(self, neurons: Sequence[ExportedNeuron]) -> None:
        """Write a block of neurons."""

    @abstractmethod
    def close(self) -> None:
        """End the file."""


def open_writer(path: Path, form: Format, what: What) -> Writer:
    """Open a file to export into."""
    match form:
        case Format.JSONL:
            return _Lines(path)
        case Format.CSV:
            return _Csv(path, what)
        case Format.PARQUET:
            return _Parquet(path, what)
        case Format.GRAPHML:
            return _GraphML(path)


class _Lines(Writer):
    """One neuron a line: its patterns, its evidence, its histogram, and what it writes."""

    takes_effects = True

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")

    def write(self, neurons: Sequence[ExportedNeuron]) -> None:
        for neuron in neurons:
            plain = {"neuron": str(neuron.name), "model": neuron.model, **neuron.statistics}
            plain["patterns"] = [
                _plain(pattern.decimal(), neuron.texts) for pattern in neuron.graph.patterns()
            ]
            plain["evidence"] = _evidence(neuron)
            plain["histogram"] = None if neuron.histogram is None else neuron.histogram.as_dict()
            plain["promotes"] = [each.as_dict() for each in neuron.effects if each.logit > 0]
            plain["suppresses"] = [each.as_dict() for each in neuron.effects[::-1] if each.logit < 0]
            self._file.write(json.dumps(plain, ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._file.close()


def _evidence(neuron: ExportedNeuron) -> dict[str, Any] | None:
    from n2gdb.prediction.influences import weighed_tokens

    found = neuron.evidence
    if found is None:
        return None
    weights = [each.as_dict() for each in weighed_tokens(found, neuron.texts, neuron.classes)]
    return {"base": found.base, "threshold": found.threshold, "graph": found.graph, "weights": weights}


def _plain(pattern: Pattern, texts: Mapping[int, str]) -> dict[str, Any]:
    return {
        "activation": pattern.activation,
        "support": pattern.support,
        "confidence": pattern.confidence,
        "path": write_path(pattern, texts),
        "steps": [
            {
                "depth": step.depth,
                "token": step.token,
                "text": texts[step.token],
                "importance": step.importance,
            }
            for step in pattern.steps
        ],
    }


_NAMED = ("neuron", "model")
_COLUMNS: dict[What, tuple[str, ...]] = {
    What.NEURONS: (*_NAMED, *STATISTICS),
    What.PATTERNS: (
        *(*_NAMED, "layer", "index", "heldout_f1", "heldout_firings", "f1", "activation"),
        *("support", "confidence", "depth", "n_tokens", "activating", "path"),
    ),
    What.NODES: (
        *(*_NAMED, "layer", "index", "pre", "parent", "depth", "token", "text", "importance", "end"),
        *("support", "confidence"),
    ),
}
_TEXT_COLUMNS = frozenset({"neuron", "model", "activating", "path", "text"})
_REAL_COLUMNS = frozenset({"end"})


def _kind_of(column: str) -> Kind:
    """What values a column of an export takes: a field's own, or those of what only exports have."""
    if column in _TEXT_COLUMNS:
        return Kind.CHOICE
    return Kind.REAL if column in _REAL_COLUMNS else column_kind(column) or Kind.WHOLE


def _neuron_rows(neuron: ExportedNeuron) -> Iterator[Row]:
    yield (str(neuron.name), neuron.model, *neuron.statistics.values())


def _pattern_rows(neuron: ExportedNeuron) -> Iterator[Row]:
    for pattern in neuron.graph.patterns():
        yield (
            str(neuron.name),
            neuron.model,
            neuron.name.layer,
            neuron.name.index,
            *(neuron.statistics[name] for name in ("heldout_f1", "heldout_firings", "f1")),
            as_decimal(pattern.activation),
            pattern.support,
            None if pattern.confidence is None else as_decimal(pattern.confidence),
            pattern.depth,
            len(pattern.steps),
            neuron.texts[pattern.steps[0].token],
            write_path(pattern, neuron.texts),
        )


def _node_rows(neuron: ExportedNeuron) -> Iterator[Row]:
    graph = neuron.graph
    nodes = zip(
        *(part.tolist() for part in (graph.parent, graph.depth, graph.token, graph.importance, graph.end)),
        strict=True,
    )
    owner = (str(neuron.name), neuron.model, neuron.name.layer, neuron.name.index)
    nothing = [None] * len(graph)
    support = nothing if graph.support is None else graph.support.tolist()
    confidence = nothing if graph.confidence is None else graph.confidence.tolist()
    for pre, (parent, depth, token, importance, end) in enumerate(nodes):
        of_node = (pre, parent, depth, token, neuron.texts[token], as_decimal(importance), _known(end))
        yield (*owner, *of_node, support[pre], _known(confidence[pre]))


def _known(value: float | None) -> float | None:
    """Return a real as it is written; NaN, where no pattern ends or none occurs, is nothing."""
    return None if value is None or value != value else as_decimal(value)


_ROWS: dict[What, Callable[[ExportedNeuron], Iterator[Row]]] = {
    What.NEURONS: _neuron_rows,
    What.PATTERNS: _pattern_rows,
    What.NODES: _node_rows,
}


def _rows(neurons: Iterable[ExportedNeuron], what: What) -> Iterator[Row]:
    return (row for neuron in neurons for row in _ROWS[what](neuron))


class _Csv(Writer):
    def __init__(self, path: Path, what: What) -> None:
        self._what = what
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(_COLUMNS[what])

    def write(self, neurons: Sequence[ExportedNeuron]) -> None:
        self._writer.writerows(_rows(neurons, self._what))

    def close(self) -> None:
        self._file.close()


class _Parquet(Writer):
    def __init__(self, path: Path, what: What) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._what = what
        self._schema = pa.schema([(name, _arrow_type(name)) for name in _COLUMNS[what]])
        self._writer = parquet.ParquetWriter(path, self._schema)

    def write(self, neurons: Sequence[ExportedNeuron]) -> None:
        import pyarrow as pa

        rows = list(_rows(neurons, self._what))
        columns = [[row[place] for row in rows] for place in range(len(self._schema))]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.table(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def _arrow_type(column: str) -> Any:
    import pyarrow as pa

    types = {Kind.WHOLE: pa.int64(), Kind.REAL: pa.float32(), Kind.CHOICE: pa.string()}
    return types[_kind_of(column)]


_XML_TYPES = {Kind.WHOLE: "long", Kind.REAL: "double", Kind.CHOICE: "string"}


#: Statistics whose names are taken: a node's kind is neuron or token.
_XML_NAMES = {"kind": "source_kind"}

#: What GraphML must declare of each attribute before it is used: of what it is one, and its type.
_ATTRIBUTES: dict[str, tuple[str, str]] = {
    "label": ("node", "string"),
    "kind": ("node", "string"),
    "model": ("node", "string"),
    **{_XML_NAMES.get(name, name): ("node", _XML_TYPES[_kind_of(name)]) for name in STATISTICS},
    "token": ("node", "long"),
    "text": ("node", "string"),
    "role": ("edge", "string"),
    "pre": ("edge", "long"),
    "parent": ("edge", "long"),
    "depth": ("edge", "long"),
    "importance": ("edge", "double"),
    "end": ("edge", "double"),
    "support": ("edge", "long"),
    "confidence": ("edge", "double"),
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _GraphML(Writer):
    """The property graph: neurons and tokens as nodes, each node of a trie as an edge."""

    def __init__(self, path: Path) -> None:
        self._tokens: set[str] = set()
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._file.write('<?xml version="1.0" encoding="UTF-8"?>\n')
        self._file.write('<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n')
        for name, (owner, kind) in _ATTRIBUTES.items():
            self._file.write(f'<key id="{name}" for="{owner}" attr.name="{name}" attr.type="{kind}"/>\n')
        self._file.write('<graph edgedefault="directed">\n')

    def write(self, neurons: Sequence[ExportedNeuron]) -> None:
        for neuron in neurons:
            name = f"n{neuron.key}"
            values = {"label": str(neuron.name), "kind": "neuron", "model": neuron.model}
            values |= {_XML_NAMES.get(key, key): value for key, value in neuron.statistics.items()}
            self._element(f'node id="{name}"', values)
            for row in _node_rows(neuron):
                *_, pre, parent, depth, token, text, importance, end, support, confidence = row
                target = f"t{model_of(neuron.key)}.{token}"
                self._token(target, neuron.model, token, text)
                edge = {"role": "context" if depth else "activating", "pre": pre, "parent": parent}
                edge |= {"depth": depth, "importance": importance, "end": end}
                edge |= {"support": support, "confidence": confidence}
                self._element(f'edge id="{name}.{pre}" source="{name}" target="{target}"', edge)

    def close(self) -> None:
        self._file.write("</graph>\n</graphml>\n")
        self._file.close()

    def _token(self, name: str, model: str, token: int, text: str) -> None:
        if name not in self._tokens:
            self._tokens.add(name)
            values = {"label": display(text), "kind": "token", "model": model, "token": token, "text": text}
            self._element(f'node id="{name}"', values)

    def _element(self, opening: str, values: Mapping[str, Any]) -> None:
        data = "".join(
            f'<data key="{name}">{_xml(value)}</data>' for name, value in values.items() if value is not None
        )
        self._file.write(f"<{opening}>{data}</{opening.split(' ', 1)[0]}>\n")


def _xml(value: Any) -> str:
    r"""Write a value as XML text; a character that XML has no way to write stands as ``\u0000``."""
    text = _NOT_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", str(value))
    return escape(text, {"\r": "&#13;"})
