"""The study `gradient`: how much of the gradient of a late output reaches an early input, by distance.

In a recurrent network the gradient reaches an input through a product of as many Jacobians as there are steps between
(Pascanu et al. 2013, equation 5), so it shrinks or grows with a power of the distance; attention is one step away from
every input. The output is the logit of the right answer of a task in which one early word decides (`base/recall.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from bpe_transformer.data.batches.batch import TranslationBatch
from bpe_transformer.models.checked import option
from bpe_transformer.models.registry import family_named
from bpe_transformer.studies.base.recall import Recall
from bpe_transformer.studies.base.statistics import factor_per_step
from bpe_transformer.studies.base.study import Progress, Result, StudySettings, faults_of_sizes, no_progress
from bpe_transformer.studies.base.training import generator, seeded, train, warm_cosine

# by name: the family, and its options beside the width
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn": ("lstm", {"cell": "rnn", "n_layers": 1, "bidirectional": False}),
    "lstm": ("lstm", {"cell": "lstm", "n_layers": 1, "bidirectional": False}),
    "gru": ("lstm", {"cell": "gru", "n_layers": 1, "bidirectional": False}),
    "bahdanau": ("bahdanau", {"n_layers": 1}),
    "transformer": ("transformer", {"n_layers": 2, "n_heads": 4}),
}
_TESTED = 64  # rows at each distance
_LEAST = 1e-30  # a gradient that float32 has no number for counts as this
_TRAINING, _MEASURING = 0, 1  # what is drawn


@dataclass(frozen=True, kw_only=True)
class Settings(StudySettings):
    """The distances, and how the models are trained on all of them at once."""

    STUDY: ClassVar[str] = "gradient"

    lengths: tuple[int, ...] = option((1, 2, 4, 8, 16, 32, 64), unit="words", meaning="distances, from the output back")
    d_model: int = option(64, unit="features", meaning="width of every model, a multiple of 4", low=4)
    steps: int = option(400, unit="steps", meaning="of each training", low=1)
    batch: int = option(32, unit="rows", meaning="rows of a training step", low=1)
    lr: float = option(3e-3, unit="per step", meaning="peak learning rate", low=0)
    seeds: int = option(1, unit="trainings", meaning="of each model", low=1)

    def contradictions(self) -> list[str]:
        return super().contradictions() + faults_of_sizes("lengths", self.lengths, 1, 2)

    @property
    def work(self) -> float:
        return self.seeds * self.steps * self.batch * self.lengths[-1] * self.d_model * (self.d_model + 200)


@dataclass(frozen=True, slots=True)
class GradientProfile:
    """A model before or after training.

    gradients: norm of the gradient of the right answer's logit by the vector of the word that decides, at each distance,
    mean over rows and seeds. accuracy: the share of right answers at each distance.
    """

    model: str
    trained: bool
    gradients: tuple[float, ...]
    accuracy: tuple[float, ...]

    @property
    def relative(self) -> tuple[float, ...]:
        """The gradients in units of that at the shortest distance."""
        return tuple(value / self.gradients[0] for value in self.gradients)


@dataclass(frozen=True, kw_only=True)
class GradientStudy(Result):
    """The profile of every model before and after training. parameters: of each model, by name."""

    settings: Settings
    profiles: tuple[GradientProfile, ...]
    parameters: dict[str, int]

    def profile(self, model: str, *, trained: bool) -> GradientProfile:
        """One of the profiles."""
        return next(found for found in self.profiles if found.model == model and found.trained is trained)

    def factor(self, profile: GradientProfile) -> float:
        """By what the gradient changes with every word of distance, fitted over all distances."""
        return factor_per_step(self.settings.lengths, profile.relative)

    def answer(self) -> str:
        """What is left of each model's gradient at the longest distance, before and after training."""
        left = "; ".join(
            f"{name} {self.profile(name, trained=False).relative[-1]:.1e} before training and "
            f"{self.profile(name, trained=True).relative[-1]:.1e} after it"
            for name in MODELS
        )
        first, last = self.settings.lengths[0], self.settings.lengths[-1]
        return f"Of the gradient at {first} {'word' if first == 1 else 'words'}, this much is left at {last}: {left}."

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.facts(),
            "answer": self.answer(),
            "distances": list(self.settings.lengths),
            "parameters": self.parameters,
            "profiles": [
                {
                    "model": found.model,
                    "trained": found.trained,
                    "gradients": list(found.gradients),
                    "relative": list(found.relative),
                    "factor_per_word": self.factor(found),
                    "accuracy": list(found.accuracy),
                }
                for found in self.profiles
            ],
        }


def run_study(settings: Settings, progress: Progress = no_progress) -> GradientStudy:
    """Trains every model with every seed, and takes the gradients before and after."""
    task = Recall.of_corpus()
    found: dict[tuple[str, bool], list[tuple[list[float], list[float]]]] = {}
    parameters: dict[str, int] = {}
    trainings = [(seed, name) for seed in range(settings.seed, settings.seed + settings.seeds) for name in MODELS]
    for number, (seed, name) in enumerate(trainings):

        def report(step: int, _: object, number: int = number, name: str = name, seed: int = seed) -> None:
            progress((number + step / settings.steps) / len(trainings), f"{name}, seed {seed}")

        def batch(step: int, seed: int = seed) -> TranslationBatch:
            draws = generator(seed, _TRAINING, step)
            # short distances as often as long ones
            distances = np.exp(draws.uniform(0, np.log(settings.lengths[-1] + 0.999), settings.batch)).astype(np.int64)
            return task.batch(draws, settings.lengths[-1], distances)

        with seeded(seed):
            model = _model(name, task, settings)
            parameters[name] = sum(value.numel() for value in model.parameters())
            found.setdefault((name, False), []).append(_measured(model, task, settings, seed))
            rate = warm_cosine(settings.steps, settings.lr, settings.steps // 10)
            train(model, batch, settings.steps, rate, report)
            found.setdefault((name, True), []).append(_measured(model, task, settings, seed))
    profiles = tuple(
        GradientProfile(name, trained, _means([one for one, _ in runs]), _means([other for _, other in runs]))
        for (name, trained), runs in sorted(
            found.items(), key=lambda item: (list(MODELS).index(item[0][0]), item[0][1])
        )
    )
    return GradientStudy(settings=settings, profiles=profiles, parameters=parameters)


def gradient_norms(model: nn.Module, batch: TranslationBatch, places: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Of every row, the norm of the gradient of the answer's logit by the source vector at its place, and whether it is right.

    batch: targets (B, 2), the answer after bos. places: (B,) -> (B,), (B,) bool.
    """
    vectors: list[Tensor] = []
    embedding: Any = model.src_embedding
    handle = embedding.register_forward_hook(lambda _, __, output: vectors.append(output))
    try:
        logits: Tensor = model(batch.src, batch.tgt[:, :1])[:, 0]  # (B, V)
    finally:
        handle.remove()
    rows = torch.arange(len(logits))
    answer = batch.tgt[:, 1]
    (gradient,) = torch.autograd.grad(logits[rows, answer].sum(), vectors[0])  # the source is embedded first
    return gradient[rows, torch.tensor(places)].norm(dim=-1), logits.argmax(dim=-1) == answer


def _model(name: str, task: Recall, settings: Settings) -> nn.Module:
    family, options = MODELS[name]
    kind = family_named(family)
    shape: dict[str, Any] = {
        "d_model": settings.d_model,
        "max_len": settings.lengths[-1] + 1,
        "dropout": 0.0,
        **options,
    }
    if family == "transformer":
        shape["d_ff"] = 2 * settings.d_model
    config = kind.configure(kind.options(**shape), vocab_size=task.tokenizer.vocab_size, pad_id=task.special.pad)
    return kind.build(config)


def _measured(model: nn.Module, task: Recall, settings: Settings, seed: int) -> tuple[list[float], list[float]]:
    """The mean norm and the share of right answers at every distance."""
    model.eval()
    gradients, accuracy = [], []
    longest = settings.lengths[-1]
    for distance in settings.lengths:
        batch = task.batch(generator(seed, _MEASURING, distance), longest, np.full(_TESTED, distance))
        norms, right = gradient_norms(model, batch, [longest - distance] * _TESTED)
        gradients.append(max(float(norms.mean()), _LEAST))
        accuracy.append(float(right.float().mean()))
    return gradients, accuracy


def _means(runs: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Over the seeds, at every distance."""
    return tuple(float(value) for value in np.mean(np.array(runs), axis=0))
