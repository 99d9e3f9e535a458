"""One optimizer step: some batches, one gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bpe_transformer.training.config import TrainingConfig
from bpe_transformer.training.engine import Engine
from bpe_transformer.training.optimizers import Optimizer, set_learning_rate


@dataclass(frozen=True)
class StepFigures:
    """What a step computed, over all processes. loss: summed over `count` predictions, nats; norm: of the mean's gradient."""

    loss: float
    count: int
    norm: float
    is_finite: bool

    @property
    def mean(self) -> float:
        """Nats a prediction."""
        return self.loss / max(self.count, 1)


class TrainingStep:
    """Steps of one objective. The gradient is that of the mean loss over all predictions of all batches and processes.

    So a step over several batches, or by several processes, is the step over one batch that holds all of them: every
    prediction counts alike, however the batches are cut.
    """

    def __init__(
        self,
        objective: nn.Module,
        engine: Engine,
        optimizer: Optimizer,
        named: Mapping[str, Tensor],
        config: TrainingConfig,
    ) -> None:
        self._objective, self._engine, self._optimizer = objective, engine, optimizer
        self._parameters = list(named.values())
        self._config = config

    def run(self, batches: Sequence[Any], lr: float) -> StepFigures:
        """One step, unless the loss or the gradient is not finite: then the weights and the optimizer stay as they are."""
        engine, processes = self._engine, self._engine.processes
        set_learning_rate(self._optimizer, lr)
        self._objective.train()
        self._optimizer.zero_grad(set_to_none=True)
        sums: list[Tensor] = []
        first_count = torch.ones(())
        for index, batch in enumerate(batches):
            with engine.last_of_step(self._objective, index + 1 == len(batches)):
                with engine.autocast():
                    loss = self._objective(engine.move(batch))
                if index == 0:  # of all batches: float16 needs losses of one size
                    first_count = processes.sum(loss.count.detach()).clamp(min=1)
                # the processes' gradients are averaged, and they have to be added
                engine.backward(loss.total * (processes.world_size / first_count))
            sums.append(torch.stack([loss.total.detach().float(), loss.count.detach().float()]))
        total, count = processes.sum(torch.stack(sums).sum(dim=0)).tolist()
        scale = float(first_count) / max(count, 1.0) if len(batches) > 1 else 1.0
        if not math.isfinite(total):
            return StepFigures(total, int(count), math.nan, is_finite=False)
        norm = engine.step(self._optimizer, self._parameters, self._config.clip_norm, scale=scale)
        overflow = engine.scaler.is_enabled() and engine.scaler.get_scale() >= 1.0
        return StepFigures(total, int(count), norm, is_finite=math.isfinite(norm) or overflow)
