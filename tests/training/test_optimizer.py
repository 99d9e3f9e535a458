from __future__ import annotations

import torch

from bpe_transformer.models import FAMILIES
from bpe_transformer.training import TrainingConfig
from bpe_transformer.training.trainer import _optimizer


def test_decay_pulls_at_matrices_only() -> None:
    torch.manual_seed(0)
    for family in FAMILIES.values():
        model = family.build(family.configure(family.options(d_model=16, n_layers=1), vocab_size=9, pad_id=0))
        named = dict(model.named_parameters())
        optimizer = _optimizer(named, TrainingConfig(weight_decay=0.5))
        before = {name: value.detach().clone() for name, value in named.items()}
        for group in optimizer.param_groups:
            group["lr"] = 0.1
        for value in named.values():
            value.grad = torch.zeros_like(value)
        optimizer.step()  # without a gradient only the decay moves weights
        for name, value in named.items():
            expected = before[name] * (1 - 0.1 * 0.5) if value.dim() > 1 else before[name]
            torch.testing.assert_close(value.detach(), expected)
        held = [p for group in optimizer.param_groups for p in group["params"]]
        assert len(held) == len(named)  # every parameter once, tied ones too
        assert all(value.dim() > 1 for value in optimizer.param_groups[0]["params"])
