"""The lengths of what attention adds up: a large weight on a short vector moves little (Kobayashi et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bpe_transformer.models.layers import Attention, MultiHeadAttention


class ValueNorms:
    """The lengths of the transformed values of one pass, by kind of attention: (layers, heads, S) each.

    A value is transformed by its head's part of the output matrix: ‖v_j W_O‖ (section 3.1 there). Of a recurrent decoder
    with attention it is the length of the encoder's state itself.
    """

    def __init__(self) -> None:
        self.found: dict[str, Tensor] = {}  # module name → (heads, S)

    def of_kind(self, kind: str) -> npt.NDArray[np.float32]:
        """The lengths of a kind, "cross", "encoder" or "decoder", in the order of the layers."""
        chosen = [norms for name, norms in self.found.items() if _is_of(name, kind)]
        stacked: npt.NDArray[np.float32] = torch.stack(chosen).float().cpu().numpy()
        return stacked


@contextmanager
def captured_value_norms(model: nn.Module) -> Iterator[ValueNorms]:
    """Keeps the lengths of the values while the block asks `model` for its attention over one row."""
    norms = ValueNorms()
    handles = []
    for name, module in model.named_modules():
        if isinstance(module, MultiHeadAttention):
            handles.append(module.register_forward_pre_hook(_keep_heads(norms, name), with_kwargs=True))
        elif isinstance(module, Attention):
            handles.append(module.register_forward_pre_hook(_keep_states(norms, name)))
    try:
        yield norms
    finally:
        for handle in handles:
            handle.remove()


def _keep_heads(norms: ValueNorms, name: str) -> Any:
    @torch.no_grad()
    def keep(module: MultiHeadAttention, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        if not options.get("need_weights"):
            return
        x: Tensor = args[0]
        context = args[1] if len(args) > 1 else options.get("context")
        if context is None:
            values = module.project(x, torch.arange(x.size(1), device=x.device), x.size(1))[2]
        else:
            values = module.project_context(context)[1]
        values = values[0].repeat_interleave(module.n_heads // module.n_kv_heads, dim=0)  # (H, S, D)
        output = module.out.weight.view(module.d_model, module.n_heads, module.head_dim).transpose(0, 1)  # (H, C, D)
        norms.found[name] = (values @ output.transpose(1, 2)).norm(dim=-1)

    return keep


def _keep_states(norms: ValueNorms, name: str) -> Any:
    def keep(_: nn.Module, args: tuple[Any, ...]) -> None:
        memory: Tensor = args[2]
        norms.found[name] = memory[0].norm(dim=-1)[None]

    return keep


def _is_of(name: str, kind: str) -> bool:
    """Whether a module belongs to a kind of attention; a model with one trunk has one kind only."""
    if name.endswith("cross_attention") or name == "decoder.attention":
        return kind == "cross"
    return name.startswith((kind, "trunk"))
