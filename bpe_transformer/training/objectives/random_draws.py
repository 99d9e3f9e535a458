"""Random numbers that are a function of a counter: the same on every device and in every order."""

from __future__ import annotations

import torch
from torch import Tensor


def counter_uniform(seed: int, *counters: Tensor | int) -> Tensor:
    """Uniform in [0, 1), float32, of the broadcast shape of the counters (int64): a hash of seed and counters.

    The hash is SplitMix64's finalizer (Steele et al. 2014), once a counter; no generator is read or moved.
    """
    tensors = [torch.as_tensor(counter, dtype=torch.int64) for counter in counters]
    drawn: Tensor = _counter_uniform(_signed(seed * 0x9E3779B97F4A7C15 + 1), tensors)
    return drawn


# a custom operator, because torch's compiler for CPUs draws other numbers at the end of a row (2.13)
@torch.library.custom_op(
    "bpe_transformer::counter_uniform", mutates_args=(), schema="(int seed, Tensor[] counters) -> Tensor"
)
def _counter_uniform(seed: int, counters: list[Tensor]) -> Tensor:
    state: Tensor | int = seed
    for counter in counters:
        state = _mix(counter * _signed(0x9E3779B97F4A7C15) + state)
    assert isinstance(state, Tensor)
    return ((state >> 40) & 0xFFFFFF).float() / (1 << 24)


@_counter_uniform.register_fake
def _shape(seed: int, counters: list[Tensor]) -> Tensor:
    broadcast = counters[0]
    for counter in counters[1:]:
        broadcast = broadcast + counter
    return torch.empty_like(broadcast, dtype=torch.float32)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ ((x >> 30) & ((1 << 34) - 1))) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ ((x >> 27) & ((1 << 37) - 1))) * _signed(0x94D049BB133111EB)
    return x ^ ((x >> 31) & ((1 << 33) - 1))


def _signed(value: int) -> int:
    """The two's complement of the lowest 64 bits: torch's integers are signed and wrap around."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
