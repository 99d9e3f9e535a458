"""What attention keeps between decoding steps."""

from __future__ import annotations

import torch
from torch import Tensor

from bpe_transformer.models.layers.masks import cached_mask


class KVCache:
    """Keys and values of the positions seen so far, each (B, H, capacity, D), written at their positions.

    The memory is allocated once and only grows (doubling) when a position lies beyond it. Slots that no position was
    written to are for the mask to hide.
    """

    def __init__(self, capacity: int = 64) -> None:
        self.capacity = capacity
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def update(self, positions: Tensor, keys: Tensor, values: Tensor, end: int) -> tuple[Tensor, Tensor]:
        """Writes keys and values (B, H, T, D) at `positions`, (T,) for all rows or (B, T), all of them below `end`.

        Returns the keys and values of the slots below `end`, (B, H, end, D) each.
        """
        if self.keys is None or self.values is None:
            self.capacity = max(self.capacity, end)
            self.keys, self.values = self._allocate(keys), self._allocate(values)
        elif end > self.capacity:
            self.capacity = max(2 * self.capacity, end)
            self.keys, self.values = self._allocate(self.keys), self._allocate(self.values)
        for buffer, new in ((self.keys, keys), (self.values, values)):
            if positions.dim() == 1:
                buffer.index_copy_(2, positions, new.to(buffer.dtype))
            else:
                index = positions[:, None, :, None].expand_as(new)
                buffer.scatter_(2, index, new.to(buffer.dtype))
        return self.keys[:, :, :end], self.values[:, :, :end]

    def reorder(self, rows: Tensor) -> None:
        """Keeps the batch rows (R,) in the order given; a row may come several times."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys.index_select(0, rows), self.values.index_select(0, rows)

    def _allocate(self, held: Tensor) -> Tensor:
        rows, heads, length, width = held.shape
        buffer = held.new_zeros(rows, heads, self.capacity, width)
        if self.keys is not None:
            buffer[:, :, :length] = held
        return buffer


class ProjectedMemory:
    """The keys and values of an encoder's output, projected at the first decoding step: (A, H, S, D) each."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def reorder(self, rows: Tensor) -> None:
        """Keeps the rows (A',) of the memory in the order given."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys.index_select(0, rows), self.values.index_select(0, rows)


class DecodingCache:
    """What a Transformer's decoder keeps between steps: its own past and, over an encoder, the projected memory.

    Prompts of several lengths are padded at the right, run at once, and then cut to their lengths with `trim`: every
    row goes on writing at its own position, over the padding, which no query has seen.
    """

    def __init__(self, n_layers: int, *, capacity: int = 64) -> None:
        self.self_attention = [KVCache(capacity) for _ in range(n_layers)]
        self.cross_attention = [ProjectedMemory() for _ in range(n_layers)]
        self.end = 0  # above every position written so far
        self.lengths: Tensor | None = None  # (B,) ids of each row; None: `end` of them in every row

    def advance(self, count: int, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """The positions of the next `count` ids of every row, (T,) or (B, T), and the mask over the cache's slots."""
        steps = torch.arange(count, device=device)
        if self.lengths is None:
            positions = self.end + steps
        else:
            positions = self.lengths[:, None] + steps
            self.lengths = self.lengths + count
        self.end += count
        sees_all = self.lengths is None and count == 1
        return positions, None if sees_all else cached_mask(positions, self.end)

    def trim(self, lengths: Tensor) -> None:
        """Keeps only the first `lengths` (B,) ids of every row."""
        self.lengths = lengths

    def reorder(self, rows: Tensor, memory_rows: Tensor | None = None) -> None:
        """Keeps `rows` (R,) of the decoded past and `memory_rows` (A,) of the memory (None: all), in that order."""
        for own in self.self_attention:
            own.reorder(rows)
        if self.lengths is not None:
            self.lengths = self.lengths[rows]
        if memory_rows is not None:
            for memory in self.cross_attention:
                memory.reorder(memory_rows)
