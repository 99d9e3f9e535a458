"""The study `scaling`: attention with and without its 1/√d_k, for narrow heads and for one wide head.

The dot product of two vectors of d_k features, each with mean 0 and variance 1, has the variance d_k. Without the division
a softmax over such scores is close to a choice of one, where its gradient is small (Vaswani et al. 2017, section 3.2.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from bpe_transformer.models.checked import option
from bpe_transformer.models.layers import MultiHeadAttention
from bpe_transformer.studies.base.study import Progress, StudySettings, no_progress
from bpe_transformer.studies.base.training import warm_cosine
from bpe_transformer.studies.base.training_curves import Curve, CurvesResult, Variant, curves_of

_NARROW = 8  # heads of the variants with narrow heads


@dataclass(frozen=True, kw_only=True)
class Settings(StudySettings):
    """The width, which is d_k of the one head, and how the variants are trained."""

    STUDY: ClassVar[str] = "scaling"

    d_model: int = option(128, unit="features", meaning="width, a multiple of 8", low=16)
    n_layers: int = option(2, unit="layers", meaning="layers in the encoder and in the decoder", low=1)
    steps: int = option(240, unit="steps", meaning="of each training", low=1)
    lr: float = option(1e-3, unit="per step", meaning="peak learning rate", low=0)
    batch: int = option(32, unit="pairs", meaning="pairs of a step", low=1)
    seeds: int = option(1, unit="trainings", meaning="of each variant", low=1)

    def contradictions(self) -> list[str]:
        found = super().contradictions()
        if self.d_model % _NARROW:
            found.append(f"d_model={self.d_model} does not divide into {_NARROW} heads; choose a multiple")
        return found

    @property
    def work(self) -> float:
        return self.seeds * self.steps * self.batch * self.n_layers * self.d_model * (self.d_model + 100)


@dataclass(frozen=True, kw_only=True)
class ScalingStudy(CurvesResult):
    """The four curves: heads of d_model / 8 features and one of d_model, each with and without the division."""

    settings: Settings

    def pairs(self) -> list[tuple[int, Curve, Curve]]:
        """d_k with the curves with and without the division, narrow heads first."""
        sizes = [self.settings.d_model // heads for heads in (_NARROW, 1)]
        return [(size, self.curve(_name(size, True)), self.curve(_name(size, False))) for size in sizes]

    def answer(self) -> str:
        """The losses, and how sharp attention is when training begins, for both sizes of heads."""
        return "; ".join(
            f"with d_k = {size} the largest weight of a row is {divided.largest_weight[0]:.2f} at first and "
            f"{plain.largest_weight[0]:.2f} without the division, and the loss ends at {divided.last:.3f} and {plain.last:.3f}"
            for size, divided, plain in self.pairs()
        )


class TimesRootOfWidth(nn.Module):
    """Multiplies queries (…, D) by √D, which takes the division out of the scores."""

    def forward(self, q: Tensor) -> Tensor:
        """(…, D) -> (…, D)"""
        longer: Tensor = q * q.size(-1) ** 0.5
        return longer


def without_division(model: nn.Module) -> None:
    """Takes 1/√d_k out of every attention of a model."""
    for module in model.modules():
        if isinstance(module, MultiHeadAttention):
            module.q_norm = TimesRootOfWidth()


def run_study(settings: Settings, progress: Progress = no_progress) -> ScalingStudy:
    """Trains the four variants with every seed."""
    rate = warm_cosine(settings.steps, settings.lr, settings.steps // 10)
    variants = []
    for heads in (_NARROW, 1):
        options = {
            "d_model": settings.d_model,
            "n_layers": settings.n_layers,
            "n_heads": heads,
            "d_ff": 2 * settings.d_model,
        }
        size = settings.d_model // heads
        variants += [
            Variant(_name(size, True), options, rate),
            Variant(_name(size, False), options, rate, without_division),
        ]
    curves, unigram = curves_of(
        variants,
        steps=settings.steps,
        batch=settings.batch,
        seeds=range(settings.seed, settings.seed + settings.seeds),
        clip_norm=1.0,
        progress=progress,
    )
    return ScalingStudy(settings=settings, curves=curves, unigram=unigram)


def _name(size: int, divided: bool) -> str:
    return f"d_k = {size}, {'divided by √d_k' if divided else 'not divided'}"
