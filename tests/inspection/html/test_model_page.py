"""The page of a trained model as a person uses it: typing, writing, other choices, attention, and nothing over a network."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from playwright.sync_api import Page, expect

from bpe_transformer import Tokenizer, learn_bpe
from bpe_transformer.cli.commands.report import command
from bpe_transformer.data import load_corpus
from bpe_transformer.errors import ConfigError
from bpe_transformer.inference import load_classifier, load_mask_filler, load_text_generator, load_translator
from bpe_transformer.inspection.attention.units import fold
from bpe_transformer.inspection.base.visible import visible
from bpe_transformer.inspection.html.model_weights import WEIGHT_KINDS
from bpe_transformer.inspection.html.trained_model_page import holds_run, model_page, model_page_html, write_model_page
from bpe_transformer.tokenizer import PretokenCounts
from bpe_transformer.training import CheckpointInfo
from bpe_transformer.training.checkpoint import build_model, load_checkpoint, save_checkpoint, weights_of
from bpe_transformer.training.config import Settings
from bpe_transformer.training.tensor_files import write_tensors

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>"
TEXTS = ["세 마리 고양이가 책을 읽었다.", "Three cats read five books", "👩‍🚀 a🎉b 🇰🇷"]
MIXED = "세 마리 cats 🎉"
SMALL = {"d_model": 16, "n_layers": 2, "max_len": 32, "max_len_ratio": 0.2, "max_len_extra": 4}
KINDS: dict[str, dict[str, Any]] = {
    "transformer": {**SMALL, "n_heads": 2, "d_ff": 24, "beam": 3},
    "gpt": {**SMALL, "n_heads": 2, "d_ff": 24, "temperature": 0.0},
    "bert": {**SMALL, "n_heads": 2, "d_ff": 24},
    "classifier": {**SMALL, "n_heads": 2, "d_ff": 24},
    "lstm": {**SMALL, "beam": 1},
    "bahdanau": {**SMALL, "n_layers": 1, "beam": 1},
}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    roles = {role: f"<{role}>" for role in ("pad", "bos", "eos", "mask")}
    return learn_bpe(PretokenCounts.from_iterator(TEXTS * 3), 310, roles=roles, special_tokens=[HOSTILE])


@pytest.fixture(scope="module")
def saved(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`saved(kind)`: a run with random weights that float16 holds exactly; its corpus and labels have hostile names."""

    def save(kind: str, *, corpus: str = HOSTILE, columns: tuple[str, ...] = ("a", "b"), **options: Any) -> Path:
        folder = tmp_path_factory.mktemp("runs") / kind
        family = "bert" if kind == "classifier" else kind
        settings = Settings().override({"family": family, **KINDS[kind], **options})
        labels = (HOSTILE, "fine") if kind == "classifier" else ()
        pad = tokenizer.special_tokens["<pad>"]
        info = CheckpointInfo(
            tokenizer.digest, tokenizer.vocab_size, pad, columns, corpus, settings, {"steps": 3}, labels
        )
        torch.manual_seed(1)
        model = build_model(info)
        weights = {
            name: (value + torch.randn_like(value) * 0.2).half().float() for name, value in weights_of(model).items()
        }
        save_checkpoint(folder, weights, info, tokenizer)
        (folder / "metrics.jsonl").write_text(
            "".join(
                json.dumps({"step": n, "epoch": 1, "seconds": n, "train_loss": 4 / n, "validation_loss": 5 / n}) + "\n"
                for n in (1, 2, 3)
            )
        )
        return folder

    return save


@pytest.fixture(scope="module")
def opened(
    open_file: Callable[..., Any], saved: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Any]:
    """`opened(kind)`: its run and its page, watched."""
    kept: dict[str, tuple[Path, Any]] = {}

    def run(kind: str) -> tuple[Path, Any]:
        if kind not in kept:
            folder = saved(kind)
            path = tmp_path_factory.mktemp("pages") / "model.html"
            write_model_page(model_page(folder, title=HOSTILE), path)
            kept[kind] = (folder, open_file(path))
        return kept[kind]

    return run


def _type(page: Page, text: str) -> None:
    """Types a text and waits until the model has written its answer."""
    before = page.evaluate("page.part.turn ?? 0")
    page.locator("#text").fill(text)
    page.wait_for_function(
        "(before) => page.part.turn === undefined || (page.part.turn > before && document.documentElement.dataset.written === String(page.part.turn))",
        arg=before,
    )


def _mode(page: Page, name: str) -> None:
    page.locator("#mode label", has_text=name).click()
    page.wait_for_function("() => document.documentElement.dataset.written === String(page.part.turn)")


def others(*kinds: str) -> list[Any]:
    """Kinds whose layers another test compares already."""
    return [pytest.param(kind, marks=pytest.mark.soak) for kind in kinds]


@pytest.mark.parametrize("kind", ["transformer", *others("lstm", "bahdanau")])
def test_a_translator_writes_what_python_writes(opened: Callable[..., Any], kind: str) -> None:
    folder, watched = opened(kind)
    page, translator = watched.page, load_translator(folder)
    for text in (MIXED, TEXTS[0]):
        _type(page, text)
        assert page.evaluate("page.list.ids") == list(translator.tokenizer.encode_ordinary(text))
        beam = 3 if kind == "transformer" else 1
        found = page.evaluate("page.part.shown.filter((id) => id !== page.facts.special.eos)")
        expected = translator.search(text, beam=beam).hypotheses[0]
        tokens = [translator.tokenizer.model.tokens[id] for id in found]
        assert tokens == [one.token for one in expected.tokens if one.token != b"<eos>"]
        assert page.locator("#output").text_content() == expected.text.replace("\\r", "\\n")
    _mode(page, "Most probable")
    assert page.locator("#output").text_content() == translator.translate(TEXTS[0], beam=1)
    assert watched.said == []
    assert all(url.startswith(("file:", "data:", "about:")) for url in watched.asked)


def test_a_language_model_goes_on_as_python_does(opened: Callable[..., Any]) -> None:
    folder, watched = opened("gpt")
    page, generator = watched.page, load_text_generator(folder)
    for text in ("세 마리", "🎉"):
        _type(page, text)
        most = page.evaluate("page.part.most")
        assert page.locator("#output").text_content() == text + generator.generate(text, max_new=most, temperature=0)
    _mode(page, "Draws")
    page.locator("#slider-temperature").fill("0.9")
    page.wait_for_function("() => document.documentElement.dataset.written === String(page.part.turn)")
    drawn = generator.generate("🎉", max_new=page.evaluate("page.part.most"), temperature=0.9, seed=0)
    assert page.locator("#output").text_content() == "🎉" + drawn
    _mode(page, "Most probable")
    assert watched.said == []


def test_gaps_are_filled_as_python_fills_them(opened: Callable[..., Any]) -> None:
    folder, watched = opened("bert")
    page, filler = watched.page, load_mask_filler(folder)
    text = "Three <mask> read <mask> 책"
    _type(page, text)
    candidates = filler.candidates(text, limit=3).masks
    shown = [page.locator("#answer-list > div").nth(gap).locator(".name").all_inner_texts()[:3] for gap in (0, 1)]
    assert shown == [[visible(one.token) for one in gap] for gap in candidates]
    page.locator("#answer-list .candidate").first.press("Enter")
    assert page.evaluate("document.activeElement.id") == "tokens"
    assert page.locator("#text").input_value().count("<mask>") == 1
    page.locator("#tokens .t").first.click()
    page.get_by_role("button", name="Hide this token").press("Enter")
    assert page.evaluate("document.activeElement.id") == "inspector"
    assert page.locator("#text").input_value().startswith("<mask>")
    assert watched.said == []


def test_a_character_outside_the_alphabet_stays_named(opened: Callable[..., Any]) -> None:
    """The model is writing when it is typed: neither the end of that nor another setting takes the note away."""
    page = opened("transformer")[1].page
    _type(page, TEXTS[1])
    page.evaluate(
        """() => {
          const { vocabulary } = page;
          const ids = vocabulary.ids;
          vocabulary.ids = function (text, ...more) {
            if (text.includes("☃")) throw new bpe.UnknownCharacter("☃");
            return ids.call(this, text, ...more);
          };
          page.text.value = "Three cats";
          page.update();
          page.text.value = "Three ☃";
          page.update();
        }"""
    )
    note = page.locator("#problem")
    _mode(page, "Most probable")
    page.get_by_role("button", name="Start over").click()
    assert "“☃” (U+2603) is not in this vocabulary" in note.inner_text()
    page.locator("#text").fill("")
    assert note.is_hidden()


def test_an_attention_without_rows_or_weights_marks_nothing(opened: Callable[..., Any]) -> None:
    page = opened("transformer")[1].page
    _type(page, TEXTS[1])
    assert page.locator("#columns .strong").count() >= 1
    found = page.evaluate(
        """() => {
          const { attention } = page;
          Object.assign(attention, { rows: { names: [] }, weights: [] });
          view.get("rows").replaceChildren();
          attention.point(0);
          const found = [document.querySelectorAll("#columns .strong").length, view.get("rows").getAttribute("aria-activedescendant")];
          attention.draw();
          return [...found, view.get("rows").getAttribute("aria-activedescendant")];
        }"""
    )
    assert found[:2] == [0, None]
    assert found[2].startswith("row-")


def test_labels_are_as_probable_as_in_python(opened: Callable[..., Any]) -> None:
    folder, watched = opened("classifier")
    page, classifier = watched.page, load_classifier(folder)
    for text in (MIXED, TEXTS[1]):
        _type(page, text)
        expected = classifier.classify(text).probabilities
        assert page.locator("#answer-list .name").all_inner_texts() == list(expected)
        assert page.locator("#answer-list .value").all_inner_texts() == [f"{100 * p:.1f} %" for p in expected.values()]
    assert watched.said == []


@pytest.mark.parametrize("kind", ["transformer", *others("gpt", "bahdanau")])
def test_attention_in_words_is_pythons(opened: Callable[..., Any], kind: str) -> None:
    folder, watched = opened(kind)
    page = watched.page
    _type(page, TEXTS[1])
    if kind == "transformer":
        _mode(page, "Most probable")
    model, _, tokenizer = load_checkpoint(folder)
    read, ids = page.evaluate("[page.part.row.memory?.ids, page.part.row.nodes.map((node) => node.id)]")
    with torch.inference_mode():
        weights = model.attention(  # type: ignore[operator]
            *(torch.tensor([row]) for row in ((ids,) if kind == "gpt" else (read, ids)))
        )
    last = (weights.decoder if kind == "gpt" else weights.cross)[-1, 0].mean(dim=0).numpy()
    ended = page.evaluate("page.part.ended") == "ended"
    row_ids = ids if kind == "gpt" else [*ids[1:], *([tokenizer.special_tokens["<eos>"]] if ended else [])]
    rows, columns = (
        fold(tokenizer, some, [tokenizer.model.tokens[id] for id in some])
        for some in (row_ids, ids if kind == "gpt" else read)
    )
    expected = rows.mean_rows(columns.sum_columns(last[: len(row_ids)]))
    shown = page.evaluate(
        "({rows: page.attention.rows.names, columns: page.attention.columns.names, weights: page.attention.weights.map((row) => [...row])})"
    )
    assert (len(shown["rows"]), len(shown["columns"])) == (len(rows.names), len(columns.names))
    np.testing.assert_allclose(shown["weights"], expected, atol=1e-4)


def test_another_token_can_be_written_instead(opened: Callable[..., Any]) -> None:
    page = opened("transformer")[1].page
    _type(page, TEXTS[1])
    _mode(page, "Most probable")
    page.locator("#written .t").nth(1).click()
    assert "Why this prediction" in page.locator("#inspector").inner_text()
    assert "Where it looked" in page.locator("#inspector").inner_text()
    assert "Why this token" in page.locator("#inspector").inner_text()
    first, second = page.evaluate(
        "[page.part.shown[0], nn.topIds(page.part.writer.allowed(page.part.beginning(1)), 2)[1]]"
    )
    page.locator("#inspector .candidate").nth(1).click()
    page.wait_for_function("() => document.documentElement.dataset.written === String(page.part.turn)")
    assert page.evaluate("page.part.shown.slice(0, 2)") == [first, second]
    page.get_by_role("button", name="Start over").click()
    assert page.locator("#written .t").count() == 0
    page.get_by_role("button", name="Next token").click()
    assert page.evaluate("page.part.shown") == [first]
    page.get_by_role("button", name="Back").click()
    assert page.locator("#written .t").count() == 0
    page.get_by_role("button", name="Write").click()


def test_keys_reach_everything_and_controls_have_names(opened: Callable[..., Any]) -> None:
    page = opened("transformer")[1].page
    _type(page, TEXTS[1])
    page.locator(".skip").focus()
    seen = []
    for _ in range(40):
        seen.append(page.evaluate("document.activeElement.id"))
        page.keyboard.press("Tab")
    for wanted in ("text", "tokens", "written", "rows"):
        assert wanted in seen
    page.locator("#rows").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    chosen = page.locator("#rows .at").inner_text()
    assert page.locator("#map-readout").inner_text().startswith(f"{chosen} looks most at")
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("input, textarea, button, [role=listbox]")].filter((control) =>
             !control.labels?.length && !control.textContent.trim() && !control.getAttribute("aria-label")).map((c) => c.outerHTML)"""
    )
    assert unnamed == []
    page.locator("#written").focus()
    page.keyboard.press("Home")
    page.locator("#inspector .candidate").nth(1).focus()
    page.keyboard.press("Enter")  # the button is replaced by others
    page.wait_for_function("() => document.documentElement.dataset.written === String(page.part.turn)")
    assert page.evaluate("document.activeElement.id") == "inspector"


def test_hostile_names_and_texts_stay_text(opened: Callable[..., Any]) -> None:
    for kind in ("classifier", "transformer"):
        _, watched = opened(kind)
        page = watched.page
        _type(page, HOSTILE)
        assert page.locator("h1").inner_text() == HOSTILE
        assert HOSTILE in page.locator("#facts").inner_text()
        assert page.locator("main img, main script").count() == 0
        assert watched.said == []


@pytest.mark.parametrize("kind", ["transformer", "bert"])
def test_narrow_screens_do_not_scroll_sideways(opened: Callable[..., Any], kind: str) -> None:
    page = opened(kind)[1].page
    page.set_viewport_size({"width": 390, "height": 900})
    _type(page, " ".join(TEXTS) if kind == "transformer" else TEXTS[1])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1280, "height": 900})


def test_training_is_shown(opened: Callable[..., Any]) -> None:
    page = opened("transformer")[1].page
    assert page.locator("#loss-chart canvas").count() == 1
    assert "from 4.00 to 1.667 nats per token." in (page.locator("#loss-chart").get_attribute("aria-label") or "")
    assert "Losses are in nats per token" in page.locator("#training-lead").inner_text()
    labelling = opened("classifier")[1].page
    assert "Losses are in nats per label" in labelling.locator("#training-lead").inner_text()
    assert "No samples are shown" in page.locator("#training-lead").inner_text()
    expect(page.locator("#moments .moment")).to_have_count(0)


def test_samples_and_attention_along_the_run(
    saved: Callable[..., Path], open_file: Callable[..., Any], tmp_path: Path
) -> None:
    folder = saved("transformer", corpus="numbers-en-ko", columns=("en", "ko"))
    (folder / "snapshots").mkdir()
    first = {name: torch.zeros_like(value) for name, value in weights_of(load_checkpoint(folder)[0]).items()}
    write_tensors(folder / "snapshots" / "step-1.safetensors", first, {"format": "pt", "step": "1"})
    page = model_page(folder)
    rows = load_corpus("numbers-en-ko", "validation[:4]")
    assert [(sample.given, sample.expected) for sample in page.training.samples] == list(
        zip(rows["en"], rows["ko"], strict=True)
    )
    assert page.training.moments is not None
    assert [moment["step"] for moment in page.training.moments["moments"]] == [1, 3]
    write_model_page(page, tmp_path / "model.html")
    watched = open_file(tmp_path / "model.html")
    expect(watched.page.locator("#moments .moment")).to_have_count(2)
    assert watched.page.locator("#samples td").first.inner_text() == rows["en"][0]
    assert watched.said == []


def test_the_page_holds_all_it_needs_and_says_what(saved: Callable[..., Path]) -> None:
    folder = saved("lstm")
    whole, small = (model_page(folder, weights=kind) for kind in WEIGHT_KINDS)
    page = model_page_html(whole)
    assert "<title>⟨U+202E⟩</title>" in model_page_html(dataclasses.replace(small, title="\u202e"))
    assert "{{" not in re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert page.count("</script>") == 4
    assert whole.weights.parameters == small.weights.parameters
    assert len(small.weights.data) < 0.8 * len(whole.weights.data)
    assert "float16" in dict((name, value) for name, value, _ in whole.facts)["weights in this page"]
    assert "int8" in dict((name, value) for name, value, _ in small.facts)["weights in this page"]
    assert holds_run(folder)
    assert not holds_run(folder / "tokenizer.json")
    assert not holds_run(folder.parent)


def test_what_a_page_cannot_run_is_named(saved: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from bpe_transformer.inspection.html import trained_model_page as module

    folder = saved("transformer")
    monkeypatch.setattr(module, "_FAMILIES", ("lstm",))
    with pytest.raises(ConfigError, match="does not know how to run a model with family='transformer'"):
        model_page(folder)
    monkeypatch.undo()
    monkeypatch.setattr(module, "_KNOWN", {"norm": ("rmsnorm",)})
    with pytest.raises(ConfigError, match="norm='layernorm'"):
        model_page(folder)


def test_the_command_writes_it_and_says_what_it_holds(saved: Callable[..., Path], tmp_path: Path) -> None:
    folder, output = saved("transformer"), tmp_path / "model.html"
    runner = CliRunner()
    done = runner.invoke(command, [str(folder), "-o", str(output), "--json", "--title", "mine"])
    assert done.exit_code == 0, done.output
    written = json.loads(done.stdout)
    schema = json.loads((files("bpe_transformer.inspection") / "schemas/report.json").read_text("utf-8"))
    jsonschema.validate(written, schema)
    assert (written["shows"], written["weights"], written["bytes"]) == ("model", "float16", output.stat().st_size)
    assert "<title>mine</title>" in output.read_text(encoding="utf-8")
    again = runner.invoke(command, [str(folder), "-o", str(output), "--title", "mine"])
    assert again.exit_code == 0  # the same page
    assert "weights as float16" in again.stderr
    for options, said in ((["--words", "a"], "name its tokenizer"), (["--text", "a"], "holds a trained model")):
        assert said in " ".join(runner.invoke(command, [str(folder), "-o", str(output), *options]).stderr.split())
    vocabulary = [str(folder / "tokenizer.json"), "-o", str(tmp_path / "v.html"), "--weights", "int8"]
    assert "--weights is for a trained model" in runner.invoke(command, vocabulary).stderr
