"""Random numbers that are a function of a counter: the same on every device and in every order."""

from __future__ import annotations

import torch
from torch import Tensor


def counter_uniform(seed: int, *counters: Tensor | int) -> Tensor:
    """Uniform in [0, 1), float32, of the broadcast shape of the counters (int64): a hash of seed and counters.

    The hash is SplitMix64's finalizer (Steele et al. 2014), once a counter; no generator is read or moved.
    """
    state: Tensor | int = _signed(seed * 0x9E3779B97F4A7C15 + 1)
    for counter in counters:
        mixed = torch.as_tensor(counter, dtype=torch.int64) if isinstance(counter, int) else counter
        state = _mix(mixed * _signed(0x9E3779B97F4A7C15) + state)
    assert isinstance(state, Tensor)
    return ((state >> 40) & 0xFFFFFF).float() / (1 << 24)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ ((x >> 30) & ((1 << 34) - 1))) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ ((x >> 27) & ((1 << 37) - 1))) * _signed(0x94D049BB133111EB)
    return x ^ ((x >> 31) & ((1 << 33) - 1))


def _signed(value: int) -> int:
    """The two's complement of the lowest 64 bits: torch's integers are signed and wrap around."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
