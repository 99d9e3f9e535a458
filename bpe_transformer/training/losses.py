"""The loss: cross-entropy against a smoothed target, computed together with the projection to the vocabulary."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_ROWS = 512  # states projected at a time: their logits then stay in the processor's cache


class _ProjectedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, targets: Tensor, smoothing: float, dtype: torch.dtype, needs: bool
    ) -> Tensor:
        low_weight = weight.to(dtype)
        total = states.new_zeros((), dtype=torch.float32)
        state_grad = torch.empty_like(states) if needs else None
        weight_grad = torch.zeros_like(weight) if needs else None
        for start in range(0, states.size(0), _ROWS):
            part, wanted = states[start : start + _ROWS].to(dtype), targets[start : start + _ROWS, None]
            logits = (part @ low_weight.t()).float()
            spread = logits.logsumexp(dim=1, keepdim=True)
            total += (spread - (1 - smoothing) * logits.gather(1, wanted) - smoothing * logits.mean(1, True)).sum()
            if state_grad is None or weight_grad is None:
                continue
            # d loss / d logits = softmax - smoothed target; the logits' memory takes it
            grad = logits.sub_(spread).exp_().sub_(smoothing / logits.size(1))
            low_grad = grad.scatter_add_(1, wanted, grad.new_full(wanted.shape, smoothing - 1)).to(dtype)
            state_grad[start : start + _ROWS] = low_grad @ low_weight
            weight_grad += low_grad.t() @ part
        ctx.save_for_backward(state_grad, weight_grad)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None, None]:
        state_grad, weight_grad = ctx.saved_tensors
        return state_grad * gradients[0], weight_grad * gradients[0], None, None, None, None


def projected_cross_entropy(
    states: Tensor, weight: Tensor, targets: Tensor, *, smoothing: float, dtype: torch.dtype
) -> Tensor:
    """Sum over states (N, C) of the cross-entropy of softmax(states @ weightᵀ) against targets (N,), in nats; scalar.

    weight: (V, C). The target has probability 1 - smoothing, plus smoothing spread evenly over the V ids (Szegedy et
    al. 2016, section 7; Vaswani et al. 2017, section 5.4), as `torch.nn.functional.cross_entropy` has it. Products run
    in `dtype`, everything else in float32. The (N, V) logits never stand in memory at once.
    """
    with torch.autocast(states.device.type, enabled=False):
        loss: Tensor = _ProjectedCrossEntropy.apply(  # type: ignore[no-untyped-call]
            states.float(), weight, targets, smoothing, dtype, torch.is_grad_enabled()
        )
    return loss
