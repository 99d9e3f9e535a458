"""What of all the attention of a pass is shown: a layer, a head, their mean or maximum, rollout, or value norms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.attention.attention_map import AttentionMap
from bpe_transformer.inspection.attention.methods import Choice, Method

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bpe_transformer.inference.attention_weights import AttentionKind, AttentionWeights
    from bpe_transformer.inference.value_norms import ValueNorms

    Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """Which weights are read.

    kind: None is the first there is of cross, decoder and encoder. layer: from 1; None is the last; "mean" and "max" are
    over layers. head: likewise. method: the weights; "norms", each times the length of what it brings (Kobayashi et al.
    2020); or "rollout", through all layers up to this one (Abnar and Zuidema 2020). A maximum, and weights times
    norms, are divided by the sum of their row.
    """

    kind: AttentionKind | None = None
    layer: Choice | None = None
    head: Choice = "mean"
    method: Method = "weights"


def read_attention(weights: AttentionWeights, reading: Reading, norms: ValueNorms | None = None) -> list[AttentionMap]:
    """The maps of a reading: one, or one for each layer and head where it says "all".

    norms: for the method "norms".

    Raises:
        ConfigError: the model has no such kind, layer or head.
    """
    kind = weights.kind_named(reading.kind)
    whole: Array = getattr(weights, kind)  # (layers, heads, T, S)
    if reading.method == "norms":
        if norms is None:
            raise ConfigError("method='norms' needs the value norms of the same pass; pass norms=")
        whole = _rows_to_one(whole * norms.of_kind(kind)[:, :, None, :])
    elif reading.method == "rollout":
        whole = _rolled_out(weights, kind)
    count, heads = whole.shape[:2]
    layer_choice = count if reading.layer is None else reading.layer
    maps = []
    for layer, layer_title in _chosen(layer_choice, count, "layer"):
        for head, head_title in _chosen(reading.head, heads, "head"):
            found = _reduced(_reduced(whole, layer, 0), head, 0)
            base = weights.layer(1, kind)
            parts = [weights.title(kind), layer_title, head_title]
            if reading.method != "weights":
                parts.append({"norms": "weight times value norm", "rollout": "rollout"}[reading.method])
            maps.append(AttentionMap(base.src_tokens, base.tgt_tokens, found, ", ".join(filter(None, parts))))
    return maps


def _chosen(choice: Choice, count: int, noun: str) -> list[tuple[int | str, str]]:
    """Indices from 0, or "mean" or "max", each with its title."""
    if choice == "all":
        return [(number, f"{noun} {number + 1} of {count}") for number in range(count)]
    if choice in ("mean", "max"):
        if count == 1:
            return [(0, f"{noun} 1 of 1" if noun == "layer" else "")]
        return [(str(choice), f"{'mean' if choice == 'mean' else 'maximum'} of {count} {noun}s")]
    assert isinstance(choice, int)
    if not 1 <= choice <= count:
        more = ", or the mean" if noun == "head" else ""
        held = f"this model has layers 1 to {count}" if noun == "layer" else f"choose 1 to {count}{more}"
        raise ConfigError(f"there is no {noun} {choice}; {held}")
    return [(choice - 1, f"{noun} {choice} of {count}")]


def _reduced(weights: Array, choice: int | str, axis: int) -> Array:
    import numpy as np

    if choice == "mean":
        mean: Array = weights.mean(axis=axis)
        return mean
    if choice == "max":
        largest: Array = weights.max(axis=axis)
        return _rows_to_one(largest)
    found: Array = np.take(weights, int(choice), axis=axis)
    return found


def _rows_to_one(weights: Array) -> Array:
    """Each row divided by its sum; a row of zeros stays."""
    sums = weights.sum(axis=-1, keepdims=True)
    divided: Array = weights / (sums + (sums == 0))
    return divided


def _rolled_out(weights: AttentionWeights, kind: AttentionKind) -> Array:
    """(layers, 1, T, S): how much of each input reaches each position by the residual way and by attention, half and half.

    Cross-attention is followed by the encoder's rollout, where there is one: from a target token to source tokens as
    they were before the encoder.
    """
    import numpy as np

    def through(layers: Array) -> Array:
        length = layers.shape[-1]
        state = np.eye(length, dtype=np.float32)
        found = []
        for layer in layers.mean(axis=1):
            state = (0.5 * layer + 0.5 * np.eye(length, dtype=np.float32)) @ state
            found.append(state)
        return np.stack(found)

    whole: Array = getattr(weights, kind)
    if kind != "cross":
        return through(whole)[:, None]
    mean: Array = whole.mean(axis=1)
    if weights.encoder is not None:
        mean = mean @ through(weights.encoder)[-1]
    return mean[:, None]
