"""Attention weights as plain data, between tokens of a source and a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import ConfigError, refuse_one_string
from bpe_transformer.inspection.attention.units import Unit, Units
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Alignment(View):
    """The source token that a target token attends to most."""

    tgt: int  # position in tgt_tokens
    src: int  # position in src_tokens
    weight: float  # 0 to 1

    def as_dict(self) -> dict[str, Any]:
        return {"tgt": self.tgt, "src": self.src, "weight": self.weight}


@dataclass(frozen=True, slots=True)
class SentenceLinks(View):
    """Two sentences, source and target, and the lines between their tokens or words."""

    src_tokens: tuple[bytes, ...]
    tgt_tokens: tuple[bytes, ...]
    links: tuple[Alignment, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "src_tokens": [token_dict(token) for token in self.src_tokens],
            "tgt_tokens": [token_dict(token) for token in self.tgt_tokens],
            "links": [link.as_dict() for link in self.links],
        }


class AttentionMap(View):
    """The weights of one layer between the tokens of a target (rows) and of a source (columns).

    Args:
        src_tokens: S tokens, what is attended to; bytes or text.
        tgt_tokens: T tokens, what attends.
        weights: (heads, T, S), or (T, S) for a single head; each row sums to 1.
        title: what is shown, such as "decoder layer 3, cross-attention".
        unit: what a row and a column is: a token, or a word or a character that tokens were folded to.

    Raises:
        ConfigError: the weights do not fit the tokens, or are not numbers between 0 and 1.
    """

    __slots__ = ("src_tokens", "tgt_tokens", "title", "unit", "weights")

    def __init__(
        self,
        src_tokens: Sequence[bytes | str],
        tgt_tokens: Sequence[bytes | str],
        weights: ArrayLike,
        title: str = "attention",
        unit: Unit = "tokens",
    ) -> None:
        import numpy as np

        refuse_one_string(src_tokens=src_tokens, tgt_tokens=tgt_tokens)
        array = np.asarray(weights, dtype=np.float32)
        if array.ndim == 2:
            array = array[None]
        expected = (len(tgt_tokens), len(src_tokens))
        if array.ndim != 3 or array.shape[1:] != expected or not array.size:
            raise ConfigError(
                f"attention weights of shape {tuple(array.shape)} do not fit {expected[0]} target and {expected[1]} "
                f"source tokens; pass an array of shape (heads, {expected[0]}, {expected[1]})"
            )
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1 + 1e-3:
            raise ConfigError("attention weights must lie between 0 and 1; pass them after the softmax")
        self.src_tokens = tuple(_as_bytes(token) for token in src_tokens)
        self.tgt_tokens = tuple(_as_bytes(token) for token in tgt_tokens)
        self.weights: NDArray[np.float32] = array
        self.title = title
        self.unit = unit

    @property
    def num_heads(self) -> int:
        return int(self.weights.shape[0])

    def mean(self) -> AttentionMap:
        """The mean over the heads, as a map with one head."""
        title = f"{self.title}, mean of {self.num_heads} heads" if self.num_heads > 1 else self.title
        return AttentionMap(self.src_tokens, self.tgt_tokens, self.weights.mean(axis=0), title, self.unit)

    def head(self, number: int) -> AttentionMap:
        """The map of one head; heads count from 1.

        Raises:
            ConfigError: there is no such head.
        """
        if not 1 <= number <= self.num_heads:
            raise ConfigError(f"there is no head {number}; choose 1 to {self.num_heads}, or the mean")
        title = f"{self.title}, head {number} of {self.num_heads}"
        return AttentionMap(self.src_tokens, self.tgt_tokens, self.weights[number - 1], title, self.unit)

    def folded(self, src: Units, tgt: Units, unit: Unit) -> AttentionMap:
        """The map between units of its tokens: columns are summed, rows averaged, so that rows still sum to 1."""
        weights = tgt.mean_rows(src.sum_columns(self.weights))
        return AttentionMap(src.names, tgt.names, weights, self.title, unit)

    def alignments(self) -> tuple[Alignment, ...]:
        """For every target token the source token with the largest weight in the mean over heads (ties: the first)."""
        mean = self.weights.mean(axis=0)
        best = mean.argmax(axis=1)
        return tuple(Alignment(tgt, int(src), float(mean[tgt, src])) for tgt, src in enumerate(best))

    def links(self, least: float = 0.25) -> SentenceLinks:
        """The lines between the two sentences: every weight of `least` or more in the mean, and each row's largest."""
        mean = self.weights.mean(axis=0)
        best = mean.argmax(axis=1)
        links = [
            Alignment(tgt, src, float(weight))
            for tgt, row in enumerate(mean)
            for src, weight in enumerate(row)
            if weight >= least or src == best[tgt]
        ]
        return SentenceLinks(self.src_tokens, self.tgt_tokens, tuple(links))

    def as_dict(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "unit": self.unit,
            "src_tokens": [token_dict(token) for token in self.src_tokens],
            "tgt_tokens": [token_dict(token) for token in self.tgt_tokens],
            "weights": self.weights.tolist(),
            "alignments": [alignment.as_dict() for alignment in self.alignments()],
        }


def _as_bytes(token: bytes | str) -> bytes:
    return token if isinstance(token, bytes) else token.encode("utf-8", errors="surrogatepass")
