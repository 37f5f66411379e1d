"""The model at hand: true activations of a typed text, from a process of its own, with what that costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import n2gdb
from n2gdb.core.progress import silent
from n2gdb.errors import ModelError, UnknownNameError
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.evaluation.model_process import ModelProcess
from n2gdb.ingest.evaluation.true_activations import true_activations
from n2gdb.ingest.models.subject import default_corpus
from n2gdb.ingest.pipeline import Source, ingest
from tests.explorer.conftest import opened, served, settled, until
from tests.support.chromium import needs_chromium
from tests.support.demo import demo_engine, demo_model

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TEXT = "I saw him on the other side of the street"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "demo.n2gdb"
    config = N2GConfig(top_k=4, tokens=5000, augment=(), refine_rounds=0)
    chosen = Selection(layers=(4,), neurons=(100, 358))
    ingest(demo_model(), Source(default_corpus("demo")), path, config, chosen, silent, 1024)
    return path


@pytest.fixture(scope="module")
def live(path: Path) -> Iterator[n2gdb.Neuron]:
    with n2gdb.open(path) as database:
        yield next(each for each in map(database.neuron, ("L4N358", "L4N100")) if each.n_patterns)


def test_the_process_gives_what_the_model_gives_and_survives_refusals(path: Path, live: n2gdb.Neuron) -> None:
    tokens = live.tokenize(TEXT)
    with ModelProcess(path) as process:
        found, cost = process.activations(live, tokens)
        assert found == pytest.approx(true_activations(demo_engine(), live, tokens).tolist(), abs=1e-5)
        assert cost["load_seconds"] > cost["run_seconds"] > 0 and cost["memory"] > 10_000_000
        with pytest.raises(UnknownNameError):
            process.activations(live, [10**7])
        again, second = process.activations(live, tokens)
        assert again == found and second["load_seconds"] == cost["load_seconds"], "it was loaded twice"
        process._process.kill()
        process._process.join()
        with pytest.raises(ModelError, match="ask again"):
            raise_once(process, live, tokens)


def raise_once(process: ModelProcess, live: n2gdb.Neuron, tokens: tuple[int, ...]) -> None:
    """Ask a process that was killed while it answered; one that is known to be dead is started anew."""
    process._process.is_alive = lambda: True
    process.activations(live, tokens)


@needs_chromium
def test_true_activations_of_a_typed_text_stand_beside_the_prediction(
    browser: Browser, path: Path, live: n2gdb.Neuron
) -> None:
    with served(path, "--model") as origin, opened(browser, origin) as page:
        page.goto(f"/neuron/{live.name}?text={TEXT.replace(' ', '+')}")
        settled(page)
        page.get_by_label("run the model").check()
        page.locator(".prediction .waiting", has_text="Running the model").wait_for()
        said = page.locator(".pattern-line", has_text="loaded in")
        said.wait_for(timeout=120_000)
        assert "once; this run took" in said.inner_text() and "GB" in said.inner_text()
        shown = page.locator(".prediction .reading.both")
        assert shown.inner_text() == TEXT
        truth = true_activations(demo_engine(), live, live.tokenize(TEXT)).tolist()
        fires = [value >= live.fire_threshold for value in truth]
        assert shown.locator(".tok.fires-true").count() == sum(fires)
        page.goto(f"/trajectories/{live.name}")
        until(page, lambda: page.locator("article.example").count() > 0)
        assert "The model was loaded in" in page.locator("main").inner_text()
