"""A headless Chromium for all tests of the page, and pages that must neither complain nor reach for a network."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from bpe_transformer import Tokenizer
from bpe_transformer.inspection.html.report import report_data, splitting, vocabulary, write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        problem = "no chromium on the PATH; `make browser` installs it"
        if os.environ.get("CI"):
            pytest.fail(problem)
        pytest.skip(problem)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


class Watched:
    """A page with what it said on its console and every address it asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))


@pytest.fixture(scope="module")
def open_file(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """`open_file(path)` opens a page from disk, and returns when it has drawn itself."""
    contexts = []

    def run(path: Path, *, scheme: str = "light", width: int = 1280) -> Watched:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.page.goto(path.as_uri())
        watched.page.wait_for_selector("html[data-ready]", timeout=20_000)
        return watched

    yield run
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def open_page(open_file: Callable[..., Watched], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Watched]:
    """`open_page(tokenizer, words=[…])` writes the report and opens it from disk."""

    def run(tokenizer: Tokenizer, *, scheme: str = "light", width: int = 1280, **options: Any) -> Watched:
        path = tmp_path_factory.mktemp("report") / "report.html"
        write_report(report_data(tokenizer, title="a tokenizer", **options), path)
        return open_file(path, scheme=scheme, width=width)

    return run


@pytest.fixture(scope="session")
def engine(browser: Browser) -> Iterator[Page]:
    """A page with the encoder and nothing else."""
    page = browser.new_page()
    page.add_script_tag(
        content=_asset("encoder.js")
        + _asset("splitting.js")
        + "\n;globalThis.bpe = bpe; globalThis.loaded = new Map();"
    )
    yield page
    page.close()


@pytest.fixture(scope="session")
def in_browser(engine: Page) -> Callable[..., list[list[int]]]:
    """`in_browser(tokenizer, texts, specials=False)`: the ids of each text, by the page's encoder."""
    loaded: dict[int, Tokenizer] = {}  # kept, so that no other takes its number

    def run(tokenizer: Tokenizer, texts: list[str], *, specials: bool = False) -> list[list[int]]:
        key = id(tokenizer)
        if key not in loaded:
            parts = json.dumps([vocabulary(tokenizer.model), splitting(tokenizer.model.pretokenizer)])
            engine.evaluate(
                "async ([key, parts]) => { const [facts, splitting] = await bpe.unpackAll(JSON.parse(parts));"
                " loaded.set(key, new bpe.Vocabulary(facts, splitting)); }",
                [key, parts],
            )
            loaded[key] = tokenizer
        found: list[list[int]] = engine.evaluate(
            "([key, texts, specials]) => texts.map((text) => loaded.get(key).ids(text, {specials}))",
            [key, texts, specials],
        )
        return found

    return run


def _asset(name: str) -> str:
    place = resources.files("bpe_transformer.inspection.html").joinpath("assets", name)
    return Path(str(place)).read_text(encoding="utf-8")
