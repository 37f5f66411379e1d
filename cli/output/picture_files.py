"""The files that `n2gdb show` draws neurons into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from n2gdb.cli.output.written_file import write_file, write_text_file
from n2gdb.errors import QueryError

if TYPE_CHECKING:
    from n2gdb.drawing import Picture
    from n2gdb.neuron import Neuron

__all__ = ["Files"]


@dataclass(frozen=True, slots=True)
class Files:
    """Where each kind of picture goes; None where it is not wanted."""

    svg: Path | None
    png: Path | None
    html: Path | None
    dot: Path | None

    @property
    def any(self) -> bool:
        """Whether some picture is wanted."""
        return any((self.svg, self.png, self.html, self.dot))

    def check(self, neurons: int, *, side_by_side: bool) -> None:
        """Raise QueryError for what cannot be drawn, before anything is read."""
        if side_by_side and neurons != 2:
            raise QueryError(f"--beside draws two neurons side by side: name two, not {neurons}")
        if side_by_side and not self.any:
            raise QueryError("--beside draws a picture: say where to, as in --svg both.svg")
        if self.dot and neurons > 1:
            raise QueryError("--dot draws one neuron: name one, or draw several with --svg")

    def write(self, neurons: Sequence[Neuron], most: int | None, *, side_by_side: bool) -> None:
        """Draw neurons into the files, ``most`` patterns of each; raise FigureError and StorageError."""
        if self.dot:
            write_text_file(self.dot, neurons[0].to_dot(most))
        if not (self.svg or self.png or self.html):
            return
        picture = _picture(neurons, most, side_by_side=side_by_side)
        if self.svg:
            write_text_file(self.svg, picture.svg())
        if self.html:
            write_text_file(self.html, picture.html())
        if self.png:
            write_file(self.png, picture.png())


def _picture(neurons: Sequence[Neuron], most: int | None, *, side_by_side: bool) -> Picture:
    from n2gdb.drawing import beside, draw, sheet

    if side_by_side:
        return beside(neurons[0], neurons[1], most=most)
    return draw(neurons[0], most=most) if len(neurons) == 1 else sheet(neurons, most=most)
