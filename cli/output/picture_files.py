"""Picture files of `n2gdb show`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from n2gdb.cli.output.written_file import check_written, is_standard_output, write_file
from n2gdb.errors import UsageError

if TYPE_CHECKING:
    from n2gdb.drawing import Picture
    from n2gdb.neuron import Neuron

__all__ = ["Files"]


@dataclass(frozen=True, slots=True)
class Files:
    """Where each kind of picture goes; None if it is not wanted."""

    svg: Path | None
    png: Path | None
    html: Path | None
    dot: Path | None
    force: bool
    """Whether a file that is there is overwritten."""
    database: Path
    """What the pictures are drawn from: no picture replaces it."""

    @property
    def any(self) -> bool:
        """Whether some picture is wanted."""
        return any((self.svg, self.png, self.html, self.dot))

    def check(self, neurons: int, *, side_by_side: bool) -> None:
        """Raise UsageError for what cannot be drawn, StorageError for what cannot be written.

        Nothing has been read by then.
        """
        if side_by_side and neurons != 2:
            raise UsageError(f"--beside draws two neurons side by side: name two, not {neurons}")
        if side_by_side and not self.any:
            raise UsageError("--beside draws a picture: say where to, as in --svg both.svg")
        if self.dot and neurons > 1:
            raise UsageError("--dot draws one neuron: name one, or draw several with --svg")
        named = [path for path in (self.svg, self.png, self.html, self.dot) if path is not None]
        for path in named:
            if [each.absolute() for each in named].count(path.absolute()) > 1:
                what = "standard output" if is_standard_output(path) else path
                raise UsageError(f"two pictures cannot both be written to {what}: name another file")
            check_written(path, force=self.force, reads=(self.database,))

    def write(self, neurons: Sequence[Neuron], most: int | None, *, side_by_side: bool) -> None:
        """Draw neurons into the files, ``most`` patterns of each; raise FigureError and StorageError."""
        if self.dot:
            self._write(self.dot, neurons[0].to_dot(most).encode())
        if not (self.svg or self.png or self.html):
            return
        picture = _picture(neurons, most, side_by_side=side_by_side)
        if self.svg:
            self._write(self.svg, picture.svg().encode())
        if self.html:
            self._write(self.html, picture.html().encode())
        if self.png:
            self._write(self.png, picture.png())

    def _write(self, path: Path, content: bytes) -> None:
        write_file(path, content, force=self.force, reads=(self.database,))


def _picture(neurons: Sequence[Neuron], most: int | None, *, side_by_side: bool) -> Picture:
    from n2gdb.drawing import beside, draw, sheet

    if side_by_side:
        return beside(neurons[0], neurons[1], most=most)
    return draw(neurons[0], most=most) if len(neurons) == 1 else sheet(neurons, most=most)
