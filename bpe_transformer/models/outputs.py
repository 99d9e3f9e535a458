"""What sequence-to-sequence models hand over: the encoded source, the decoder's cache, attention weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor


@dataclass
class Memory:
    """An encoded source: what of it the decoder reads.

    states: (A, S, C), None for a model with one context vector. mask: (A, S), True where the source is real.
    hidden: the state that a recurrent decoder begins with, (n_layers, A, H) each; empty for a Transformer.
    """

    states: Tensor | None
    mask: Tensor
    hidden: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        """Rows."""
        return self.mask.size(0)

    def select(self, rows: Tensor) -> Memory:
        """The rows (A',) in the order given."""
        states = None if self.states is None else self.states[rows]
        return Memory(states, self.mask[rows], tuple(part[:, rows] for part in self.hidden))


class Cache(Protocol):
    """What a decoder keeps between steps."""

    def reorder(self, rows: Tensor, sentences: Tensor) -> None:
        """Keeps `sentences` (A',) of those there are, each with its K' of the beams `rows` (A' · K',), in that order."""


class AttentionWeights(NamedTuple):
    """The weights of one pass; None for what a family does not have.

    encoder: (layers, B, H, S, S); decoder: (layers, B, H, T, T); cross: (layers, B, H, T, S).
    """

    encoder: Tensor | None = None
    decoder: Tensor | None = None
    cross: Tensor | None = None
