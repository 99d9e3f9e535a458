"""Lessons: every number against a hand calculation or the layer itself; both languages complete; golden outputs."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import torch
from rich.console import Console

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.lessons import (
    LANGUAGES,
    LESSONS,
    Curves,
    Lesson,
    Matrix,
    Request,
    Step,
    Table,
    lesson,
    lessons,
)
from bpe_transformer.inspection.lessons.models import small_models
from bpe_transformer.inspection.lessons.models.loaded import translator_for
from bpe_transformer.inspection.lessons.writer import Writer, words_of
from bpe_transformer.inspection.render.lessons.svg import svg_lesson

SVG = "{http://www.w3.org/2000/svg}"
GOLDEN = Path(__file__).parent / "golden"
Lessons = Callable[[str, str], Lesson]


def steps_of(found: Lesson) -> dict[str, Step]:
    return {step.key.partition(".")[2]: step for step in found.steps}


def matrix(step: Step, number: int = 0) -> list[list[Any]]:
    figure = [figure for figure in step.figures if isinstance(figure, Matrix)][number]
    return [list(row) for row in figure.values]


def table(step: Step) -> list[tuple[str, ...]]:
    return list(next(figure for figure in step.figures if isinstance(figure, Table)).rows)


def texts(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        yield from texts(value, f"{path}{key}.") if isinstance(value, dict) else [(path + key, value)]


def test_both_languages_say_the_same_things() -> None:
    english, korean = (dict(texts(words_of(language))) for language in LANGUAGES)
    assert english.keys() == korean.keys()
    for key, text in english.items():
        fields = [
            sorted((name, spec) for _, name, spec, _ in Formatter().parse(one) if name) for one in (text, korean[key])
        ]
        assert set(fields[0]) == set(fields[1]), key
        if key.endswith((".text", ".title")) and key.count("."):
            assert re.search("[가-힣]", korean[key]), key
    assert {key.partition(".")[0] for key in english} == {*LESSONS, "labels", "keys"}


def test_every_text_is_used(lesson_of: Lessons) -> None:
    """Each step in the language file appears in a lesson, with the reader's own input where it takes that."""
    found = {step.key for name in LESSONS for step in lesson_of(name, "en").steps}
    found |= {step.key for step in lesson("bpe", "en", Request(text="low low x")).steps}
    written = {key.removesuffix(".text") for key, _ in texts(words_of("en")) if key.endswith(".text")}
    assert written - {"schedule.own", *(key for key in written if ".labels" in key)} == found


def test_attention_by_hand(lesson_of: Lessons) -> None:
    found = steps_of(lesson_of("attention", "en"))
    q = [[0.1 * (f + 1) + 0.1 * word for f in range(4)] for word in range(4)]
    k = [[0.5 + 0.1 * f + 0.1 * word for f in range(4)] for word in range(4)]
    v = [[0.9 + 0.1 * f + 0.1 * word for f in range(4)] for word in range(4)]
    dots = [[sum(a * b for a, b in zip(left, right, strict=True)) for right in k] for left in q]
    assert dots[0][0] == pytest.approx(0.70)
    powers = [[math.exp(dot / 2) for dot in row] for row in dots]
    weights = [[power / sum(row) for power in row] for row in powers]
    mean = [[sum(w * v[word][f] for word, w in enumerate(row)) for f in range(4)] for row in weights]
    for name, expected in {"dot": dots, "softmax": weights, "mean": mean}.items():
        for row, wanted in zip(matrix(found[name]), expected, strict=True):
            assert row == pytest.approx(wanted, abs=1e-5)
    assert found["dot"].worked == ("I·I = 0.1×0.5 + 0.2×0.6 + 0.3×0.7 + 0.4×0.8 = 0.70",)
    assert "0.70" in found["post"].text
    for d_k, variance, _, scaled in table(found["variance"]):
        assert float(variance) == pytest.approx(int(d_k), rel=0.06)
        assert float(scaled) == pytest.approx(1, abs=0.06)


def test_attention_on_matrices_from_files(tmp_path: Path) -> None:
    for name, rows in {"q": "1 0\n0 1", "k": "1,0\n\n# keys\n0,1", "v": "2\t4\t6\n8;10;12"}.items():
        (tmp_path / name).write_text(rows)
    request = Request(q=str(tmp_path / "q"), k=str(tmp_path / "k"), v=str(tmp_path / "v"))
    found = steps_of(lesson("attention", "en", request))
    share = math.exp(1 / math.sqrt(2)) / (math.exp(1 / math.sqrt(2)) + 1)
    assert matrix(found["mean"])[0] == pytest.approx([2 * share + 8 * (1 - share) + 2 * n for n in range(3)])
    assert "post" not in found
    (tmp_path / "k").write_text("1 0\n0 one")
    with pytest.raises(ConfigError, match="line 2: '0 one' is not a row of numbers"):
        lesson("attention", "en", request)
    (tmp_path / "k").write_text("1 0 0\n0 1 0")
    with pytest.raises(ConfigError, match=r"Q \(2, 2\), K \(2, 3\), V \(2, 3\) do not fit"):
        lesson("attention", "en", request)
    with pytest.raises(ConfigError, match="give k=… and v=… too"):
        lesson("attention", "en", Request(q=str(tmp_path / "q")))


def test_bpe_by_hand(lesson_of: Lessons) -> None:
    found = lesson_of("bpe", "en")
    titles = [step.title for step in found.steps]
    assert titles[2:6] == ["Merge 1: e + s", "Merge 2: es + t", "Merge 3: l + o", "Merge 4: lo + w"]
    assert table(found.steps[2])[0] == ("e s", "9")
    assert table(found.steps[3])[0] == ("es t", "9")
    assert [row[0] for row in table(found.steps[-1])] == ["low", "est"]
    own = lesson("bpe", "en", Request(text="hug hug pug bun huge?"))
    assert own.steps[-1].key == "bpe.unknown"
    with pytest.raises(ConfigError, match="give 1 to 12 to learn from"):
        lesson("bpe", "en", Request(text="alone"))


def test_heads_masks_and_norm_by_hand(lesson_of: Lessons) -> None:
    heads = steps_of(lesson_of("heads", "en"))
    assert [row[2] for row in table(heads["shapes"])][:3] == ["(2, 6, 512)", "(2, 6, 8, 64)", "(2, 8, 6, 64)"]
    assert matrix(heads["one"]) == [[0.5, 0.5], [0.5, 0.5]]
    assert [[round(value, 6) for value in row] for row in matrix(heads["two"])] == [[1, 0, 0, 1], [0, 1, 1, 0]]
    assert "1,050,624" in heads["cost"].text
    masks = steps_of(lesson_of("masks", "en"))
    assert matrix(masks["padding"]) == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert matrix(masks["peek"]) == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    assert matrix(masks["both"]) == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]
    hidden, weights = matrix(masks["infinity"]), matrix(masks["infinity"], 1)
    assert [value is None for value in hidden[1]] == [False, False, True, True]
    assert weights[1][:2] == pytest.approx([1 / (1 + math.exp(0.07)), 1 / (1 + math.exp(-0.07))], abs=1e-5)
    for row, other in zip(weights, matrix(masks["zeroing"], 1), strict=True):
        assert row == pytest.approx(other, abs=1e-6)
    norm = steps_of(lesson_of("norm", "en"))
    expected = [(value - 3) / math.sqrt(3.5) for value in (1, 2, 3, 6)]
    assert matrix(norm["normed"], 1)[0] == pytest.approx(expected, abs=1e-5)
    assert matrix(norm["gain"])[0] == pytest.approx([2 * value + 3 for value in expected], abs=1e-5)
    assert norm["gain"].worked == ("mean(y) = 2·0 + 3 = 3.00", "variance(y) = 2²·1 = 4.00")
    assert all(float(post) == pytest.approx(1, abs=0.01) for _, post, _ in table(norm["places"])[1:])
    assert float(table(norm["places"])[-1][2]) > 2
    with pytest.raises(ConfigError, match="holds something that is no number"):
        lesson("norm", "en", Request(text="one two"))


def test_positions_and_schedule_by_hand(lesson_of: Lessons) -> None:
    positions = steps_of(lesson_of("positions", "en"))
    for position, row in enumerate(matrix(positions["picture"])):
        expected = [
            (math.sin, math.cos)[feature % 2](position / 10000 ** ((feature - feature % 2) / 16))
            for feature in range(16)
        ]
        assert row == pytest.approx(expected, abs=1e-5)
    for distance, *products in table(positions["distance"]):
        cosines = sum(math.cos(int(distance) / 10000 ** (2 * i / 16)) for i in range(8))
        assert [float(product) for product in products] == pytest.approx([cosines] * 3, abs=0.006)
    for _, *turned in table(positions["rotary"]):
        assert len(set(turned)) == 1
    assert float(re.findall(r"up to (\d+\.\d+)", positions["order"].text)[0]) > 0.1
    schedule = steps_of(lesson_of("schedule", "en"))
    rates = {int(step.replace(",", "")): float(rate) for step, rate in table(schedule["formula"])}
    for step, rate in rates.items():
        assert rate == pytest.approx(512**-0.5 * min(step**-0.5, step * 4000**-1.5), rel=0.01)
    assert "0.71" in schedule["doubled"].text


def test_numbers_of_a_translator_are_the_models(lesson_of: Lessons) -> None:
    found = steps_of(lesson_of("encoder-decoder", "en"))
    translator, _ = translator_for("transformer", Writer("encoder-decoder", "en"), Request())
    weights = translator.attention("three cats")
    for kind in ("encoder", "decoder", "cross"):
        expected = getattr(weights, kind)[-1].mean(axis=0)
        torch.testing.assert_close(torch.tensor(matrix(found[kind])), torch.from_numpy(expected))
    logits = translator.model(torch.tensor([weights.src_ids]), torch.tensor([weights.tgt_ids]))[0]
    best = logits.softmax(dim=-1).max(dim=-1).values
    assert [float(row[1].split()[-1]) for row in table(found["writing"])] == pytest.approx(best.tolist(), abs=0.006)


def test_numbers_of_bahdanaus_attention(lesson_of: Lessons) -> None:
    found = steps_of(lesson_of("seq2seq", "en"))
    scores, weights = torch.tensor(matrix(found["scores"])), torch.tensor(matrix(found["weights"]))
    torch.testing.assert_close(scores.softmax(dim=1), weights)
    translator, _ = translator_for("bahdanau", Writer("seq2seq", "en"), Request())
    attention = translator.attention("three cats")
    assert attention.cross is not None
    torch.testing.assert_close(weights, torch.from_numpy(attention.cross[0, 0]))
    states = translator.model.encode(torch.tensor([attention.src_ids])).states
    assert states is not None
    torch.testing.assert_close(torch.tensor(matrix(found["context"])), (weights @ states[0])[:, :6])
    lost = {row[0]: row[2:] for row in table(found["loss"])}
    assert (lost["10"][0], lost["100"][0]) == ("50 %", "95 %")
    assert float(lost["10"][1].split()[0]) == pytest.approx(50, abs=1)
    assert float(lost["100"][1].split()[0]) == pytest.approx(95, abs=0.5)
    vector = table(found["vector"])
    assert vector[0][2] == vector[1][2]


@pytest.mark.parametrize("name", ["bert", "gpt"])
def test_one_trunk_with_and_without_the_mask(lesson_of: Lessons, name: str) -> None:
    found = steps_of(lesson_of(name, "en"))
    full, causal = (torch.tensor(matrix(found["trunk"], number)) for number in (0, 1))
    for weights in (full, causal):
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(weights)))
    assert not causal.triu(1).any()
    assert full.triu(1).min() > 0 or full.triu(1).sum() > 1
    reach = table(found["reach"])
    assert [row[2] for row in reach[:-1]] == ["0"] * (len(reach) - 1)
    assert all(row[1] != "0" for row in reach)
    if name == "gpt":
        bits = table(found["bits"])
        assert sum(-math.log2(max(float(p), 5e-4)) for _, p, _ in bits) == pytest.approx(
            sum(float(b) for *_, b in bits), rel=0.15
        )


@pytest.mark.parametrize("name", LESSONS)
def test_json_keeps_to_its_schema(lesson_of: Lessons, name: str) -> None:
    schema = json.loads((files("bpe_transformer.inspection") / "schemas/lesson.json").read_text("utf-8"))
    for found in (lesson_of(name, "ko"), lessons("ko")):
        facts = json.loads(json.dumps(found.as_dict(), allow_nan=False))
        jsonschema.validate(facts, schema)
        facts["strange"] = 1
        assert not jsonschema.Draft202012Validator(schema).is_valid(facts)


@pytest.mark.parametrize(
    ("name", "request_", "message"),
    [
        ("nothing", Request(), "there is no lesson 'nothing'; choose bpe, attention"),
        ("heads", Request(text="x"), "the lesson heads takes no text='x'; these do: bpe, attention"),
        ("masks", Request(text=" "), "the text has 0 words"),
        ("positions", Request(text="one"), "an order takes at least two words"),
    ],
)
def test_bad_requests(name: str, request_: Request, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        lesson(name, "en", request_)


def test_torchs_generator_is_left_as_it_was() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    lesson("heads", "en")
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("language", LANGUAGES)
def test_byte_fragments_are_folded_to_words(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    """A vocabulary without merges: every Korean letter is three tokens, which a reader is not left alone with."""
    monkeypatch.setattr(small_models, "STEPS", 0)
    monkeypatch.setattr(small_models, "_VOCAB_SIZE", 270)
    small_models.small_model.cache_clear()
    try:
        for name, text in {
            "encoder-decoder": "세 말",
            "seq2seq": "세 말",
            "gpt": "세 말이",
            "bert": "세 말<mask>",
        }.items():
            found = steps_of(lesson(name, language, Request(text=text)))
            step = found[{"encoder-decoder": "encoder", "seq2seq": "weights"}.get(name, "trunk")]
            figure = next(figure for figure in step.figures if isinstance(figure, Matrix))
            assert {"세", "말"} <= {label.removesuffix("이") for label in figure.columns}, figure.columns
            for row in figure.values:
                assert sum(value or 0.0 for value in row) == pytest.approx(1, abs=1e-5)
            assert {"en": "folded to words", "ko": "단어로 접음"}[language] in figure.name
        tokens = table(steps_of(lesson("encoder-decoder", language, Request(text="세")))["tokens"])
        assert [name for name, _ in tokens] == ["⟨ec⟩ (세)", "⟨84⟩ (세)", "⟨b8⟩ (세)", "</s>"]
    finally:
        small_models.small_model.cache_clear()


def test_pictures(lesson_of: Lessons) -> None:
    with pytest.raises(ConfigError, match="there is no picture of it"):
        svg_lesson(lesson_of("bpe", "ko"))
    for name in set(LESSONS) - {"bpe"}:
        root = ElementTree.fromstring(svg_lesson(lesson_of(name, "ko")))
        figures = [figure for step in lesson_of(name, "ko").steps for figure in step.figures]
        cells = [value for figure in figures if isinstance(figure, Matrix) for row in figure.values for value in row]
        assert sum(found.get("class") == "c" for found in root.iter(f"{SVG}rect")) == len(cells)
        curves = [figure for figure in figures if isinstance(figure, Curves)]
        assert sum(1 for _ in root.iter(f"{SVG}polyline")) == sum(len(figure.lines) for figure in curves)
        assert root.get("aria-label") == lesson_of(name, "ko").title


def drawn(found: Lesson, width: int) -> str:
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(found)
    return captured.get()


@pytest.mark.parametrize(("language", "width"), [("en", 80), ("ko", 80), ("en", 200), ("ko", 200)])
def test_golden_outputs(lesson_of: Lessons, language: str, width: int) -> None:
    """To write them anew: GOLDEN=1 pytest tests/inspection/lessons. Numbers may differ by rounding on another machine."""
    shown = "\n".join(drawn(lesson_of(name, language), width) for name in LESSONS)
    path = GOLDEN / f"{language}-{width}.txt"
    if os.environ.get("GOLDEN"):
        path.write_text(shown, encoding="utf-8")
    number = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?")
    expected = path.read_text("utf-8")
    assert number.sub("#", shown) == number.sub("#", expected)
    values, wanted = ([float(value) for value in number.findall(text)] for text in (shown, expected))
    assert values == pytest.approx(wanted, rel=0.01, abs=0.02)
    assert all(not line.endswith(" ") for line in shown.split("\n"))
