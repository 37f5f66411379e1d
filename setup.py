"""What pyproject.toml cannot say: a source distribution keeps the links under n2gdb.

They make a checkout, or an unpacked source distribution, importable as it lies there: tests run in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from setuptools import setup
from setuptools.command.sdist import sdist

LINKED = ("grammar", "ingest", "cli")


class SourceDistribution(sdist):
    """The usual one, and ``n2gdb/cli -> ../cli`` and its like."""

    def make_release_tree(self, base_dir: str, files: Sequence[str]) -> None:
        """Lay the files out, then the links."""
        super().make_release_tree(base_dir, files)
        for folder in LINKED:
            (Path(base_dir) / "n2gdb" / folder).symlink_to(Path("..") / folder, target_is_directory=True)


setup(cmdclass={"sdist": SourceDistribution})
