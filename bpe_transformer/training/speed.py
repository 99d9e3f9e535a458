"""How fast this machine trains a model, about: for settings that are fitted to a run which the clock ends."""

from __future__ import annotations

import time

import torch

from bpe_transformer.models.registry import family_named
from bpe_transformer.training.config import Settings
from bpe_transformer.training.engine import find_device

_SIDE = 384  # of the matrices that are multiplied: about what a small model multiplies
_USED = 0.3  # share of that speed that a training step reaches, by Multi30k's model on two cores


def estimated_ids_per_second(settings: Settings, vocab_size: int) -> float:
    """Ids of the longer side trained on in a second, within a factor of two or so; measured in a tenth of a second."""
    family = family_named(settings.family)
    config = family.configure(settings.model, vocab_size=1, pad_id=0)
    layers = sum(value.numel() for value in family.build(config).parameters())
    multiplied = layers + vocab_size * settings.model.d_model
    return _USED * _flops_per_second(find_device(settings.training.device)) / (6.0 * multiplied)


def _flops_per_second(device: torch.device) -> float:
    side = _SIDE if device.type == "cpu" else 8 * _SIDE
    left, right = torch.ones(side, side, device=device), torch.ones(side, side, device=device)
    best = 0.0
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(4):
            product = left @ right
        float(product[0, 0])  # waits for a GPU
        best = max(best, 4 * 2.0 * side**3 / (time.perf_counter() - began))
    return best
