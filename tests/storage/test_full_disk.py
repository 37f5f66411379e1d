"""A build whose disk fills up, or that is killed: one line, the older database kept, and it goes on later."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import n2gdb
from n2gdb.storage.checksum import verify_seal
from n2gdb.storage.shards import RunFolder
from tests.support.small_run import random_graphs, write_run


@pytest.fixture
def path(small_path: Path, tmp_path: Path) -> Path:
    """A database of one's own, its checksum beside it, its times kept."""
    for suffix in ("", ".sha256"):
        shutil.copy2(f"{small_path}{suffix}", f"{tmp_path}/small.n2gdb{suffix}")
    return tmp_path / "small.n2gdb"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return write_run(tmp_path_factory.mktemp("run") / "run", random_graphs(1, layers=1, neurons=3))


BUILD = """
import resource, signal, sys
from pathlib import Path
from n2gdb.errors import StorageError
from n2gdb.storage.shards import RunFolder
from n2gdb.storage.build.database import build_database
limit = int(sys.argv[3])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    build_database(Path(sys.argv[1]), [RunFolder(Path(sys.argv[2]))])
except StorageError as error:
    sys.exit(f"error: {error}")
"""


def build(path: Path, run: RunFolder, limit: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BUILD, str(path), str(run.path), str(limit)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("share", [0.3, 0.8, 0.93, 0.97, 0.99, 0.999])
def test_a_disk_that_fills_up_keeps_the_older_database(path: Path, tmp_path: Path, share: float) -> None:
    wide = write_run(tmp_path / "wide", random_graphs(5, layers=2, neurons=30))
    assert build(tmp_path / "whole.n2gdb", wide, 0).returncode == 0
    size = (tmp_path / "whole.n2gdb").stat().st_size
    before = path.read_bytes()
    done = build(path, wide, int(size * share))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(("error: no space left to write", f"error: {path} cannot be written ("))
    assert path.read_bytes() == before
    assert verify_seal(path)
    assert not list(tmp_path.glob("*.building*"))
    assert build(path, wide, 0).returncode == 0
    with n2gdb.open(path) as database:
        assert database.count("neurons") == 60


def test_a_killed_build_leaves_what_was_there(path: Path, run: RunFolder) -> None:
    rng, before = random.Random(1), path.read_bytes()
    for _ in range(3):
        building = subprocess.Popen([sys.executable, "-c", BUILD, str(path), str(run.path), "0"])
        time.sleep(rng.uniform(0.2, 1.0))
        building.send_signal(signal.SIGKILL)
        building.wait()
        assert path.read_bytes() == before or verify_seal(path)
        n2gdb.open(path).close()
