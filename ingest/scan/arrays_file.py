"""Arrays in a file that is complete or absent, each with its checksum."""

from __future__ import annotations

import errno
import os
import struct
import threading
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from n2gdb.errors import StorageError
from n2gdb.storage.shards import storing

__all__ = ["Arrays", "load_arrays", "save_arrays"]

Arrays = dict[str, npt.NDArray[Any]]

#: What numpy and zipfile raise for a file that is cut or changed.
_DAMAGE = (
    EOFError,
    ValueError,
    KeyError,
    RuntimeError,
    MemoryError,
    OverflowError,
    SyntaxError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


#: numpy has Python parse each array's header, and Python 3.11 now and then fails at that in two threads at
#: once ("AST constructor recursion depth mismatch").
_READING = threading.Lock()


def save_arrays(path: Path, **arrays: npt.NDArray[Any]) -> None:
    """Write arrays to a file that is complete or absent, even if the power fails."""
    partial = path.with_name(f".{path.name}")
    with storing(path):
        path.parent.mkdir(exist_ok=True)
        try:
            with partial.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def load_arrays(path: Path, names: Sequence[str], *, some: bool = False) -> Arrays | None:
    """Read what ``save_arrays`` wrote; None where there is nothing, or not what was written.

    Each array is compared with its checksum. All of ``names`` must be there; ``some`` reads no others. Raises
    StorageError where the disk refuses.
    """
    try:
        with _READING, path.open("rb") as file, np.load(file) as arrays:
            found = {name: arrays[name] for name in (names if some else arrays.files)}
    except FileNotFoundError:
        return None
    except _DAMAGE:
        return None
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # a place before the file's beginning
            return None
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error
    return found if found.keys() >= set(names) else None
