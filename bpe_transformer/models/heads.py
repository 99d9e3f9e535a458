"""What turns a trunk's states into predictions."""

from __future__ import annotations

from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.config import ModelConfig, Pool, TransformerConfig
from bpe_transformer.models.layers import Dropout, activation_named, make_norm, padding_mask, xavier_linear


class LanguageModelHead(nn.Module):
    """states · weightᵀ: logits of every id. The weight is the embedding's when tied (Press and Wolf 2017).

    A loss that never has all logits in memory takes `hidden(states)`, `weight` and `bias` instead of `forward`.
    """

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self, *, d_model: int, vocab_size: int, embedding: nn.Embedding | None = None, bias: bool = False
    ) -> None:
        super().__init__()
        if embedding is None:
            self.weight = nn.Parameter(torch.empty(vocab_size, d_model).normal_(std=d_model**-0.5))
        else:
            self.weight = cast(nn.Parameter, embedding.weight)
        self.bias = nn.Parameter(torch.zeros(vocab_size)) if bias else None

    def hidden(self, states: Tensor) -> Tensor:
        """States (…, C) -> what is multiplied with the weight (…, C)."""
        return states

    def forward(self, states: Tensor) -> Tensor:
        """States (…, C) -> logits (…, V)."""
        return functional.linear(self.hidden(states), self.weight, self.bias)


class MaskedLMHead(LanguageModelHead):
    """norm(activation(W x + b)) · weightᵀ + bias (Devlin et al. 2019, as in their code)."""

    def __init__(self, config: TransformerConfig, *, embedding: nn.Embedding | None = None) -> None:
        super().__init__(d_model=config.d_model, vocab_size=config.vocab_size, embedding=embedding, bias=True)
        self.dense = xavier_linear(config.d_model, config.d_model)
        self.activation = activation_named(config.activation)
        self.norm = make_norm(config.norm, config.d_model, eps=config.norm_eps, bias=config.bias)

    def hidden(self, states: Tensor) -> Tensor:
        hidden: Tensor = self.norm(self.activation(self.dense(states)))
        return hidden


class Trunk(Protocol):
    """What a classification head stands on: `DecoderOnly` or `EncoderOnly`."""

    config: TransformerConfig

    def __call__(self, ids: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """ids (B, T) -> states (B, T, C)"""


class ClassificationHead(nn.Module):
    """The pooled states of a row through tanh(W x + b), dropout and a projection to the classes.

    pool: "first" takes the first token's state (BERT's [CLS], Devlin et al. 2019, section 4.1); "mean" the mean of
    all that are not padding; "last" the last of them (Radford et al. 2018, section 3.2, for a decoder).
    """

    def __init__(self, *, d_model: int, n_classes: int, pool: Pool = "first", dropout: float = 0.1) -> None:
        super().__init__()
        if pool not in ("first", "mean", "last"):
            raise ConfigError(f"pool={pool!r} is unknown; choose 'first', 'mean' or 'last'")
        if n_classes < 2:
            raise ConfigError(f"n_classes={n_classes} leaves nothing to decide; ask for at least 2")
        self.pool = pool
        self.dense = xavier_linear(d_model, d_model)
        self.dropout = Dropout(dropout)
        self.out = xavier_linear(d_model, n_classes)

    def forward(self, states: Tensor, real: Tensor) -> Tensor:
        """States (B, T, C), real (B, T) bool, False for padding -> logits (B, n_classes)."""
        logits: Tensor = self.out(self.dropout(self.dense(self._pooled(states, real)).tanh()))
        return logits

    def _pooled(self, states: Tensor, real: Tensor) -> Tensor:
        if self.pool == "first":
            return states[:, 0]
        if self.pool == "mean":
            kept = real.to(states.dtype).unsqueeze(-1)  # (B, T, 1)
            return (states * kept).sum(dim=1) / kept.sum(dim=1).clamp(min=1)
        last = (real.sum(dim=1) - 1).clamp(min=0)  # padding stands at the end
        return states[torch.arange(states.size(0), device=states.device), last]


class Classifier(nn.Module):
    """Any trunk with a classification head; what fine-tuning trains."""

    def __init__(self, trunk: nn.Module, *, n_classes: int, pool: Pool = "first", dropout: float = 0.1) -> None:
        super().__init__()
        config = trunk.config
        if not isinstance(config, ModelConfig):
            raise ConfigError(
                f"a classification head cannot stand on {type(trunk).__name__}; pass a DecoderOnly or an EncoderOnly"
            )
        self.trunk = trunk
        self.pad_id = config.pad_id
        self.head = ClassificationHead(d_model=config.d_model, n_classes=n_classes, pool=pool, dropout=dropout)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B, T), padded at the end -> logits (B, n_classes)"""
        logits: Tensor = self.head(self.trunk(ids, mask=padding_mask(ids, self.pad_id)), ids != self.pad_id)
        return logits
