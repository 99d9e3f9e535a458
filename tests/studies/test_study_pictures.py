"""The results of the studies: golden pictures at 80 columns, schemas that are strict, answers that follow the figures."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from bpe_transformer.cli import cli
from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.render.plots import svg_plot
from bpe_transformer.studies.base.study import Result
from bpe_transformer.studies.catalog import STUDIES, StudyList, study_named
from tests.inspection.render.test_render import drawn
from tests.studies import results

GOLDEN = Path(__file__).parent / "golden"
NAMES = tuple(STUDIES)


@pytest.fixture(scope="module")
def found() -> dict[str, Result]:
    return results.every()


def schema(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((files("bpe_transformer.inspection") / f"schemas/{name}.json").read_text("utf-8"))
    return read


@pytest.mark.parametrize("name", NAMES)
def test_pictures_at_80_columns(name: str, found: dict[str, Result]) -> None:
    lines = drawn(found[name])
    assert "\n".join(lines) + "\n" == (GOLDEN / f"{name}.txt").read_text("utf-8")
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", NAMES)
def test_json_keeps_to_its_schema(name: str, found: dict[str, Result]) -> None:
    """Whatever key is taken away anywhere, or a strange one added, the document is no longer valid."""
    validator = jsonschema.Draft202012Validator(schema(f"study_{name}"))
    validator.check_schema(validator.schema)
    document = json.loads(json.dumps(found[name].as_dict(), allow_nan=False))
    validator.validate(document)
    places = [(), ("settings",), *((key, 0) for key, value in document.items() if isinstance(value, list))]
    for place in places:
        inside = _at(document, place)
        if not isinstance(inside, dict):
            continue
        for key in [*inside, "strange"]:
            changed = copy.deepcopy(document)
            if key == "strange":
                _at(changed, place)[key] = 1
            else:
                del _at(changed, place)[key]
            assert not validator.is_valid(changed), (place, key)


def _at(document: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        document = document[step]
    return document


@pytest.mark.parametrize("name", NAMES)
def test_svg(name: str, found: dict[str, Result]) -> None:
    plot = import_module(f"bpe_transformer.studies.render.{name}").plot_of(found[name])
    picture = svg_plot(plot, name)
    assert picture.startswith("<svg")
    assert all(line.name.replace("<", "&lt;") in picture for line in plot.lines)


def test_the_list() -> None:
    listed = StudyList(tuple(STUDIES.values()))
    jsonschema.validate(listed.as_dict(), schema("study"))
    text = " ".join(" ".join(drawn(listed, width=120)).split())
    for name, info in STUDIES.items():
        assert name in text
        assert info.minutes <= 15
        assert info.name == name
        assert info.settings().minutes == pytest.approx(info.minutes)
        assert study_named(name) is info
    with pytest.raises(ConfigError, match="no study 'depth'; choose one of length, gradient"):
        study_named("depth")


def test_minutes_follow_the_work() -> None:
    for name in ("length", "gradient", "explain", "warmup", "scaling"):
        settings = STUDIES[name].settings()
        twice = STUDIES[name].settings(steps=2 * settings.steps)
        assert settings.minutes < twice.minutes <= 2 * settings.minutes
        half = settings.lasting(settings.minutes / 2)
        assert half.minutes <= settings.minutes
        assert half.steps < settings.steps
    with pytest.raises(ConfigError, match="the study cost has no steps; its settings are lengths, widths"):
        STUDIES["cost"].settings(steps=3)
    with pytest.raises(ConfigError, match="lengths=4,2 must go up"):
        STUDIES["length"].settings(lengths=(4, 2))
    with pytest.raises(ConfigError, match="give 2 at least"):
        STUDIES["cost"].settings(lengths=(4,))


def test_an_option_that_a_study_lacks_is_answered_with_those_it_has() -> None:
    shown = CliRunner().invoke(cli, ["study", "cost", "--steps", "3"])
    assert shown.exit_code == 2
    assert "the study cost has no --steps; its settings are --seed, --lengths, --widths\n" in shown.output


def test_answers_follow_the_figures() -> None:
    length = results.length()
    assert length.ahead_from("bahdanau") == 15.0
    assert length.ahead_from("transformer") is None
    assert length.half("lstm") == pytest.approx(3 + (90 - 45) / (90 - 40) * 12)
    assert length.half("bahdanau") is None
    assert "bahdanau is ahead of the fixed vector at every length from 15 words on" in length.answer()
    assert "transformer is not ahead of the fixed vector at the longest" in length.answer()
    assert (
        "3, 15 and 39 words: lstm 90 → 40 → 5" in length.answer()
    )  # chains of 6 were trained on, which are not tested
    shorter = replace(length, settings=replace(length.settings, trained=4))
    assert "3, 15 (the longest trained on) and 39 words: lstm 90 → 40 → 5" in shorter.answer()

    explain = results.explain()
    assert "for 90% of the words (gradient × input for 80% and leave-one-out for 85%; chance 35%)" in explain.answer()
    assert "Yet these are not the only weights with that output" in explain.answer()
    assert explain.answer().count(". ") == 1  # two sentences
    assert (
        "are 0.40 nats away on average (of 0.69 at most; those of two seeds 0.10)" in explain.answer()
    )  # both of words
    of_runs = replace(explain, settings=replace(explain.settings, runs=("a", "b")))
    assert "those of two models 0.10" in of_runs.answer()
    assert "hardly any other weights" in replace(explain, adversarial_divergence=0.01).answer()
    assert "no worse (95% exact" in replace(explain, exact_uniform=0.95).answer()
    assert "only in part" in replace(explain, hits=0.4).answer()

    warmup = results.warmup()
    assert "the former needs it more" in warmup.answer()
    swapped = tuple(replace(curve, by_seed=warmup.curves[0].by_seed) for curve in warmup.curves)
    assert "does not need it more here" in replace(warmup, curves=swapped).answer()
    assert warmup.curves[0].reached(warmup.halfway) == 20
    assert warmup.curves[1].reached(warmup.halfway) is None


def test_exponents_of_the_papers_table() -> None:
    cost = results.cost()
    recurrent, explicit, fused = cost.exponents[:3]
    assert (recurrent.forward, recurrent.backward) == pytest.approx((1, 1))
    assert (explicit.forward, explicit.memory) == pytest.approx((2, 2))
    assert (fused.backward, fused.memory) == pytest.approx((2, 1))
    assert [one.forward for one in cost.exponents[3:]] == pytest.approx([2, 1, 1])
    # 100 n d² against 10 n² d: attention takes longer where n > 10 d
    assert cost.dearer_from("explicit attention") is None
    dear = tuple(replace(one, forward=20 * one.forward) if "attention" in one.layer else one for one in cost.by_length)
    assert replace(cost, by_length=dear).dearer_from("fused attention") == 128
