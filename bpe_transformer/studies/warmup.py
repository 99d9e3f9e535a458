"""The study `warmup`: a Transformer with norms after or before its sublayers, trained with and without warm-up.

After the sublayer ("post", the place of Vaswani et al. 2017) the gradients near the output are large when training begins,
and steps of the full rate then do harm; before it ("pre") they are not (Xiong et al. 2020).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from bpe_transformer.models.checked import option
from bpe_transformer.studies.base.study import Progress, StudySettings, no_progress
from bpe_transformer.studies.base.training_curves import CurvesResult, Variant, curves_of
from bpe_transformer.training.schedules import inverse_sqrt

POST, POST_WITHOUT = "post-norm, warm-up", "post-norm, no warm-up"
PRE, PRE_WITHOUT = "pre-norm, warm-up", "pre-norm, no warm-up"


@dataclass(frozen=True, kw_only=True)
class Settings(StudySettings):
    """A deep and narrow Transformer, and how it is trained."""

    STUDY: ClassVar[str] = "warmup"

    d_model: int = option(64, unit="features", meaning="width, a multiple of 4", low=4)
    n_layers: int = option(6, unit="layers", meaning="layers in the encoder and in the decoder", low=1)
    steps: int = option(240, unit="steps", meaning="of each training", low=1)
    warmup: int = option(80, unit="steps", meaning="of the warm-up, where there is one", low=1)
    lr: float = option(1e-3, unit="per step", meaning="peak learning rate", low=0)
    batch: int = option(32, unit="pairs", meaning="pairs of a step", low=1)
    seeds: int = option(1, unit="trainings", meaning="of each variant", low=1)

    @property
    def work(self) -> float:
        return self.seeds * self.steps * self.batch * self.n_layers * self.d_model * (self.d_model + 100)


@dataclass(frozen=True, kw_only=True)
class WarmupStudy(CurvesResult):
    """The four curves: post-norm and pre-norm, each with and without warm-up."""

    settings: Settings

    def answer(self) -> str:
        """By how much the loss is higher without warm-up, after the norm and before it."""
        parts = []
        for name, with_it, without in (("post-norm", POST, POST_WITHOUT), ("pre-norm", PRE, PRE_WITHOUT)):
            warm, cold = self.curve(with_it).last, self.curve(without).last
            parts.append(f"{name} ends at {cold:.3f} nats a token without warm-up and at {warm:.3f} with it")
        post = self.curve(POST_WITHOUT).last - self.curve(POST).last
        pre = self.curve(PRE_WITHOUT).last - self.curve(PRE).last
        verdict = "the former needs it more" if post > pre else "the former does not need it more here"
        return f"{'; '.join(parts)}: {verdict}"


def run_study(settings: Settings, progress: Progress = no_progress) -> WarmupStudy:
    """Trains the four variants with every seed."""
    warm: Callable[[int], float] = partial(inverse_sqrt, lr=settings.lr, warmup=settings.warmup)
    variants = [
        Variant(name, _options(settings, place), rate)
        for name, place, rate in (
            (POST, "post", warm),
            (POST_WITHOUT, "post", without_warmup(settings.lr, settings.warmup)),
            (PRE, "pre", warm),
            (PRE_WITHOUT, "pre", without_warmup(settings.lr, settings.warmup)),
        )
    ]
    curves, unigram = curves_of(
        variants,
        steps=settings.steps,
        batch=settings.batch,
        seeds=range(settings.seed, settings.seed + settings.seeds),
        clip_norm=0.0,  # which would do a part of what warm-up is for
        progress=progress,
    )
    return WarmupStudy(settings=settings, curves=curves, unigram=unigram)


def without_warmup(lr: float, warmup: int) -> Callable[[int], float]:
    """The same schedule without its ramp: the peak for `warmup` steps, then down as `inverse_sqrt`.

    >>> [round(without_warmup(1.0, 4)(step), 2) for step in (1, 4, 16)]
    [1.0, 1.0, 0.5]
    """
    return lambda step: lr * min(1.0, math.sqrt(warmup / step))


def _options(settings: Settings, place: str) -> dict[str, object]:
    return {
        "d_model": settings.d_model,
        "n_layers": settings.n_layers,
        "n_heads": 4,
        "d_ff": 2 * settings.d_model,
        "norm_place": place,
    }
