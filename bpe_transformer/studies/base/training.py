"""The training that the studies share: the library's own step, a rate for every step, and a seed that draws everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from bpe_transformer.training.config import TrainingConfig
from bpe_transformer.training.engine import Engine
from bpe_transformer.training.objectives.objective import LossSum, Seq2Seq
from bpe_transformer.training.optimizers import build_optimizer
from bpe_transformer.training.schedules import cosine
from bpe_transformer.training.trainer.step import StepFigures, TrainingStep


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """In this block torch draws from `seed`; after it the generator goes on as it was."""
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        yield


def generator(seed: int, *counters: int) -> np.random.Generator:
    """Draws that depend on the seed and, say, the step alone."""
    return np.random.Generator(np.random.PCG64([seed, *counters]))


def warm_cosine(steps: int, peak: float, warmup: int) -> Callable[[int], float]:
    """The rate of a step, from 1: up in a line over `warmup` steps, then down half a cosine to 0 after the last."""

    def rate(step: int) -> float:
        return peak * min(1.0, step / max(warmup, 1)) * cosine(max(0, step - warmup) / max(1, steps - warmup))

    return rate


def train(
    model: nn.Module,
    batch: Callable[[int], Any],
    steps: int,
    rate: Callable[[int], float],
    report: Callable[[int, StepFigures], None] = lambda _, __: None,
    *,
    objective: nn.Module | None = None,
    clip_norm: float = 1.0,
) -> None:
    """Trains with AdamW on batch 1, 2, … at rate 1, 2, …; `report` hears of every step when it is done.

    A step whose loss or gradient is not finite leaves the weights as they are. Translators have their own objective.
    """
    objective = objective or Seq2Seq(model)
    config = TrainingConfig(clip_norm=clip_norm)
    named = {name: value for name, value in model.named_parameters() if value.requires_grad}
    step = TrainingStep(
        objective, Engine(device="cpu", precision="float32"), build_optimizer(named, config), named, config
    )
    for number in range(1, steps + 1):
        report(number, step.run([batch(number)], rate(number)))
    objective.eval()


@torch.no_grad()
def loss_of(model: nn.Module, batches: list[Any]) -> float:
    """Nats for each predicted token of a translator, over all batches together."""
    objective = Seq2Seq(model).eval()
    found: list[LossSum] = [objective(batch) for batch in batches]
    return sum(float(loss.total) for loss in found) / max(1, sum(int(loss.count) for loss in found))
