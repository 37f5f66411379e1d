from __future__ import annotations

import pytest

from n2gdb.cli.output import progress
from n2gdb.cli.output.progress import stages


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(progress, "time", found)
    return found


def test_without_a_terminal_a_stage_says_rate_and_time_left(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with stages() as report:
        report("load model", 0, None)
        report("neurons", 100, 400)  # resumed: the first hundred were there
        clock.now = 10
        report("neurons", 200, 400)  # within half a minute nothing more is said
        clock.now = 40
        report("neurons", 300, 400)
        report("neurons", 400, 400)
    assert capsys.readouterr().err.splitlines() == [
        "load model",
        "neurons: 100 of 400",
        "neurons: 300 of 400, 5.0/s, 20 s left",
        "neurons: 400 of 400, 7.5/s, 0 s left",
    ]


def test_on_a_terminal_every_stage_has_a_bar(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with stages() as report:
        report("scan", 0, 100)
        clock.now = 2
        report("scan", 100, 100)
        report("neurons", 0, 10)
    shown = capsys.readouterr().err
    assert "scan" in shown and "neurons" in shown and "50.0/s" in shown
