"""The studies at their default size (soak): each within its budget, and what they are expected to show."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch

from bpe_transformer.studies import STUDIES
from bpe_transformer.studies.catalog import study_named

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

_MOST_MINUTES = 15


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What was run already, by name."""
    return {}


def result_of(name: str, found: dict[str, Any]) -> tuple[Any, float]:
    """The result of a study with its default settings, and its CPU minutes."""
    if name not in found:
        torch.set_num_threads(1)
        info = study_named(name)
        began = time.process_time()
        found[name] = (info.module().run_study(info.settings()), (time.process_time() - began) / 60)
    result: tuple[Any, float] = found[name]
    return result


@pytest.mark.parametrize("name", list(STUDIES))
def test_each_keeps_to_its_budget(name: str, found: dict[str, Any]) -> None:
    _, minutes = result_of(name, found)
    assert minutes < _MOST_MINUTES


def test_the_fixed_vector_falls_behind_with_length(found: dict[str, Any]) -> None:
    study, _ = result_of("length", found)
    bleu = {model: {point.links: point.bleu for point in study.of(model)} for model in ("lstm", "bahdanau")}
    trained = study.settings.trained
    shortest = study.settings.lengths[0]
    # what each loses from the shortest length to the longest trained on
    lost = {model: scores[shortest] - scores[trained] for model, scores in bleu.items()}
    assert lost["lstm"] > 2 * lost["bahdanau"]
    assert study.ahead_from("bahdanau") is not None


def test_exponents_are_near_two_and_one(found: dict[str, Any]) -> None:
    study, _ = result_of("cost", found)
    by_length, by_width = study.exponents[:3], study.exponents[3:]
    for recurrent in by_length[:1]:
        assert (recurrent.forward, recurrent.backward) == pytest.approx((1, 1), abs=0.25)
    for attention in by_length[1:]:
        assert (attention.forward, attention.backward) == pytest.approx((2, 2), abs=0.45)
    assert [layer.memory for layer in by_length] == pytest.approx([1, 2, 1], abs=0.2)
    assert (by_width[0].forward, by_width[0].backward) == pytest.approx((2, 2), abs=0.5)
    assert [layer.forward for layer in by_width[1:]] == pytest.approx([1, 1], abs=0.5)


def test_the_gradient_of_a_plain_network_vanishes(found: dict[str, Any]) -> None:
    study, _ = result_of("gradient", found)
    left = {model: study.profile(model, trained=False).relative[-1] for model in ("rnn", "lstm", "transformer")}
    assert left["rnn"] < 1e-6
    assert left["lstm"] < 1e-6  # before training, with no bias on its forget gates
    assert left["transformer"] > 0.1


def test_what_attention_explains(found: dict[str, Any]) -> None:
    study, _ = result_of("explain", found)
    assert study.exact > 0.5
    assert study.hits > study.chance + 0.2
    assert study.exact_uniform < study.exact


def test_post_norm_needs_warmup(found: dict[str, Any]) -> None:
    study, _ = result_of("warmup", found)
    post = study.curve("post-norm, no warm-up").last - study.curve("post-norm, warm-up").last
    pre = study.curve("pre-norm, no warm-up").last - study.curve("pre-norm, warm-up").last
    assert post > pre


def test_wide_heads_need_the_division(found: dict[str, Any]) -> None:
    study, _ = result_of("scaling", found)
    for _, divided, plain in study.pairs():
        assert plain.largest_weight[0] > divided.largest_weight[0]
