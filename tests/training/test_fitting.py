"""Settings that follow from the data: the measured examples, and what a person has set."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from bpe_transformer import Tokenizer
from bpe_transformer.data import TaskColumns, TokenStore
from bpe_transformer.training import PRESETS, Settings
from bpe_transformer.training.config.fitting import (
    Fitted,
    TrainingData,
    first_trial,
    fit_training,
    fit_vocabulary,
    ids_per_second,
    planned_steps,
    preset_fields,
    steps_an_epoch,
)
from bpe_transformer.training.speed import seconds_per_step

PAIRS = TrainingData(num_rows=2_000, num_bytes=270_000, num_ids=32_000)
SHAKESPEARE = TrainingData(num_rows=1, num_bytes=1_000_000, num_ids=330_000, ids_per_second=12_000)
LIBRARY = TrainingData(num_rows=1_800, num_bytes=30_000_000, num_ids=8_000_000)


def fitted(settings: Settings, data: TrainingData, *fixed: str) -> dict[str, Any]:
    return {found.name: found.value for found in fit_training(settings, data, fixed)}


def language_model(**changes: Any) -> Settings:
    return Settings().override({"family": "gpt"}, changes)


def test_two_thousand_pairs() -> None:
    """A vocabulary of 8,000 and a warm-up of 400 for 180 steps were the defaults for everybody."""
    (vocabulary,) = fit_vocabulary(PAIRS)
    assert vocabulary.value <= 2_000
    found = fitted(Settings(), PAIRS)
    settings = Settings().override(found)
    steps = planned_steps(settings, PAIRS)
    assert steps is not None
    assert steps >= 1_000
    assert settings.training.warmup <= steps / 10
    assert settings.training.label_smoothing == 0.1
    assert settings.model.dropout == 0.2


def test_two_minutes_of_shakespeare_leave_the_warmup() -> None:
    settings = language_model(minutes=2.0)
    settings = settings.override(fitted(settings, SHAKESPEARE))
    steps = planned_steps(settings, SHAKESPEARE)
    assert steps is not None
    assert steps >= 1000
    assert settings.training.precision == "auto"
    assert 10 <= settings.training.warmup <= steps / 10
    assert settings.training.label_smoothing == 0
    assert 10 <= steps / settings.training.eval_steps <= 40


def test_dropout_of_a_language_model_goes_by_the_passes() -> None:
    assert fitted(language_model(epochs=1), LIBRARY)["dropout"] == 0
    assert fitted(language_model(epochs=4), LIBRARY)["dropout"] == 0
    assert "dropout" not in fitted(language_model(epochs=5), LIBRARY)
    assert "dropout" not in fitted(language_model(minutes=5.0), LIBRARY)  # how far that goes is not known
    texts = replace(LIBRARY, task="classification")  # a label is soon learned by heart
    assert "dropout" not in fitted(language_model(epochs=1), texts)
    assert "precision" not in fitted(language_model(minutes=1.0), texts)
    fast = TrainingData(1_800, 30_000_000, 8_000_000, ids_per_second=10_000)
    assert fitted(language_model(minutes=5.0), fast)["dropout"] == 0


@pytest.mark.parametrize("family", ["gpt", "bert"])
def test_no_label_smoothing_where_probabilities_matter(family: str) -> None:
    assert fitted(Settings().override({"family": family}), LIBRARY)["label_smoothing"] == 0
    assert "label_smoothing" not in fitted(Settings(), LIBRARY)


def test_what_is_given_holds_and_the_rest_follows_from_it() -> None:
    assert fit_vocabulary(PAIRS, {"vocab_size"}) == []
    found = fitted(Settings().override({"max_tokens": 200}), PAIRS, "max_tokens", "dropout", "label_smoothing")
    assert not {"max_tokens", "dropout", "label_smoothing"} & set(found)
    assert found["warmup"] > fitted(Settings(), PAIRS)["warmup"]  # of more steps


def test_a_short_run_has_a_short_warmup() -> None:
    found = {found.name: found for found in fit_training(Settings().override({"steps": 6}), PAIRS)}
    assert (found["warmup"].value, found["warmup"].why) == (1, "a quarter of about 6 steps")


def test_a_run_by_the_clock_is_planned_by_the_steps_that_it_takes(
    lines: TokenStore, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pace was estimated from matrix products, up to twenty times too fast for small models."""
    clock = count(step=0.1)  # read before and after a step
    monkeypatch.setattr("bpe_transformer.training.speed.perf_counter", lambda: next(clock))
    shape = {"d_model": 8, "n_heads": 2, "d_ff": 8, "n_layers": 1, "max_len": 16}
    settings = language_model(minutes=1.0, **shape)
    trial = first_trial(settings, SHAKESPEARE)
    assert trial.training.max_tokens == 512
    seconds = seconds_per_step(trial, lines, tokenizer, TaskColumns("language-model", ("text",)))
    assert seconds == pytest.approx(0.1)
    data = TrainingData(240, 5_000, lines.num_ids, ids_per_second(trial, lines.num_ids, seconds))
    assert planned_steps(trial, data) == pytest.approx(0.9 * 60 / 0.1, rel=0.01)


def test_noam_keeps_its_warmup() -> None:
    assert "warmup" not in fitted(Settings().override({"schedule": "noam", "lr": None}), PAIRS)


def test_the_end_that_comes_first_counts() -> None:
    an_epoch = steps_an_epoch(Settings(), 32_000)
    assert planned_steps(Settings(), PAIRS) == 20 * an_epoch
    assert planned_steps(Settings().override({"epochs": 20, "steps": 30}), PAIRS) == 30
    assert planned_steps(Settings().override({"tokens": 64_000}), PAIRS) == 2 * an_epoch
    assert planned_steps(Settings().override({"minutes": 1.0}), PAIRS) is None
    quick = TrainingData(2_000, 270_000, 32_000, ids_per_second=32_000 / 60)
    assert planned_steps(Settings().override({"minutes": 3.0}), quick) == 3 * an_epoch


@pytest.mark.parametrize("size", [1, 10_000, 10**6, 10**8, 10**11])
def test_any_size_gives_settings_that_stand(size: int) -> None:
    data = TrainingData(max(1, size // 100), size, max(1, size // 3))
    (vocabulary,) = fit_vocabulary(data)
    assert 500 <= vocabulary.value <= 32_000
    for settings in (Settings(), language_model(), language_model(epochs=1), language_model(minutes=0.1)):
        settings.override(fitted(settings, data))


def test_a_preset_keeps_what_it_sets() -> None:
    assert preset_fields(PRESETS["tiny"]) == set()
    assert {"vocab_size", "warmup", "max_tokens", "label_smoothing"} <= preset_fields(PRESETS["gpt2"])
    assert preset_fields(PRESETS["small"]) == {"lr", "warmup"}


def test_reasons_are_written() -> None:
    for found in fit_training(language_model(epochs=1), LIBRARY):
        assert found.why
    assert str(Fitted("warmup", 1200, "one in 16")) == "warmup=1,200: one in 16"
