"""The learning rate of a step. Steps count from 1; the functions are pure."""

from __future__ import annotations

import math

from bpe_transformer.models.config import ModelOptions
from bpe_transformer.training.config import TrainingConfig


def noam(step: int, *, d_model: int, warmup: int) -> float:
    """d_model^-0.5 · min(step^-0.5, step · warmup^-1.5): Vaswani et al. 2017, section 5.3, equation 3.

    >>> round(noam(4000, d_model=512, warmup=4000), 6)
    0.000699
    """
    return float(d_model**-0.5 * min(step**-0.5, step * warmup**-1.5))


def inverse_sqrt(step: int, *, lr: float, warmup: int) -> float:
    """Linear to `lr` at `warmup`, then lr · √(warmup / step): the same curve with a peak of one's own."""
    warmup = max(warmup, 1)
    return lr * min(step / warmup, math.sqrt(warmup / step))


def cosine(step: int, *, lr: float, warmup: int, progress: float) -> float:
    """Linear to `lr` at `warmup`, then half a cosine down to 0 as `progress` (share of the run that is over) goes to 1.

    Progress rather than steps, because a run may end by the clock.
    """
    return lr * min(1.0, step / max(warmup, 1)) * 0.5 * (1.0 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))


def learning_rate(step: int, progress: float, *, model: ModelOptions, training: TrainingConfig) -> float:
    """The rate that the settings ask for at `step`, with `progress` of the run over."""
    if training.schedule == "noam":
        return noam(step, d_model=model.d_model, warmup=training.warmup)
    lr = training.lr or 0.0
    if training.schedule == "inverse-sqrt":
        return inverse_sqrt(step, lr=lr, warmup=training.warmup)
    return cosine(step, lr=lr, warmup=training.warmup, progress=progress)
