"""`attention --html`: what the page shows is what the command computes, for every kind, method, layer and head."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from playwright.sync_api import Browser

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.cli.commands.attention import command
from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.attention import AttendedText, AttentionReader, Reading
from bpe_transformer.inspection.attention.methods import METHODS, Choice
from bpe_transformer.inspection.base.visible import visible
from bpe_transformer.inspection.html import attention_page_data, attention_page_html
from bpe_transformer.training import CheckpointInfo, Settings, save_checkpoint
from bpe_transformer.training.checkpoint import build_model, weights_of

TEXT, TARGET = "three </script><b>cats</b> \u202e[red]", "고양이 세 마리"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained translator, in a folder with a hostile name."""
    counts = PretokenCounts.from_iterator(["three cats", "고양이 세 마리"])
    tokenizer: Tokenizer = learn_bpe(counts, 280, special_tokens=["<pad>", "<s>", "</s>"])
    options = {"family": "transformer", "d_model": 16, "n_heads": 2, "n_layers": 2, "d_ff": 16, "max_len": 128}
    info = CheckpointInfo(
        digest=tokenizer.digest,
        vocab_size=tokenizer.vocab_size,
        pad_id=tokenizer.special_tokens["<pad>"],
        columns=("en", "ko"),
        corpus="none",
        settings=Settings.preset("tiny").override(options),
    )
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run") / "<b>run"
    save_checkpoint(folder, weights_of(build_model(info)), info, tokenizer)
    return folder


@pytest.fixture(scope="module")
def found(run: Path) -> AttendedText:
    return AttentionReader.load(run).attended(TEXT, TARGET)


def test_the_data_are_the_maps_of_every_reading(found: AttendedText) -> None:
    data = attention_page_data(found, Reading("encoder", 1, "max", "norms"))
    assert data["chosen"] == {"kind": "encoder", "method": "norms", "layer": 1, "head": "max"}
    assert [kind["name"] for kind in data["kinds"]] == ["cross", "decoder", "encoder"]
    for kind in data["kinds"]:
        for method in METHODS:
            packed = kind["methods"][method]
            assert (packed["layers"], packed["heads"]) == (2, 1 if method == "rollout" else 2)
            heads: list[Choice] = ["mean"] if method == "rollout" else [1, 2, "mean", "max"]
            layers: list[Choice] = [1, 2, "mean", "max"]
            parts = np.frombuffer(zlib.decompress(base64.b64decode(packed["weights"]["data"])), np.uint8)
            numbers = np.ascontiguousarray(parts.reshape(4, -1).T).view("<u4") / data["whole"]
            expected = [
                found.maps(Reading(kind["name"], layer, head, method))[0].weights for layer in layers for head in heads
            ]
            np.testing.assert_allclose(numbers.reshape(-1), np.ravel(expected), atol=1e-4)


def test_a_title_turns_no_line_around(found: AttendedText) -> None:
    page = attention_page_html(found, Reading("cross", 1, 1), title="<b>\x1b\u202e")
    assert "<title>&lt;b&gt;⟨U+001B⟩⟨U+202E⟩</title>" in page


def test_a_head_that_there_is_not(found: AttendedText) -> None:
    with pytest.raises(ConfigError, match="there is no head 9"):
        attention_page_data(found, Reading("cross", 1, 9))


def test_in_a_browser(run: Path, found: AttendedText, browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "attention.html"
    result = CliRunner().invoke(command, [str(run), TEXT, "--target", TARGET, "--json", "--html", str(path)])
    assert result.exit_code == 0, result.output
    assert path.stat().st_size < 64_000
    page = browser.new_page(viewport={"width": 390, "height": 900})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", timeout=20_000)

    def shown() -> list[list[str]]:
        cells: list[list[str]] = page.eval_on_selector_all(
            "#matrix tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
        )
        return cells

    def check(reading: Reading) -> None:
        (view,) = found.maps(reading)
        cells = shown()
        assert [row[0] for row in cells] == [visible(name) for name in view.tgt_tokens]
        for row, weights in zip(cells, view.weights[0], strict=True):
            numbers = [int(cell.removesuffix(" %") or 0) for cell in row[1:]]
            np.testing.assert_allclose(numbers, 100 * weights, atol=0.52)

    assert page.inner_text("h1") == "<b>run"
    assert "⟨U+202E⟩" in page.inner_text("#lead")
    assert [cell for cell in page.locator("#matrix thead th").all_inner_texts()][1] == "</script><b>cats</b>"
    check(Reading("cross", 2))
    page.select_option("select[name=head]", "2")
    check(Reading("cross", 2, 2))
    page.select_option("select[name=layer]", "max")
    page.select_option("select[name=method]", "norms")
    page.select_option("select[name=head]", "1")
    check(Reading("cross", "max", 1, "norms"))
    page.select_option("select[name=method]", "rollout")
    page.select_option("select[name=layer]", "1")
    check(Reading("cross", 1, "mean", "rollout"))
    page.select_option("select[name=method]", "weights")
    page.select_option("select[name=kind]", "encoder")
    check(Reading("encoder", 1, "mean"))
    page.select_option("select[name=head]", "max")
    page.select_option("select[name=layer]", "max")
    check(Reading("encoder", "max", "max"))
    page.focus("#lines button >> nth=1")
    assert page.locator("#matrix tr.dim").count() == len(shown()) - 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert said == []
    assert len([address for address in asked if not address.startswith("data:")]) == 1
    page.close()
