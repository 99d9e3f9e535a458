"""Averages of weights: over the last validations, and exponentially over all steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


class WeightAverage:
    """An exponential moving average of weights (Polyak and Juditsky 1992, as Adam's section 7.2 has it).

    In the first steps the decay is (1 + steps) / (10 + steps), if that is less, so that the initial weights are
    soon forgotten.
    """

    def __init__(self, named: Mapping[str, Tensor], decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in named.items()}

    @torch.no_grad()
    def update(self, named: Mapping[str, Tensor], step: int) -> None:
        """Moves the average towards the weights after step number `step` (from 1)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, average in self.weights.items():
            average.lerp_(named[name].detach(), 1 - decay)


def mean_of(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each weight over several sets of them."""
    return {name: torch.stack([part[name] for part in parts]).mean(dim=0) for name in parts[0]}
