"""Settings that follow from the data, the task and the budget, for those that nobody has set. Pure functions.

Vocabulary, batch, warm-up, validations, dropout and label smoothing have no value that is right for two thousand sentence
pairs and for a gigabyte of text. Each is worked out here with a reason that the command line prints; a preset, a recipe, a
configuration file or an option that names the setting goes before it.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

from bpe_transformer.io.printable import times
from bpe_transformer.training.config.settings import Settings, TrainingConfig

STEPS_AN_EPOCH = (
    200  # that a batch aims at: enough noise in small corpora, enough ids to keep the processor busy in large ones
)
STEPS_BY_CLOCK = 1000  # that a run which the clock ends should at least take
_PASSES_AS_NEW = 4.0  # over a text, of which each teaches nearly as much as a new text would (Muennighoff et al. 2023)
VALIDATIONS = 20  # in a run
WARMUP_SHARE = 16  # of the steps, one in so many: between nanoGPT's 1 in 50 and Vaswani et al.'s 1 in 25 to 1 in 8
_LEAST_BATCH, _MOST_BATCH = 512, 4096  # ids
_LEAST_VOCABULARY, _MOST_VOCABULARY = 500, 32_000
_PER_ROOT = 3.0  # ids of vocabulary for each root of a byte
_FILLED = 0.95  # of a batch of pairs that is not padding
_TRAINING_SHARE = 0.9  # of the time; the rest is for validations and saving
_LEAST_WARMUP, _MOST_WARMUP = 10, 2000


@dataclass(frozen=True)
class TrainingData:
    """What the fit depends on.

    num_rows, num_bytes: of the training texts, all columns that are read. num_ids: of the longer side in an epoch, once there
    is a tokenizer. ids_per_second: how fast this machine trains; known only where the clock ends the run. task: of the rows,
    which a family may be trained for besides its own; empty: its own.
    """

    num_rows: int
    num_bytes: int
    num_ids: int | None = None
    ids_per_second: float | None = None
    task: str = ""


@dataclass(frozen=True)
class Fitted:
    """One setting, the value that fits, and why: words after "because"."""

    name: str
    value: Any
    why: str

    def __str__(self) -> str:
        value = f"{self.value:,}" if isinstance(self.value, int) else str(self.value)
        return f"{self.name}={value}: {self.why}"


def preset_fields(settings: Settings) -> set[str]:
    """The training settings that a preset sets itself: those that are not the general default."""
    default = TrainingConfig()
    return {f.name for f in fields(default) if getattr(settings.training, f.name) != getattr(default, f.name)}


def fit_vocabulary(data: TrainingData, fixed: Collection[str] = ()) -> list[Fitted]:
    """The vocabulary to learn, by the bytes of the corpus; `fixed` names the settings that are given.

    It grows with the root of the corpus: a corpus four times as large shows each of twice as many tokens twice as often.
    Smaller corpora need smaller vocabularies (Sennrich and Zhang 2019, section 5.1; Gowda and May 2020 want every class
    to be seen a hundred times). The factor is set by Multi30k: 3.9 MB, where 6,000 is best.

    >>> [str(fit_vocabulary(TrainingData(rows, size))[0]) for rows, size in ((2_000, 250_000), (29_000, 3_900_000))]
    ['vocab_size=1,500: 250,000 bytes of text', 'vocab_size=6,000: 3,900,000 bytes of text']
    """
    if "vocab_size" in fixed:
        return []
    size = _rounded(_PER_ROOT * math.sqrt(data.num_bytes))
    size = min(max(size, _LEAST_VOCABULARY), _MOST_VOCABULARY)
    return [Fitted("vocab_size", size, f"{times(data.num_bytes, 'byte')} of text")]


def fit_training(settings: Settings, data: TrainingData, fixed: Collection[str] = ()) -> list[Fitted]:
    """Batch, regularisation, warm-up and validations, by the ids of the corpus, the task and what ends the run.

    `fixed` names the settings that are given; the others are worked out from them.
    """
    assert data.num_ids is not None
    found: list[Fitted] = []

    def fit(name: str, value: Any, why: str) -> None:
        nonlocal settings
        old = getattr(settings.model, name) if name == "dropout" else getattr(settings.training, name)
        if name not in fixed and value != old:
            found.append(Fitted(name, value, why))
            settings = settings.override({name: value})

    if _follows_clock(settings, data):
        fit("precision", "auto", "the clock ends the run, and bfloat16 takes more steps where the processor has it")
    batch, why = _batch(settings, data)
    fit("max_tokens", batch, why)
    steps = planned_steps(settings, data)
    if settings.task != "translation":
        kind = settings.task.replace("-", " ") if _is_language_model(settings, data) else "classifier"
        fit("label_smoothing", 0.0, f"a {kind} is to give probabilities as they are")
    passes = None if steps is None else steps / steps_an_epoch(settings, data.num_ids)
    if passes is not None and _is_language_model(settings, data) and passes <= _PASSES_AS_NEW:
        fit("dropout", 0.0, f"what is read {_times(passes)} is not learned by heart")
    if settings.task == "translation" and data.num_bytes < 10_000_000 and (passes is None or passes > 5):
        fit("dropout", 0.2, f"{times(data.num_bytes, 'byte')}, read many times, are soon learned by heart")
    if steps is not None:
        _fit_pace(settings, data, steps, fit)
    return found


def steps_an_epoch(settings: Settings, num_ids: int) -> int:
    """Optimizer steps that one pass over `num_ids` ids takes, about."""
    training = settings.training
    filled = _FILLED if settings.task == "translation" else 1.0
    return max(1, math.ceil(num_ids / (training.max_tokens * training.accumulate * filled)))


def first_trial(settings: Settings, data: TrainingData, fixed: Collection[str] = ()) -> Settings:
    """The settings with the smallest batch, unless that is given: what the speed is measured with before there are others."""
    trial: dict[str, Any] = {"max_tokens": max(_LEAST_BATCH, settings.model.max_len)}
    if _follows_clock(settings, data):
        trial["precision"] = "auto"
    return settings.override({name: value for name, value in trial.items() if name not in fixed})


def ids_per_second(settings: Settings, num_ids: int, seconds_per_step: float) -> float:
    """How many ids a run gets through in a second, its validations included, if a step of these settings takes so long."""
    return _TRAINING_SHARE * num_ids / (steps_an_epoch(settings, num_ids) * seconds_per_step)


def planned_steps(settings: Settings, data: TrainingData) -> int | None:
    """Optimizer steps of the whole run, about; None where only the clock ends it and the speed is not known."""
    training = settings.training
    assert data.num_ids is not None
    an_epoch = steps_an_epoch(settings, data.num_ids)
    ends: list[float] = []
    if training.epochs is not None:
        ends.append(training.epochs * an_epoch)
    if training.steps is not None:
        ends.append(training.steps)
    if training.tokens is not None:
        ends.append(training.tokens / data.num_ids * an_epoch)
    if training.minutes is not None and data.ids_per_second is not None:
        ends.append(60.0 * training.minutes * data.ids_per_second / (data.num_ids / an_epoch))
    return max(1, round(min(ends))) if ends else None


def _is_language_model(settings: Settings, data: TrainingData) -> bool:
    return settings.task.endswith("language-model") and data.task != "classification"


def _follows_clock(settings: Settings, data: TrainingData) -> bool:
    """Whether nothing but the clock ends a language model's run, whose result depends on the machine anyway."""
    training = settings.training
    counted = (training.epochs, training.steps, training.tokens)
    return _is_language_model(settings, data) and counted == (None, None, None)


def _times(passes: float) -> str:
    return "once" if passes <= 1.05 else f"{passes:.1f} times"


def _batch(settings: Settings, data: TrainingData) -> tuple[int, str]:
    assert data.num_ids is not None
    training = settings.training
    largest = min(data.num_ids / STEPS_AN_EPOCH, _MOST_BATCH)
    why = f"{times(data.num_ids, 'id')} in an epoch"
    if training.minutes is not None and data.ids_per_second is not None:
        by_clock = 60.0 * training.minutes * data.ids_per_second / STEPS_BY_CLOCK
        if by_clock < largest:
            largest = by_clock
            why = f"at least {times(STEPS_BY_CLOCK, 'step')} in {training.minutes:g} min"
    power = int(2 ** round(math.log2(max(largest, 1.0))))
    return max(_LEAST_BATCH, min(_MOST_BATCH, power), settings.model.max_len), why


def _fit_pace(settings: Settings, data: TrainingData, steps: int, fit: Any) -> None:
    """Warm-up and validations of a run of `steps` steps."""
    assert data.num_ids is not None
    if settings.training.schedule != "noam":  # whose peak depends on it
        warmup, why = min(max(steps // WARMUP_SHARE, _LEAST_WARMUP), _MOST_WARMUP), f"one in {WARMUP_SHARE}"
        if warmup > steps // 4:
            warmup, why = max(steps // 4, 1), "a quarter"
        fit("warmup", _rounded(warmup), f"{why} of about {times(steps, 'step')}")
    an_epoch = steps_an_epoch(settings, data.num_ids)
    epochs = steps / an_epoch
    pace = 0 if VALIDATIONS / 4 <= epochs <= VALIDATIONS * 2 else min(_rounded(max(steps / VALIDATIONS, 10)), steps)
    if settings.training.eval_minutes:
        pace = 0  # the clock decides
    fit(
        "eval_steps",
        pace,
        f"about {times(steps // pace, 'validation')} in {times(steps, 'step')}" if pace else "once an epoch is enough",
    )
    between = (pace or an_epoch) / an_epoch * data.num_ids
    most = min(max(_rounded(between / 6), 5_000), 200_000)
    fit("eval_tokens", most, "a validation is to take a twentieth of the time at most")


def _rounded(value: float) -> int:
    """To one or two digits that a person would choose.

    >>> [_rounded(value) for value in (7, 93, 1_500, 5_924, 16_432)]
    [7, 95, 1500, 6000, 15000]
    """
    if value < 10:
        return max(1, round(value))
    unit: int = 10 ** (len(str(int(value))) - 1)
    return round(value / unit * 2) * unit // 2
