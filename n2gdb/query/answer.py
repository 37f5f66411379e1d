"""Answers: typed sequences of records that are read lazily."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from n2gdb.core.tokens import display, visible
from n2gdb.errors import MissingDependencyError, UnknownNameError
from n2gdb.evidence.quality import is_uncertain
from n2gdb.grammar.fields import RETURNED, Kind, nearest

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["Answer", "R", "Record", "answer_of", "cell_of", "cell_text"]

#: Figures of held-out text.
_HELDOUT = frozenset({"heldout_f1", "heldout_precision", "heldout_recall"})
#: Records read together: more only cost memory.
_TOGETHER = 256
_SHOWN = 20


class Record(Protocol):
    """One row of an answer: a Hit, a PatternHit, a GroupCount, a TokenHit or a Stage."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""


R = TypeVar("R", bound=Record)


class Answer(Sequence[R], Generic[R]):
    """The records of a query in its order.

    Their number is known at once; the patterns that matched are read in chunks on access, while the
    database is open.
    ``columns`` names what a table shows.

    >>> answer = db.query("neurons MATCHING 'the' BEFORE 'other' ORDER BY layer LIMIT 2")
    >>> len(answer), answer.total
    (2, 3)
    >>> str(answer[0].neuron)
    'L4N12'
    >>> [hit.path for hit in answer]
    ['·the · ·other', '·the · ·other']
    """

    def __init__(
        self,
        length: int,
        fetch: Callable[[int, int], Sequence[R]],
        *,
        columns: tuple[str, ...],
        total: Callable[[], int],
        notices: Callable[[], tuple[str, ...]],
        only_columns: bool = False,
        kinds: Mapping[str, Kind] | None = None,
    ) -> None:
        """Take ``fetch(start, stop)``, which reads the records of a range; ``only_columns`` for a RETURN.

        ``kinds`` says what columns hold that hold something else than ``COLUMN_KINDS`` has of them.
        """
        self.columns = columns
        self._length = length
        self._fetch = fetch
        self._total = total
        self._notices = notices
        self._only_columns = only_columns
        self._kinds = dict(kinds or {})
        self._chunks: dict[int, Sequence[R]] = {}

    @cached_property
    def total(self) -> int:
        """The number of records without LIMIT and OFFSET.

        >>> db.query("neurons MATCHING 'other' LIMIT 1").total
        4
        """
        return self._total()

    @cached_property
    def notices(self) -> tuple[str, ...]:
        """Notices for the reader, for example that a word of the query is not a token of the model.

        >>> db.query("neurons MATCHING 'dogg'").notices
        ("no token of world reads 'dogg', it is taken as 2 tokens: do gg",)
        """
        return self._notices()

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[R]:
        for start in range(0, self._length, _TOGETHER):
            yield from self._chunk(start // _TOGETHER)

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[R, ...]: ...
    @overload
    def __getitem__(self, index: str) -> list[Any]: ...
    def __getitem__(self, index: int | slice | str) -> R | tuple[R, ...] | list[Any]:
        """Return a record, several, or all that the records say under a name: ``answer["f1"]``."""
        if isinstance(index, str):
            return self._named(index)
        if isinstance(index, slice):
            return tuple(self[place] for place in range(self._length)[index])
        try:
            place = range(self._length)[index]
        except IndexError:
            raise IndexError(f"no row {index} in an answer of {self._length:,} rows") from None
        return self._chunk(place // _TOGETHER)[place % _TOGETHER]

    def __repr__(self) -> str:
        lines = ["\t".join(self.columns), *("\t".join(row) for row in self.cells(_SHOWN))]
        if self._length > _SHOWN:
            lines.append(f"... and {self._length - _SHOWN:,} more")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return an HTML table for a notebook, with all text escaped."""
        import html  # only notebooks need it

        head = "".join(f"<th>{html.escape(column)}</th>" for column in self.columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
            for row in self.cells(_SHOWN)
        )
        more = f"<p>and {self._length - _SHOWN:,} more</p>" if self._length > _SHOWN else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def cells(self, most: int | None = None) -> Iterator[list[str]]:
        """Yield a table's cells as text, row by row: every column, of all records or the first ``most``.

        >>> list(db.query("neurons MATCHING 'an' BEFORE ... RETURN neuron, activation").cells())
        [['L4N358', '0.75']]
        """
        for record in islice(self, most):
            plain = record.as_dict()
            yield [cell_of(column, plain) for column in self.columns]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return every record as a plain dict, with only the columns of RETURN if the query has one.

        >>> db.query("neurons MATCHING 'an' BEFORE 'other' RETURN neuron, activation").to_dicts()
        [{'neuron': 'L4N358', 'activation': 0.75}]
        """
        plain = (record.as_dict() for record in self)
        if not self._only_columns:
            return list(plain)
        return [{column: record[column] for column in self.columns} for record in plain]

    @overload
    def to_json(self, path: None = None, *, indent: int | None = None) -> str: ...
    @overload
    def to_json(
        self, path: str | os.PathLike[str], *, indent: int | None = None, overwrite: bool = False
    ) -> None: ...
    def to_json(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        indent: int | None = None,
        overwrite: bool = False,
    ) -> str | None:
        """Return the records as a JSON array, or write it to a file.

        The file is written atomically, and an existing one replaced only with ``overwrite``. Raises
        StorageError if it cannot be written.

        >>> db.query("neurons MATCHING 'an' BEFORE ... RETURN neuron, activation").to_json()
        '[{"neuron": "L4N358", "activation": 0.75}]'
        """
        text = json.dumps(self.to_dicts(), ensure_ascii=False, indent=indent)
        if path is None:
            return text
        _write_text(path, text + "\n", overwrite=overwrite)
        return None

    @overload
    def to_csv(self, path: None = None) -> str: ...
    @overload
    def to_csv(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None: ...
    def to_csv(self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False) -> str | None:
        """Return the columns as CSV with a header, or write it to a file as ``to_json`` does.

        >>> db.query("neurons MATCHING 'an' BEFORE ... RETURN neuron, activation").to_csv().splitlines()
        ['neuron,activation', 'L4N358,0.75']
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self._rows())
        if path is None:
            return text.getvalue()
        _write_text(path, text.getvalue(), overwrite=overwrite)
        return None

    def to_parquet(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the columns to a Parquet file as ``to_json`` does its own, with the types of ``to_arrow``.

        >>> db.query("neurons MATCHING 'an' BEFORE ...").to_parquet("answer.parquet", overwrite=True)
        """
        from pyarrow import parquet

        from n2gdb.storage.output_file import output_file

        with output_file(Path(path), force=overwrite, allow="overwrite=True") as partial:
            parquet.write_table(self.to_arrow(), partial)

    def to_arrow(self) -> pa.Table:
        """Return the columns as an Arrow table.

        The type of a column does not depend on its values: int64 for whole numbers, float64 for reals, string
        for texts and words, in empty answers too.

        >>> db.query("neurons LIMIT 0 RETURN neuron, n_nodes, f1").to_arrow().schema.types
        [DataType(string), DataType(int64), DataType(double)]
        """
        from n2gdb.query.columns import COLUMN_KINDS, arrow_table

        rows = self._rows()
        columns = {column: [row[place] for row in rows] for place, column in enumerate(self.columns)}
        return arrow_table(columns, {**COLUMN_KINDS, **self._kinds})

    def to_pandas(self) -> pd.DataFrame:
        """Return the columns as a pandas data frame.

        Whole numbers are ``Int64``, which may be missing, and reals ``float64``, NaN where missing. Raises
        MissingDependencyError if pandas is not installed.

        >>> db.query("neurons WHERE layer = 4").to_pandas().shape[0]
        3
        """
        import pyarrow as pa

        pandas = _optional("pandas")
        frame: pd.DataFrame = self.to_arrow().to_pandas(types_mapper={pa.int64(): pandas.Int64Dtype()}.get)
        return frame

    def to_polars(self) -> pl.DataFrame:
        """Return the columns as a polars data frame.

        Raises MissingDependencyError if polars is not installed.

        >>> db.query("neurons WHERE layer = 4").to_polars().height
        3
        """
        frame: pl.DataFrame = _optional("polars").from_arrow(self.to_arrow())
        return frame

    def detached(self) -> Answer[R]:
        """Return the same answer with all records read, so that it no longer needs the database.

        Pickling an answer does the same.

        >>> with n2gdb.open("neurons.n2gdb") as opened:
        ...     kept = opened.query("neurons MATCHING 'an' BEFORE ...").detached()
        >>> kept[0].path
        '·an · ·other'
        """
        make, state = self.__reduce__()
        return make(*state)

    def __reduce__(self) -> tuple[Callable[..., Answer[R]], tuple[Any, ...]]:
        state = (self.columns, self.total, self.notices, self._only_columns, self._kinds)
        return _unpickled, (tuple(self), *state)

    def _named(self, name: str) -> list[Any]:
        """Return what every record says under a name; only a column will do where the query has RETURN."""
        names = {*self.columns}
        if self._length and not self._only_columns:
            names |= self[0].as_dict().keys()
        elif "neuron" in names and not self._only_columns:
            names.update(RETURNED)  # what records of neurons would say if there were any
        if name not in names:
            near = nearest(name, tuple(sorted(names)))
            hint = f"did you mean {near}?" if near else f"there are {', '.join(sorted(names))}"
            raise UnknownNameError(f"no column {name!r}: {hint}", (near,) if near else ())
        return [record.as_dict()[name] for record in self]

    def _chunk(self, number: int) -> Sequence[R]:
        if number not in self._chunks:
            start = number * _TOGETHER
            self._chunks[number] = self._fetch(start, min(start + _TOGETHER, self._length))
        return self._chunks[number]

    def _rows(self) -> list[list[Any]]:
        return [[plain[column] for column in self.columns] for plain in (record.as_dict() for record in self)]


def answer_of(records: Sequence[R], columns: tuple[str, ...], notices: tuple[str, ...] = ()) -> Answer[R]:
    """Return an answer with the given records."""
    return Answer(
        len(records),
        lambda start, stop: records[start:stop],
        columns=columns,
        total=lambda: len(records),
        notices=lambda: notices,
    )


def _unpickled(
    records: tuple[R, ...],
    columns: tuple[str, ...],
    total: int,
    notices: tuple[str, ...],
    only_columns: bool,
    kinds: Mapping[str, Kind],
) -> Answer[R]:
    return Answer(
        len(records),
        lambda start, stop: records[start:stop],
        columns=columns,
        total=lambda: total,
        notices=lambda: notices,
        only_columns=only_columns,
        kinds=kinds,
    )


def _write_text(path: str | os.PathLike[str], text: str, *, overwrite: bool) -> None:
    from n2gdb.storage.output_file import output_file

    with output_file(Path(path), force=overwrite, allow="overwrite=True") as partial:
        partial.write_text(text, encoding="utf-8", newline="")


def cell_text(column: str, value: object) -> str:
    """Format a table cell: reals with two decimals, tokens with visible spaces."""
    if value is None:
        return "-"
    if column in ("token", "group") and isinstance(value, str):
        return display(value)
    return f"{value:.2f}" if isinstance(value, float) else visible(str(value))


def cell_of(column: str, record: Mapping[str, Any]) -> str:
    """Write one value of a record as ``cell_text`` does; a figure that rests on few firings is marked."""
    mark = "?" if column in _HELDOUT and record[column] is not None and is_uncertain(record) else ""
    return f"{cell_text(column, record[column])}{mark}"


def _optional(library: str) -> Any:
    try:
        return import_module(library)
    except ImportError as error:
        raise MissingDependencyError(
            f"{library} is not installed: run pip install 'n2gdb[{library}]', or use to_dicts()"
        ) from error
