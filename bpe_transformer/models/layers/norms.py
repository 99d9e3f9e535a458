"""Layer norm and RMS norm."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bpe_transformer.errors import ConfigError


class LayerNorm(nn.LayerNorm):
    """(x - mean) / √(variance + eps) · gain + bias over the last dimension (Ba et al. 2016); (…, C) -> (…, C)."""

    def __init__(self, d_model: int, *, eps: float = 1e-5, bias: bool = True) -> None:
        super().__init__(d_model, eps=eps, bias=bias)


class RMSNorm(nn.Module):
    """x / √(mean(x²) + eps) · gain over the last dimension (Zhang and Sennrich 2019, equation 4); (…, C) -> (…, C)."""

    def __init__(self, d_model: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()  # the mean of squares overflows in half precision
        normed: Tensor = wide * (wide.square().mean(dim=-1, keepdim=True) + self.eps).rsqrt()
        return normed.to(x.dtype) * self.weight

    def extra_repr(self) -> str:
        return f"{self.weight.numel()}, eps={self.eps}"


def make_norm(kind: str, d_model: int, *, eps: float = 1e-5, bias: bool = True) -> nn.Module:
    """`kind` is "layernorm" or "rmsnorm" (which has no bias); `ConfigError` for anything else."""
    if kind == "layernorm":
        return LayerNorm(d_model, eps=eps, bias=bias)
    if kind == "rmsnorm":
        return RMSNorm(d_model, eps=eps)
    raise ConfigError(f"norm={kind!r} is unknown; choose 'layernorm' or 'rmsnorm'")
