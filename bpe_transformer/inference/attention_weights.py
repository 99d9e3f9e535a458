"""All attention weights of one pass of a model, with the tokens they stand between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from bpe_transformer import models
from bpe_transformer.errors import ConfigError
from bpe_transformer.tokenizer import Tokenizer

Weights = npt.NDArray[np.float32]
AttentionKind = Literal["cross", "encoder", "decoder"]

_TITLES: dict[AttentionKind, str] = {
    "cross": "decoder-to-encoder attention",
    "encoder": "encoder self-attention",
    "decoder": "decoder self-attention",
}


class LayerAttention(NamedTuple):
    """One layer's attention: what is attended to (S), what attends (T), weights (heads, T, S), and a title."""

    src_tokens: tuple[bytes, ...]
    tgt_tokens: tuple[bytes, ...]
    weights: Weights
    title: str


@dataclass(frozen=True)
class AttentionWeights:
    """All attention of one pass. Tokens are ids and their bytes; the target begins with <s> and is what attends.

    encoder: (layers, heads, S, S); decoder: (layers, heads, T, T); cross: (layers, heads, T, S), whose row t is how
    target token t+1 was written; None for what the family does not have. end_token: what ends a target, `</s>`.
    """

    src_tokens: tuple[bytes, ...]
    tgt_tokens: tuple[bytes, ...]
    encoder: Weights | None
    decoder: Weights | None
    cross: Weights | None
    end_token: bytes
    src_ids: tuple[int, ...]
    tgt_ids: tuple[int, ...]
    end_id: int

    @property
    def kinds(self) -> tuple[AttentionKind, ...]:
        """What there is of cross, decoder and encoder, in this order."""
        held: dict[AttentionKind, Weights | None]
        held = {"cross": self.cross, "decoder": self.decoder, "encoder": self.encoder}
        return tuple(name for name, found in held.items() if found is not None)

    def kind_named(self, kind: AttentionKind | None = None) -> AttentionKind:
        """`kind`, or the first there is of cross, decoder and encoder. Raises `ConfigError` when the model has none such."""
        there = self.kinds
        if not there:
            raise ConfigError("this model has no attention: its decoder knows the source by one context vector only")
        if kind is not None and kind not in there:
            raise ConfigError(f"this model has no {_TITLES[kind]}; choose kind={there[0]!r} or leave it out")
        return kind or there[0]

    @staticmethod
    def title(kind: AttentionKind) -> str:
        """A kind in words."""
        return _TITLES[kind]

    def row_ids(self, kind: AttentionKind) -> tuple[int, ...]:
        """The ids of what attends, as `layer` names the rows."""
        if kind == "cross":
            return (*self.tgt_ids[1:], self.end_id)
        return self.src_ids if kind == "encoder" else self.tgt_ids

    def column_ids(self, kind: AttentionKind) -> tuple[int, ...]:
        """The ids of what is attended to."""
        return self.tgt_ids if kind == "decoder" else self.src_ids

    def layer(self, layer: int | None = None, kind: AttentionKind | None = None) -> LayerAttention:
        """One layer of one kind, all its heads. Rows of cross-attention are named by the token being written.

        layer: from 1; None is the last. kind: None takes the first there is of cross, decoder and encoder.
        Raises `ConfigError` when the model has no such layer or kind.
        """
        kind = self.kind_named(kind)
        weights: Weights = getattr(self, kind)
        layers = len(weights)
        number = layers if layer is None else layer
        if not 1 <= number <= layers:
            raise ConfigError(f"there is no layer {number}; this model has layers 1 to {layers}")
        title = f"{self.title(kind)}, layer {number} of {layers}"
        if kind == "cross":
            # the row of the token read last is where the next one was written
            written = (*self.tgt_tokens[1:], self.end_token)
            return LayerAttention(self.src_tokens, written, weights[number - 1], title)
        tokens = self.src_tokens if kind == "encoder" else self.tgt_tokens
        return LayerAttention(tokens, tokens, weights[number - 1], title)


def token_bytes(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[bytes, ...]:
    """The tokens of `ids`, empty where the vocabulary has none."""
    return tuple(tokenizer.model.tokens[id] for id in ids)


def weights_of_row(
    weights: models.AttentionWeights,
    tokenizer: Tokenizer,
    *,
    src_ids: Sequence[int],
    tgt_ids: Sequence[int],
    end_id: int,
) -> AttentionWeights:
    """What a model gives for a batch of one row, as arrays with the tokens they stand between."""
    encoder, decoder, cross = (None if part is None else _single_row(part) for part in weights)
    src_tokens, tgt_tokens, (end_token,) = (token_bytes(tokenizer, ids) for ids in (src_ids, tgt_ids, [end_id]))
    return AttentionWeights(
        src_tokens,
        tgt_tokens,
        encoder,
        decoder,
        cross,
        end_token,
        tuple(src_ids),
        tuple(tgt_ids),
        end_id,
    )


def _single_row(weights: Tensor) -> Weights:
    """(layers, 1, H, T, S) -> (layers, H, T, S)"""
    array: Weights = weights[:, 0].float().cpu().numpy()
    return array
