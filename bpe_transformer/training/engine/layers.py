"""The layers of a model, which are checkpointed and divided one by one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.layers import TransformerLayer


def layers_of(objective: nn.Module) -> list[nn.Module]:
    """Its Transformer layers; none in a recurrent model."""
    return [module for module in objective.modules() if isinstance(module, TransformerLayer)]


def checkpoint_layers(objective: nn.Module) -> None:
    """Makes every layer keep its input only, and compute the rest anew for the backward pass (Chen et al. 2016).

    Raises:
        ConfigError: the model has no such layers.
    """
    layers = layers_of(objective)
    if not layers:
        raise ConfigError(
            "activation_checkpointing=True needs Transformer layers, and this family has none; "
            "leave it out, and lower max_tokens to save memory"
        )
    for layer in layers:
        layer.forward = functools.partial(_checkpointed, layer, layer.forward)


def _checkpointed(layer: nn.Module, forward: Callable[..., object], *arguments: object, **named: Any) -> object:
    if not layer.training:
        return forward(*arguments, **named)
    return checkpoint(forward, *arguments, use_reentrant=False, **named)
