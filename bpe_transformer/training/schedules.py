"""The learning rate of a step. Steps count from 1; the functions are pure."""

from __future__ import annotations

import math
from collections.abc import Callable

from bpe_transformer.models.config import ModelOptions
from bpe_transformer.training.config.schedule import ScheduleConfig


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


def cosine(progress: float, *, floor: float = 0.0) -> float:
    """Half a cosine from 1 to `floor` as `progress` goes from 0 to 1 (Loshchilov and Hutter 2017, without restarts).

    >>> cosine(0.0), cosine(0.5), cosine(1.0, floor=0.1)
    (1.0, 0.5, 0.1)
    """
    return floor + (1 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))


def linear(progress: float, *, floor: float = 0.0) -> float:
    """A straight line from 1 to `floor`."""
    return floor + (1 - floor) * (1.0 - progress)


def warmup_stable_decay(progress: float, *, decay_share: float, floor: float = 0.0) -> float:
    """1, and a straight line to `floor` over the last `decay_share` (Hu et al. 2024, section 4.2)."""
    into = (progress - (1 - decay_share)) / decay_share if decay_share else 0.0
    return linear(min(max(into, 0.0), 1.0), floor=floor)


_CURVES: dict[str, Callable[[float, ScheduleConfig], float]] = {
    "cosine": lambda progress, config: cosine(progress, floor=config.lr_floor),
    "linear": lambda progress, config: linear(progress, floor=config.lr_floor),
    "constant": lambda progress, config: 1.0,
    "wsd": lambda progress, config: warmup_stable_decay(
        progress, decay_share=config.decay_share, floor=config.lr_floor
    ),
}


def learning_rate(
    step: int, *, ramp: float, warmup: int, progress: float, model: ModelOptions, config: ScheduleConfig
) -> float:
    """The rate at `step`.

    Args:
        ramp: the share of the warm-up that is over with this step, 0 to 1.
        warmup: its length in steps, which may have been shortened; noam and inverse-sqrt go down from there.
        progress: the share of the run after the warm-up that is over, 0 to 1; every other schedule goes down by it.
    """
    peak = config.lr or 0.0
    if config.schedule == "noam":
        peak = noam(config.warmup, d_model=model.d_model, warmup=config.warmup)
    if config.schedule in ("noam", "inverse-sqrt"):
        return peak * ramp if ramp < 1 else inverse_sqrt(max(step, warmup), lr=peak, warmup=warmup)
    return peak * ramp * _CURVES[config.schedule](min(max(progress, 0.0), 1.0), config)
