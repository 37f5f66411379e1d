"""Answers: typed sequences of records that are read lazily."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from n2gdb.core.tokens import display, visible
from n2gdb.errors import MissingDependencyError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["Answer", "R", "Record", "answer_of", "cell_text"]

#: Records read together: more only cost memory.
_TOGETHER = 256
_SHOWN = 20


class Record(Protocol):
    """One row of an answer: a Hit, a PatternHit, a GroupCount, a TokenHit or a Stage."""

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""


R = TypeVar("R", bound=Record)


class Answer(Sequence[R], Generic[R]):
    """The records of a query in its order.

    Which they are is known at once, their evidence is read in chunks as they are looked at, while the
    database is open. ``columns`` are what a table shows of each.

    >>> answer = db.query("neurons MATCHING 'the' BEFORE 'other' ORDER BY layer LIMIT 2")
    >>> len(answer), answer.total
    (2, 3)
    >>> answer[0].neuron
    NeuronName(layer=4, index=12)
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
    ) -> None:
        """Take ``fetch(start, stop)``, which reads the records of a range; ``only_columns`` for a RETURN."""
        self.columns = columns
        self._length = length
        self._fetch = fetch
        self._total = total
        self._notices = notices
        self._only_columns = only_columns
        self._chunks: dict[int, Sequence[R]] = {}

    @cached_property
    def total(self) -> int:
        """How many records there are without LIMIT and OFFSET."""
        return self._total()

    @cached_property
    def notices(self) -> tuple[str, ...]:
        """What the reader should know, as that no token reads as the query writes it."""
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
    def __getitem__(self, index: int | slice) -> R | tuple[R, ...]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(self._length)[index])
        place = range(self._length)[index]
        return self._chunk(place // _TOGETHER)[place % _TOGETHER]

    def __repr__(self) -> str:
        lines = ["\t".join(self.columns), *("\t".join(row) for row in self.cells(_SHOWN))]
        if self._length > _SHOWN:
            lines.append(f"... and {self._length - _SHOWN:,} more")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return a table for a notebook, every text escaped."""
        head = "".join(f"<th>{html.escape(column)}</th>" for column in self.columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
            for row in self.cells(_SHOWN)
        )
        more = f"<p>and {self._length - _SHOWN:,} more</p>" if self._length > _SHOWN else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def cells(self, most: int | None = None) -> Iterator[list[str]]:
        """Yield what a table shows of each record, or of the first ``most``: the text of every column."""
        for record in islice(self, most):
            plain = record.as_dict()
            yield [cell_text(column, plain[column]) for column in self.columns]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return every record as a plain dict; only the columns where the query has RETURN."""
        plain = (record.as_dict() for record in self)
        if not self._only_columns:
            return list(plain)
        return [{column: record[column] for column in self.columns} for record in plain]

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the records as a JSON array."""
        return json.dumps(self.to_dicts(), ensure_ascii=False, indent=indent)

    def to_csv(self) -> str:
        """Return the columns as CSV with a header."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self._rows())
        return text.getvalue()

    def to_arrow(self) -> pa.Table:
        """Return the columns as an Arrow table."""
        import pyarrow as pa

        rows = self._rows()
        return pa.table({column: [row[place] for row in rows] for place, column in enumerate(self.columns)})

    def to_pandas(self) -> pd.DataFrame:
        """Return the columns as a pandas data frame.

        Raises MissingDependencyError where pandas is not installed.
        """
        frame: pd.DataFrame = _optional("pandas").DataFrame(self._rows(), columns=list(self.columns))
        return frame

    def to_polars(self) -> pl.DataFrame:
        """Return the columns as a polars data frame.

        Raises MissingDependencyError where polars is not installed.
        """
        frame: pl.DataFrame = _optional("polars").from_arrow(self.to_arrow())
        return frame

    def _chunk(self, number: int) -> Sequence[R]:
        if number not in self._chunks:
            start = number * _TOGETHER
            self._chunks[number] = self._fetch(start, min(start + _TOGETHER, self._length))
        return self._chunks[number]

    def _rows(self) -> list[list[Any]]:
        return [[plain[column] for column in self.columns] for plain in (record.as_dict() for record in self)]


def answer_of(records: Sequence[R], columns: tuple[str, ...]) -> Answer[R]:
    """Return an answer of records that are all there."""
    return Answer(
        len(records),
        lambda start, stop: records[start:stop],
        columns=columns,
        total=lambda: len(records),
        notices=lambda: (),
    )


def cell_text(column: str, value: object) -> str:
    """Write one value of a table as people read it: reals to two places, tokens with their space visible."""
    if value is None:
        return "-"
    if column in ("token", "group") and isinstance(value, str):
        return display(value)
    return f"{value:.2f}" if isinstance(value, float) else visible(str(value))


def _optional(library: str) -> Any:
    try:
        return import_module(library)
    except ImportError as error:
        raise MissingDependencyError(
            f"{library} is not installed: run pip install 'n2gdb[{library}]', or use to_dicts()"
        ) from error
