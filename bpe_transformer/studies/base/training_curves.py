"""Translators that differ in one thing, trained on the same batches: their validation losses as curves."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from bpe_transformer.data.batches.batch import TranslationBatch
from bpe_transformer.studies.base.number_corpus import NumberCorpus, Pair, parameters_of
from bpe_transformer.studies.base.statistics import number_or_none, standard_error
from bpe_transformer.studies.base.study import Progress, Result
from bpe_transformer.studies.base.training import generator, loss_of, seeded, train
from bpe_transformer.training.checkpoint import build_model

TRAIN_PAIRS, TEST_PAIRS = 8000, 256
_TEST_BATCH = 64
_POINTS = 16  # of a curve, the start left out


@dataclass(frozen=True)
class Variant:
    """One of the trainings that are compared. change: what is done to the model when it is built."""

    name: str
    options: Mapping[str, Any]
    rate: Callable[[int], float]
    change: Callable[[nn.Module], None] = field(default=lambda _: None)


@dataclass(frozen=True, slots=True)
class Curve:
    """A variant's validation losses, nats a token, of each seed at every one of `steps`, from step 0.

    largest_weight: of a row of attention over the source, mean over rows, heads, layers and seeds: before the first step
    and after the last. skipped: steps whose loss or gradient was not finite.
    """

    name: str
    parameters: int
    steps: tuple[int, ...]
    by_seed: tuple[tuple[float, ...], ...]
    largest_weight: tuple[float, float]
    skipped: int

    @property
    def losses(self) -> tuple[float, ...]:
        """The mean over the seeds at every step."""
        return tuple(statistics.fmean(values) for values in zip(*self.by_seed, strict=True))

    @property
    def last(self) -> float:
        """The loss after the last step."""
        return self.losses[-1]

    @property
    def error(self) -> float | None:
        """The standard error of `last` over the seeds."""
        return standard_error([losses[-1] for losses in self.by_seed])

    def reached(self, loss: float) -> int | None:
        """The first step at which the loss was so low; None: never."""
        return next((step for step, value in zip(self.steps, self.losses, strict=True) if value <= loss), None)


@dataclass(frozen=True, kw_only=True)
class CurvesResult(Result):
    """Curves of variants, best last. unigram: nats a token when nothing but the frequency of ids is known."""

    curves: tuple[Curve, ...]
    unigram: float

    def curve(self, name: str) -> Curve:
        """The curve of a variant."""
        return next(curve for curve in self.curves if curve.name == name)

    @property
    def halfway(self) -> float:
        """Half of `unigram`: the loss at which variants are compared by steps."""
        return self.unigram / 2

    def answer(self) -> str:
        """What the figures say, in a sentence."""
        raise NotImplementedError

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.facts(),
            "unigram": self.unigram,
            "answer": self.answer(),
            "curves": [
                {
                    "name": curve.name,
                    "parameters": curve.parameters,
                    "steps": list(curve.steps),
                    "losses": [number_or_none(value) for value in curve.losses],
                    "by_seed": [[number_or_none(value) for value in losses] for losses in curve.by_seed],
                    "last": number_or_none(curve.last),
                    "standard_error": number_or_none(curve.error),
                    "steps_to_half": curve.reached(self.halfway),
                    "largest_weight": list(curve.largest_weight),
                    "skipped": curve.skipped,
                }
                for curve in self.curves
            ],
        }


def curves_of(
    variants: Sequence[Variant], *, steps: int, batch: int, seeds: Sequence[int], clip_norm: float, progress: Progress
) -> tuple[tuple[Curve, ...], float]:
    """Trains an encoder-decoder Transformer for every variant and seed on numbers-en-ko; the curves, and `unigram`.

    Of one seed all variants see the same batches.
    """
    corpus = NumberCorpus.of(TRAIN_PAIRS, TEST_PAIRS)
    tests = [corpus.batch(corpus.test[first : first + _TEST_BATCH]) for first in range(0, TEST_PAIRS, _TEST_BATCH)]
    points = sorted({round(steps * part / _POINTS) for part in range(_POINTS + 1)})
    found: dict[str, list[_Trained]] = {variant.name: [] for variant in variants}
    trainings = [(seed, variant) for seed in seeds for variant in variants]
    for number, (seed, variant) in enumerate(trainings):

        def report(step: int, number: int = number, seed: int = seed, variant: Variant = variant) -> None:
            progress((number + step / steps) / len(trainings), f"{variant.name}, seed {seed}")

        with seeded(seed):
            found[variant.name].append(
                _trained(variant, corpus, tests, points, (steps, batch, seed), clip_norm, report)
            )
    curves = tuple(
        Curve(
            variant.name,
            parameters_of(corpus.info("transformer", **variant.options)),
            tuple(points),
            tuple(run.losses for run in found[variant.name]),
            (
                statistics.fmean(run.largest[0] for run in found[variant.name]),
                statistics.fmean(run.largest[1] for run in found[variant.name]),
            ),
            sum(run.skipped for run in found[variant.name]),
        )
        for variant in variants
    )
    return curves, _unigram(corpus, tests)


@dataclass(frozen=True)
class _Trained:
    losses: tuple[float, ...]
    largest: tuple[float, float]
    skipped: int


def _trained(
    variant: Variant,
    corpus: NumberCorpus,
    tests: list[TranslationBatch],
    points: Sequence[int],
    amount: tuple[int, int, int],
    clip_norm: float,
    report: Callable[[int], None],
) -> _Trained:
    steps, size, seed = amount
    model = build_model(corpus.info("transformer", **variant.options))
    variant.change(model)
    losses = [loss_of(model, tests)]
    start = _largest_weight(model, tests[0])
    skipped = 0

    def batch(step: int) -> TranslationBatch:
        return corpus.batch(_drawn(corpus.train, seed, step, size))

    def after(step: int, figures: Any) -> None:
        nonlocal skipped
        skipped += not figures.is_finite
        if step in points:
            losses.append(loss_of(model, tests))
        report(step)

    train(model, batch, steps, variant.rate, after, clip_norm=clip_norm)
    return _Trained(tuple(losses), (start, _largest_weight(model, tests[0])), skipped)


def _drawn(pairs: Sequence[Pair], seed: int, step: int, count: int) -> list[Pair]:
    return [pairs[place] for place in generator(seed, step).integers(0, len(pairs), count)]


@torch.no_grad()
def _largest_weight(model: Any, batch: TranslationBatch) -> float:
    """The largest weight of a row of attention over the source, mean over rows that are no padding, heads and layers."""
    model.eval()
    weights = model.attention(batch.src, batch.tgt).cross.amax(dim=-1)  # (layers, B, H, T)
    real = (batch.tgt != model.config.pad_id)[None, :, None].expand_as(weights)
    return float(weights[real].mean())


def _unigram(corpus: NumberCorpus, tests: Sequence[TranslationBatch]) -> float:
    """Cross-entropy of the test targets under the frequencies of the training targets, nats a token, each seen once more."""
    special = corpus.special
    rows = corpus.tokenizer.encode_batch([pair.ko for pair in corpus.train])
    counts = Counter(id for row in range(len(corpus.train)) for id in [*rows[row].tolist(), special.eos])
    total = sum(counts.values()) + corpus.tokenizer.vocab_size
    targets = [int(id) for batch in tests for id in batch.tgt[:, 1:].flatten().tolist() if id != special.pad]
    return statistics.fmean(-math.log((counts[id] + 1) / total) for id in targets)
