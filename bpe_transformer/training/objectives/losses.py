"""The loss: cross-entropy against a smoothed target, computed together with the projection to the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from bpe_transformer.data.batches.batch import IGNORED

# states projected at a time: on a CPU their logits then stay in the processor's cache
_CPU_ROWS, _GPU_ROWS = 512, 8192
_REPEATED_ROWS, _MOSTLY = 64, 0.85  # see `rows_to_project`


def projected_cross_entropy(
    states: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    smoothing: float = 0.0,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Sum over states (N, C) of the cross-entropy of softmax(states @ weightᵀ + bias) against targets (N,), nats.

    weight: (V, C); bias: (V,). Targets of `IGNORED` do not count. The target has probability 1 - smoothing, plus
    smoothing spread evenly over the V ids (Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4), as
    `torch.nn.functional.cross_entropy` has it. Products run in `dtype`, everything else in float32. The (N, V) logits
    never stand in memory at once, and the gradients are computed along with the loss.
    """
    needs_grad = torch.is_grad_enabled() and (states.requires_grad or weight.requires_grad)
    arguments = (states.float(), weight, bias, targets, smoothing, dtype, needs_grad)
    loss: Tensor
    if torch.compiler.is_compiling():
        loss, _, _, _ = _compiled_cross_entropy(*arguments)
        return loss
    loss = _EagerCrossEntropy.apply(*arguments)  # type: ignore[no-untyped-call]
    return loss


def projected_divergence(
    states: Tensor, other: Tensor, weight: Tensor, *, bias: Tensor | None = None, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Sum over two sets of states (N, C) of KL(p, q) + KL(q, p), p and q being softmax(states @ weightᵀ + bias), nats.

    weight: (V, C). The logits of a few rows at a time stand in memory; they are computed once more for the gradients.
    """
    total = states.new_zeros(())
    rows = _CPU_ROWS if states.device.type == "cpu" else _GPU_ROWS
    for p, q in zip(torch.split(states, rows), torch.split(other, rows), strict=True):
        total = total + checkpoint(_divergence, p, q, weight, bias, dtype, use_reentrant=False)
    return total


def _divergence(p: Tensor, q: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    low = weight.to(dtype)
    first, second = (
        (logits if bias is None else logits + bias).log_softmax(dim=1)
        for logits in ((part.to(dtype) @ low.t()).float() for part in (p, q))
    )
    return ((first.exp() - second.exp()) * (first - second)).sum()


def _loss_and_gradients(
    states: Tensor,
    weight: Tensor,
    bias: Optional[Tensor],  # noqa: UP045 (the schema is read from these annotations)
    targets: Tensor,
    smoothing: float,
    dtype: torch.dtype,
    needs_grad: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The loss, and its gradients with respect to states, weight and bias (empty where they are not needed)."""
    with torch.autocast(states.device.type, enabled=False):
        total = states.new_zeros(())
        state_grad = torch.zeros_like(states) if needs_grad else states.new_empty(0)
        weight_grad = torch.zeros_like(weight) if needs_grad else weight.new_empty(0)
        bias_grad = torch.zeros_like(bias) if needs_grad and bias is not None else states.new_empty(0)
        low_weight = weight.to(dtype)
        for rows in _row_blocks(states, targets, dtype):
            part, wanted = states[rows].to(dtype), targets[rows, None]
            ignored, wanted = wanted == IGNORED, wanted.clamp(min=0)
            logits = (part @ low_weight.t()).float()
            if bias is not None:
                logits += bias
            spread = logits.logsumexp(dim=1, keepdim=True)
            losses = spread - (1 - smoothing) * logits.gather(1, wanted)
            if smoothing:
                losses -= smoothing * logits.mean(1, True)
            total += losses.masked_fill_(ignored, 0.0).sum()
            if not needs_grad:
                continue
            # d loss / d logits = softmax - smoothed target; the logits' memory takes it
            grad = logits.sub_(spread).exp_()
            if smoothing:
                grad.sub_(smoothing / logits.size(1))
            grad.scatter_add_(1, wanted, grad.new_full(wanted.shape, smoothing - 1))
            grad.masked_fill_(ignored, 0.0)
            if bias is not None:
                bias_grad += grad.sum(0)
            low_grad = grad.to(dtype)
            state_grad[rows] = (low_grad @ low_weight).float()
            weight_grad += low_grad.t() @ part
    return total, state_grad, weight_grad, bias_grad


def rows_to_project(real: Tensor, count: int, dtype: torch.dtype) -> Tensor | None:
    """Numbers of the rows to compute, of which `real` (N,), `count` of them, have a target; None: all.

    Those without one are left out, the head being the costliest layer. But in half precision on a CPU oneDNN compiles every
    product for its shape: there their number is a multiple of 64, or all, so that shapes repeat from batch to batch.
    """
    whole = real.numel()
    if real.device.type != "cpu" or dtype == torch.float32:
        return None if count == whole else torch.nonzero(real)[:, 0]
    wanted = -(-count // _REPEATED_ROWS) * _REPEATED_ROWS
    if wanted >= _MOSTLY * whole:
        return None
    return torch.cat((torch.nonzero(real)[:, 0], torch.nonzero(~real)[: wanted - count, 0]))


def _row_blocks(states: Tensor, targets: Tensor, dtype: torch.dtype) -> Sequence[Tensor] | list[slice]:
    """Blocks of about one size of the rows that have a target, by their numbers; or of all rows, without a copy."""
    size = _CPU_ROWS if states.device.type == "cpu" else _GPU_ROWS
    real = targets != IGNORED
    chosen = rows_to_project(real, int(real.sum()), dtype)
    number = targets.numel() if chosen is None else chosen.numel()
    size = -(-number // max(1, -(-number // size)))
    if number == 0:
        return []
    if chosen is not None:
        return torch.split(chosen, size)
    return [slice(start, start + size) for start in range(0, number, size)]


class _EagerCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        output = _loss_and_gradients(*inputs)
        _save_gradients(ctx, inputs, output)
        return output[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return _scale_gradients(ctx, *gradients)


# a custom operator, because a compiled graph then holds it as one node
_compiled_cross_entropy = torch.library.custom_op(
    "bpe_transformer::projected_cross_entropy", _loss_and_gradients, mutates_args=()
)


@_compiled_cross_entropy.register_fake
def _shapes(
    states: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    smoothing: float,
    dtype: torch.dtype,
    needs_grad: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    nothing = states.new_empty(0)
    if not needs_grad:
        return states.new_empty(()), nothing, weight.new_empty(0), states.new_empty(0)
    bias_grad = nothing if bias is None else torch.empty_like(bias)
    return states.new_empty(()), torch.empty_like(states), torch.empty_like(weight), bias_grad


def _save_gradients(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.has_bias = inputs[2] is not None
    ctx.save_for_backward(*output[1:])
    ctx.set_materialize_grads(False)


def _scale_gradients(ctx: Any, total: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
    state_grad, weight_grad, bias_grad = ctx.saved_tensors
    scaled_bias = bias_grad * total if ctx.has_bias else None
    return state_grad * total, weight_grad * total, scaled_bias, None, None, None, None


_compiled_cross_entropy.register_autograd(_scale_gradients, setup_context=_save_gradients)
