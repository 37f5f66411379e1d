"""Inter-process calls: what workers without the model request from the process that has it.

Arrays go over and come back, so that an asker needs no device, and no time to load a model.
"""

from __future__ import annotations

from enum import Enum, auto
from multiprocessing.connection import Connection
from typing import Any

from n2gdb.core.arrays import FloatArray, IndexArray, IntArray
from n2gdb.errors import IngestError
from n2gdb.ingest.workers.work import Piece

__all__ = ["RequestKind", "Served", "ServedHelper"]


class RequestKind(Enum):
    """A request, followed by its arguments."""

    RUN = auto()
    """Activations: the arguments are those of ``run``, of the passes that the model has."""
    PROPOSE = auto()
    """Substitutes: the helper's number, then see Helper.propose."""
    NEXT = auto()
    """The next piece to learn, None after the last."""
    DONE = auto()
    """Nothing: this piece's shard is written."""
    FAILED = auto()
    """Nothing: this error ended the work."""


class Served:
    """The process with the model, asked over a connection.

    What it raises of a question is raised here; IngestError when it is there no more.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def run(self, *asked: Any) -> FloatArray:
        """Have a pass run. See TreePasses and PaddedPasses."""
        found: FloatArray = self._ask(RequestKind.RUN, *asked)
        return found

    def propose(self, helper: int, prompts: IntArray, positions: IndexArray, n: int) -> IndexArray:
        """Have a helper propose substitutes. See Helper."""
        found: IndexArray = self._ask(RequestKind.PROPOSE, helper, prompts, positions, n)
        return found

    def next_piece(self) -> Piece | None:
        """Return the next piece to learn; None after the last."""
        piece: Piece | None = self._ask(RequestKind.NEXT)
        return piece

    def done(self, piece: Piece) -> None:
        """Tell that the shard of a piece is written."""
        self._ask(RequestKind.DONE, piece)

    def failed(self, error: Exception) -> None:
        """Tell of the error that ends the work here."""
        self._ask(RequestKind.FAILED, error)

    def _ask(self, what: RequestKind, *arguments: Any) -> Any:
        try:
            self._connection.send((what, arguments))
            answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise IngestError("the process that runs the passes has ended") from error
        if isinstance(answer, Exception):
            raise answer
        return answer


class ServedHelper:
    """A helper of the process with the model. See Helper."""

    def __init__(self, served: Served, number: int) -> None:
        self._served, self._number = served, number

    def propose(self, prompts: IntArray, positions: IndexArray, n: int) -> IndexArray:
        """See Helper."""
        return self._served.propose(self._number, prompts, positions, n)
