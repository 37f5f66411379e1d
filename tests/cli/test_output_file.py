"""What a command writes: never over what it reads, over nothing that is there unasked, and whole."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from n2gdb.cli.main import app
from n2gdb.errors import FigureError, StorageError
from n2gdb.plotting.files import check_figure, figure_file
from n2gdb.storage.output_file import check_output, output_file
from tests.support.cli_world import build_cli_world

#: Every command that writes a file, without the file's name.
WRITERS = {
    "svg": ("show", "L4N358", "--svg"),
    "png": ("show", "L4N358", "--png"),
    "html": ("show", "L4N358", "--html"),
    "dot": ("show", "L4N358", "--dot"),
    "page": ("predict", "L4N358", "the other", "--html"),
    "export": ("export",),
    "report": ("report", "--figure"),
    "trajectories": ("trajectories", "L4N358", "--figure"),
    "found": ("query", "neurons", "--output"),
}
#: Commands that write what their option's ending says, and take no other ending.
ENDINGS = {"report": ".svg", "trajectories": ".svg", "found": ".json"}
NAMES = (
    "neurons.n2gdb",
    "./neurons.n2gdb",
    *(f"{kind}{end}" for kind in ("hard", "link") for end in (".svg", ".json")),
)
#: Names that belong to a database, whether or not something has them.
BESIDE = (".wal", ".shadow", ".sha256", ".sets.json", ".notes.json", ".shards")
writers = pytest.mark.parametrize("writer", WRITERS)
forced = pytest.mark.parametrize("force", [(), ("--force",)], ids=["", "forced"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cli_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def path(world: Path, tmp_path: Path) -> Path:
    """A database of one's own, its checksum beside it."""
    for suffix in ("", ".sha256"):
        shutil.copy2(f"{world}{suffix}", f"{tmp_path}/neurons.n2gdb{suffix}")
    return tmp_path / "neurons.n2gdb"


def run(path: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--db", str(path)])


def refused(path: Path, *arguments: str | Path) -> str:
    result = run(path, *arguments)
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


def name_for(writer: str, name: str) -> str:
    return f"{name}{ENDINGS.get(writer, '')}"


@writers
@forced
def test_a_command_never_writes_over_what_it_reads(path: Path, writer: str, force: tuple[str, ...]) -> None:
    for ending in (".svg", ".json"):
        os.link(path, path.with_name(f"hard{ending}"))
        path.with_name(f"link{ending}").symlink_to(path)
    path.with_name("neurons.n2gdb.sets.json").write_text('{"mine": ["L4N358"]}')
    before = contents(path.parent)
    names = [*NAMES, *(f"neurons.n2gdb{suffix}" for suffix in BESIDE)]
    for name in names:
        if name.endswith(ENDINGS.get(writer, "")):
            refused(path, *WRITERS[writer], f"{path.parent}/{name}", *force)
            assert contents(path.parent) == before


@writers
def test_what_is_there_stays_unless_forced(path: Path, writer: str) -> None:
    there = path.with_name(name_for(writer, "mine"))
    there.write_text("mine")
    assert f"{there} is there already" in refused(path, *WRITERS[writer], there)
    assert there.read_text() == "mine"
    if writer != "trajectories":  # which needs the model
        assert run(path, *WRITERS[writer], there, "--force").exit_code == 0
        assert there.read_bytes() != b"mine"
    assert sorted(contents(path.parent)) == sorted([there.name, path.name, f"{path.name}.sha256"])


@writers
@forced
def test_links_pipes_devices_and_folders_are_no_files(
    path: Path, tmp_path: Path, writer: str, force: tuple[str, ...]
) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    kinds = ("link", "lost", "pipe", "folder", "device")
    places = {kind: tmp_path / name_for(writer, kind) for kind in kinds}
    places["link"].symlink_to(target)
    places["lost"].symlink_to(tmp_path / "nowhere")
    os.mkfifo(places["pipe"])
    places["folder"].mkdir()
    try:
        os.mknod(places["device"], stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:  # it takes more rights than most users have
        del places["device"]
    for name, place in places.items():
        kind = "link" if name == "lost" else name
        assert f"{place} is a {kind}, not a plain file" in refused(path, *WRITERS[writer], place, *force)
    assert target.read_text() == "mine"
    assert places["link"].is_symlink()
    assert places["pipe"].is_fifo()
    assert not (tmp_path / "nowhere").exists()


@writers
def test_a_folder_that_is_not_there_is_said(path: Path, tmp_path: Path, writer: str) -> None:
    place = tmp_path / "no" / name_for(writer, "x")
    assert f"{place} cannot be written" in refused(path, *WRITERS[writer], place)


def test_no_picture_replaces_a_database_though_it_is_another(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.n2gdb"
    shutil.copy(path, other)
    assert "is a database" in refused(path, "show", "L4N358", "--svg", other, "--force")
    assert other.read_bytes() == path.read_bytes()


def test_no_export_replaces_a_shard(path: Path, tmp_path: Path) -> None:
    shard = tmp_path / "neurons.n2gdb.shards" / "run" / "nodes.parquet"
    shard.parent.mkdir(parents=True)
    shard.write_bytes(b"learned for hours")
    assert "is what the command reads" in refused(path, "export", shard, "--force")
    assert shard.read_bytes() == b"learned for hours"


def test_the_database_that_no_option_names_is_read_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    monkeypatch.delenv("N2GDB_DB", raising=False)
    result = CliRunner().invoke(app, ["query", "neurons", "--output", "neurons.n2gdb.sets.json", "--force"])
    assert (result.exit_code, "belongs to what the command reads" in result.stderr) == (1, True)


@pytest.mark.parametrize("kind", ["link", "pipe", "database"])
def test_a_site_replaces_pages_alone(path: Path, tmp_path: Path, kind: str) -> None:
    site, mine = tmp_path / "site", tmp_path / "mine"
    (site / "neurons").mkdir(parents=True)
    mine.write_text("mine")
    for place in (site / "index.html", site / "site.js", site / "neurons" / "L4N358.svg"):
        match kind:
            case "link":
                place.symlink_to(mine)
            case "pipe":
                os.mkfifo(place)
            case _:
                shutil.copy(path, place)
        result = CliRunner().invoke(app, ["export-site", str(path), str(site), "--force"])
        assert (result.exit_code, place.name in result.stderr) == (1, True), result.output
        place.unlink()
    assert mine.read_text() == "mine"
    assert CliRunner().invoke(app, ["export-site", str(path), str(site), "--force"]).exit_code == 0


def test_no_site_lies_among_the_shards_or_on_a_file(path: Path, tmp_path: Path) -> None:
    shards, mine = tmp_path / "neurons.n2gdb.shards", tmp_path / "mine"
    shards.mkdir()
    mine.write_text("mine")
    for place, said in ((shards, "belongs to what the command reads"), (mine, "is not a folder")):
        result = CliRunner().invoke(app, ["export-site", str(path), str(place), "--force"])
        assert (result.exit_code, said in result.stderr) == (1, True), result.output
    assert not [each for each in shards.rglob("*") if each.is_file()]
    assert "belongs to what the command reads" in refused(path, "show", "L4N358", "--svg", shards / "x.svg")


def test_notes_that_are_none_are_said_before_anything_is_served(path: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("{}")
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("mine.json", "pipe.json"):
        refused(path, "serve", "--check", "--port", "0", "--notes", tmp_path / name)


def test_a_page_never_replaces_the_text_that_it_shows(path: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.html"
    text.write_text("the other")
    line = refused(path, "predict", "L4N358", "--file", text, "--html", text, "--force")
    assert "is what the command reads" in line
    assert text.read_text() == "the other"


def test_two_pictures_need_two_names(path: Path, tmp_path: Path) -> None:
    for name in (tmp_path / "x", Path("-")):
        result = run(path, "show", "L4N358", "--svg", name, "--html", name)
        assert result.exit_code == 2
        assert "two pictures cannot both be written" in result.stderr
    assert not (tmp_path / "x").exists()


def test_an_export_to_standard_output(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = contents(tmp_path)
    for form in ("jsonl", "csv", "graphml", "parquet"):
        assert run(path, "export", tmp_path / f"file.{form}").exit_code == 0
        result = run(path, "export", "-", "--format", form)
        assert result.exit_code == 0
        assert result.stdout_bytes == (tmp_path / f"file.{form}").read_bytes()
        (tmp_path / f"file.{form}").unlink()
    assert contents(tmp_path) == before
    lines = run(path, "export", "-").stdout.splitlines()
    assert json.loads(lines[0])["neuron"] == "L0N12"


def test_a_file_that_comes_in_between_stays(tmp_path: Path) -> None:
    place = tmp_path / "x.svg"
    with pytest.raises(StorageError, match="is there already"), output_file(place) as partial:
        partial.write_text("new")
        place.write_text("mine")
    assert contents(tmp_path) == {"x.svg": b"mine"}


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with output_file(tmp_path / "x") as partial:
        partial.write_text("new")
    assert contents(tmp_path) == {"x": b"new"}
    with pytest.raises(StorageError, match="is there already"), output_file(tmp_path / "y") as partial:
        (tmp_path / "y").write_text("mine")
    assert contents(tmp_path) == {"x": b"new", "y": b"mine"}


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (RuntimeError("broken"), RuntimeError),
        (OSError(28, "No space left on device"), StorageError),
    ],
)
def test_what_fails_leaves_nothing(tmp_path: Path, error: BaseException, raised: type[BaseException]) -> None:
    (tmp_path / "old").write_text("old")
    with pytest.raises(raised), output_file(tmp_path / "old", force=True) as partial:
        partial.write_text("half")
        raise error
    assert contents(tmp_path) == {"old": b"old"}


def test_a_file_has_the_rights_that_the_user_s_mask_gives(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with output_file(tmp_path / "x") as partial:
        partial.write_text("new")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_long_and_odd_names(tmp_path: Path) -> None:
    for name in ("a." + "b" * 250, "no suffix", "ünï.svg", "-", ".hidden"):
        with output_file(tmp_path / name) as partial:
            partial.write_text("new")
        assert (tmp_path / name).read_text() == "new"
    with pytest.raises(StorageError, match="cannot be written"):
        check_output(tmp_path / ("a" * 300))


def test_a_figure_of_the_library_keeps_the_rules(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link.svg").symlink_to(path)
    for place in (tmp_path / "link.svg", tmp_path / "no" / "x.svg"):
        with (
            pytest.raises(FigureError, match=r"not a plain file|cannot be written"),
            figure_file(place, 2, 2),
        ):
            raise AssertionError("it was drawn")
    (tmp_path / "there.svg").write_text("mine")
    with pytest.raises(FigureError, match="is there already"):
        check_figure(tmp_path / "there.svg", force=False)
