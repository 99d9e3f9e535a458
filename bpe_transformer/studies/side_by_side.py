"""Tokenizers side by side: the same small model, the same bytes and the same compute with each, judged in bits per byte.

Loss an id says nothing across tokenizers, whose ids stand for different amounts of text; bits per byte do. A larger
vocabulary has fewer tokens to read, and a head that costs more for each: with the compute held equal, what remains is which
vocabulary a model of this size makes most of.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from bpe_transformer.errors import ConfigError, refuse_one_string
from bpe_transformer.inspection.base.view import View
from bpe_transformer.io.printable import times
from bpe_transformer.models.config import TransformerOptions
from bpe_transformer.studies.base.statistics import standard_error
from bpe_transformer.studies.trial import MODEL, IdStream, TrialSettings, flops_per_step
from bpe_transformer.studies.trial import Trial as Training
from bpe_transformer.tokenizer import Tokenizer

_TRIED, _TRIED_SECONDS = 10, 1.5  # steps by which the speed is judged, after one that warms up; whichever comes first
_FORWARD = 0.4  # of a training step's time, which its ids take where they are only scored
_LEAST_STEPS = 20
VALIDATION_BYTES = 300_000  # that are read at most; a tenth of them would already do
Progress = Callable[[float, str], None]  # (share of the work that is over, what is being done)


@dataclass(frozen=True, slots=True)
class Trial(View):
    """One tokenizer in a comparison.

    bytes_per_token: on the validation text. parameters: of the model. steps: of each training. passes: how often it read
    the training text. bits_per_byte: one for each seed. seconds: of all its trainings. lossless: whether the validation
    text comes back when it is decoded; if not, its bits per byte say less than they seem to.
    """

    name: str
    digest: str
    vocab_size: int
    bytes_per_token: float
    parameters: int
    steps: int
    passes: float
    bits_per_byte: tuple[float, ...]
    seconds: float
    lossless: bool

    @property
    def mean(self) -> float:
        """Bits per byte, over the seeds."""
        return statistics.fmean(self.bits_per_byte)

    @property
    def standard_error(self) -> float | None:
        """Of the mean over seeds; None: one seed."""
        return standard_error(self.bits_per_byte)

    def as_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "bits_per_byte": self.mean,
            "standard_error": self.standard_error,
            "by_seed": list(self.bits_per_byte),
        }


@dataclass(frozen=True, slots=True)
class SideBySide(View):
    """Several tokenizers compared.

    flops: of each training, forwards and backwards. batch_ids: ids in a step. train_bytes, validation_bytes: UTF-8.
    """

    trials: tuple[Trial, ...]
    flops: float
    batch_ids: int
    train_bytes: int
    validation_bytes: int
    seeds: tuple[int, ...]

    @property
    def best(self) -> Trial:
        """The one with the fewest bits per byte."""
        return min(self.trials, key=lambda trial: trial.mean)

    def undecided(self, trial: Trial) -> bool:
        """Whether a trial is within two standard errors (of the difference) of the best."""
        errors = (trial.standard_error, self.best.standard_error)
        if trial is self.best or None in errors:
            return False
        return trial.mean - self.best.mean < 2 * math.hypot(*(error or 0.0 for error in errors))

    def as_dict(self) -> dict[str, Any]:
        return {
            "best": self.best.name,
            "flops": self.flops,
            "batch_ids": self.batch_ids,
            "train_bytes": self.train_bytes,
            "validation_bytes": self.validation_bytes,
            "seeds": list(self.seeds),
            "trials": [trial.as_dict() for trial in self.trials],
        }


def train_side_by_side(
    tokenizers: Mapping[str, Tokenizer],
    train: Sequence[str],
    validation: Sequence[str],
    *,
    minutes: float = 4.0,
    flops: float | None = None,
    seeds: Sequence[int] = (1, 2),
    model: TransformerOptions = MODEL,
    settings: TrialSettings | None = None,
    progress: Progress = lambda _, __: None,
) -> SideBySide:
    """Trains a decoder-only Transformer from `model` with each of `tokenizers` and each of `seeds`.

    Every training has the same number of floating-point operations: `flops`, or, when that is None, as many as make the call
    last about `minutes` on this machine, encoding and validations included, judged by a few steps of each. With `flops` the
    result is a function of its arguments (on one machine, with one number of threads); by the clock it depends on how busy the
    machine is.
    Of the validation texts at most `VALIDATION_BYTES` are read.

    Raises `ConfigError` without a tokenizer or seed, or with a budget for fewer than 20 steps, and `CorpusError` without text.
    """
    refuse_one_string(train=train, validation=validation)
    began, settings = time.monotonic(), settings or TrialSettings()
    if not tokenizers or not seeds:
        raise ConfigError(f"{len(tokenizers)} tokenizers and {len(seeds)} seeds leave nothing to compare; give some")
    held_out = _shortened(validation, VALIDATION_BYTES)
    streams = {name: IdStream.of(tokenizer, train) for name, tokenizer in tokenizers.items()}
    checks = {name: IdStream.of(tokenizer, held_out, check=True) for name, tokenizer in tokenizers.items()}
    if flops is None:
        progress(0.0, "measuring the speed")
        flops = _affordable(60.0 * minutes, began, len(seeds), streams, checks, model, settings)
    steps = {name: _steps(flops, stream, model, settings) for name, stream in streams.items()}
    done: dict[str, list[_Outcome]] = {name: [] for name in tokenizers}
    trainings = [(seed, name) for seed in seeds for name in tokenizers]
    for number, (seed, name) in enumerate(trainings):

        def report(step: int, number: int = number, name: str = name, seed: int = seed) -> None:
            progress((number + step / steps[name]) / len(trainings), f"{name}, seed {seed}")

        training = Training(streams[name], seed, model, settings)
        seconds = training.train(steps[name], report)
        done[name].append(_Outcome(training.negative_log_likelihood(checks[name]), seconds, training.num_parameters))
    trials = tuple(
        Trial(
            name=name,
            digest=tokenizer.digest,
            vocab_size=tokenizer.vocab_size,
            bytes_per_token=checks[name].num_bytes / checks[name].num_tokens,
            parameters=done[name][0].parameters,
            steps=steps[name],
            passes=steps[name] * settings.batch_ids / len(streams[name].ids),
            bits_per_byte=tuple(each.loss / math.log(2) / checks[name].num_bytes for each in done[name]),
            seconds=sum(each.seconds for each in done[name]),
            lossless=checks[name].lossless,
        )
        for name, tokenizer in tokenizers.items()
    )
    sizes = (next(iter(streams.values())).num_bytes, next(iter(checks.values())).num_bytes)
    return SideBySide(trials, flops, settings.batch_ids, *sizes, tuple(seeds))


class _Outcome(NamedTuple):
    """What one training came to: the loss on the validation text in nats, its seconds, and the model's parameters."""

    loss: float
    seconds: float
    parameters: int


def _affordable(
    seconds: float,
    began: float,
    seeds: int,
    streams: Mapping[str, IdStream],
    checks: Mapping[str, IdStream],
    model: TransformerOptions,
    settings: TrialSettings,
) -> float:
    """The operations of each training with which all of them and their validations are over `seconds` after `began`.

    Where what came before has taken most of these, half of them go into training nevertheless.
    """
    speeds = {name: _seconds_per_step(stream, model, settings) for name, stream in streams.items()}
    scoring = sum(_FORWARD * speeds[name] * len(checks[name].ids) / settings.batch_ids for name in speeds)
    spent = time.monotonic() - began + seeds * scoring
    seconds_per_operation = sum(
        speeds[name] / flops_per_step(stream.vocab_size, model, settings.batch_ids) for name, stream in streams.items()
    )
    return max(seconds - spent, seconds / 2) / seeds / seconds_per_operation


def _steps(flops: float, stream: IdStream, model: TransformerOptions, settings: TrialSettings) -> int:
    steps = int(flops / flops_per_step(stream.vocab_size, model, settings.batch_ids))
    if steps < _LEAST_STEPS:
        raise ConfigError(
            f"the compute is enough for {times(steps, 'step')}, and {_LEAST_STEPS} are the least that say anything; "
            "give more minutes, or compare fewer tokenizers or seeds"
        )
    return steps


def _seconds_per_step(stream: IdStream, model: TransformerOptions, settings: TrialSettings) -> float:
    training = Training(stream, 0, model, settings)
    training.train(1)
    seconds = [training.train(1)]
    while len(seconds) < _TRIED and sum(seconds) < _TRIED_SECONDS:
        seconds.append(training.train(1))
    return statistics.fmean(seconds)


def _shortened(texts: Sequence[str], most: int) -> list[str]:
    """The first of `texts`, the last of them cut, of `most` characters together."""
    kept: list[str] = []
    left = most
    for text in texts:
        if left <= 0:
            break
        kept.append(text[:left])
        left -= len(text)
    return [text for text in kept if text]
