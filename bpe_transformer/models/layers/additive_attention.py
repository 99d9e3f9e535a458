"""Attention of a recurrent decoder over the encoder's states: Bahdanau's additive score and Luong's three.

Queries (A, Q, C) and keys (A, S, K): the Q queries of a row look at the same S keys, one after another in training,
or as the beams of one sentence.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.layers.feed_forward import xavier_linear


class Attention(nn.Module):
    """Weights from a score, and the weighted sum of the memory; what the four scores share."""

    def project_keys(self, memory: Tensor) -> Tensor:
        """memory (A, S, M) -> keys (A, S, K): what of the score depends on the memory alone, computed once."""
        return memory

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """query (A, Q, C), keys (A, S, K) -> (A, Q, S)"""
        raise NotImplementedError

    def forward(self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """query (A, Q, C), keys (A, S, K), memory (A, S, M), mask (A, S) -> context (A, Q, M), weights (A, Q, S)."""
        scores = self.scores(query, keys).float()
        weights = scores.masked_fill(~mask[:, None], torch.finfo(scores.dtype).min).softmax(dim=-1)
        return weights.to(memory.dtype) @ memory, weights


class AdditiveAttention(Attention):
    """v · tanh(W q + U k + b) (Bahdanau et al. 2015, appendix A.1.2), where U k is computed once a sentence.

    The bias b is not the paper's, nor are the first values of W, U and v (N(0, 0.001²) and zeros there, B.1).
    """

    def __init__(self, *, d_query: int, d_memory: int, d_attention: int) -> None:
        super().__init__()
        self.query = xavier_linear(d_query, d_attention, bias=False)
        self.key = xavier_linear(d_memory, d_attention)
        self.score = nn.Parameter(torch.empty(d_attention).uniform_(-1, 1) / d_attention**0.5)

    def project_keys(self, memory: Tensor) -> Tensor:
        keys: Tensor = self.key(memory)
        return keys

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        hidden = (self.query(query)[:, :, None] + keys[:, None]).tanh()  # (A, Q, S, D)
        scores: Tensor = hidden @ self.score.to(hidden.dtype)
        return scores


class DotAttention(Attention):
    """q · m (Luong et al. 2015, equation 8); `ConfigError` unless query and memory are equally wide."""

    def __init__(self, *, d_query: int, d_memory: int) -> None:
        super().__init__()
        if d_query != d_memory:
            raise ConfigError(
                f"score='dot' needs a decoder state ({d_query}) as wide as the encoder's ({d_memory}); "
                "choose bidirectional=no or score='general'"
            )

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return query @ keys.transpose(1, 2)


class GeneralAttention(Attention):
    """q · W m (Luong et al. 2015, equation 8), where W m is computed once a sentence."""

    def __init__(self, *, d_query: int, d_memory: int) -> None:
        super().__init__()
        self.key = xavier_linear(d_memory, d_query, bias=False)

    def project_keys(self, memory: Tensor) -> Tensor:
        keys: Tensor = self.key(memory)
        return keys

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return query @ keys.transpose(1, 2)


class ConcatAttention(AdditiveAttention):
    """v · tanh(W [q; m]) (Luong et al. 2015, equation 8): the additive score with both matrices written as one."""


def make_attention(score: str, *, d_query: int, d_memory: int, d_attention: int) -> Attention:
    """`score` is "additive", "dot", "general" or "concat"; `ConfigError` for anything else."""
    if score == "additive":
        return AdditiveAttention(d_query=d_query, d_memory=d_memory, d_attention=d_attention)
    if score == "concat":
        return ConcatAttention(d_query=d_query, d_memory=d_memory, d_attention=d_attention)
    if score == "dot":
        return DotAttention(d_query=d_query, d_memory=d_memory)
    if score == "general":
        return GeneralAttention(d_query=d_query, d_memory=d_memory)
    raise ConfigError(f"score={score!r} is unknown; choose 'additive', 'dot', 'general' or 'concat'")
