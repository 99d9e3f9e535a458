"""The feed-forward sublayer: two linear maps with an activation between, at every position alike."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from bpe_transformer.errors import ConfigError


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU by the tanh formula that GPT-2 has (Hendrycks and Gimpel 2016, section 2); (…) -> (…)."""
    return functional.gelu(x, approximate="tanh")


def squared_relu(x: Tensor) -> Tensor:
    """max(x, 0)² (So et al. 2021, section 4.1); (…) -> (…)."""
    return functional.relu(x).square()


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "gelu_tanh": gelu_tanh,
    "swiglu": functional.silu,
    "relu2": squared_relu,
}


def activation_named(kind: str) -> Callable[[Tensor], Tensor]:
    """The function (…) -> (…) of an activation, that of the gate for "swiglu"; `ConfigError` for an unknown one."""
    if kind not in _ACTIVATIONS:
        raise ConfigError(f"activation={kind!r} is unknown; choose {' or '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[kind]


class FeedForward(nn.Module):
    """down_proj(activation(up_proj(x))) (Vaswani et al. 2017, section 3.3); (B, T, C) -> (B, T, C).

    With activation="swiglu" it is down_proj(silu(gate_proj(x)) · up_proj(x)) (Shazeer 2020, equation 6), which has a
    third matrix.
    """

    def __init__(self, *, d_model: int, d_ff: int, activation: str = "relu", bias: bool = True) -> None:
        super().__init__()
        self.activation = activation_named(activation)
        self.gate_proj = xavier_linear(d_model, d_ff, bias=bias) if activation == "swiglu" else None
        self.up_proj = xavier_linear(d_model, d_ff, bias=bias)
        self.down_proj = xavier_linear(d_ff, d_model, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.gate_proj is None:
            inner = self.activation(self.up_proj(x))  # (B, T, d_ff)
        else:
            inner = self.activation(self.gate_proj(x)) * self.up_proj(x)
        projected: Tensor = self.down_proj(inner)
        return projected


def xavier_linear(inputs: int, outputs: int, *, bias: bool = True) -> nn.Linear:
    """A linear map with Glorot and Bengio's (2010) uniform weights and zero biases."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
