"""What attention keeps between decoding steps."""

from __future__ import annotations

import torch
from torch import Tensor

from bpe_transformer.models.layers.masks import cached_mask


class KVCache:
    """Keys and values of the ids seen so far, each (B, H, capacity, D), written once into slots.

    The memory only grows (doubling) when a slot lies beyond it. Slots that nothing was written to are for the mask to
    hide.

    Attributes:
        span: the slots that the next keys take, first and last + 1, the same for all rows; None: `positions` are slots.
    """

    def __init__(self, capacity: int = 64) -> None:
        self.capacity = capacity
        self.used = 0
        self.span: tuple[int, int] | None = None
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def update(self, positions: Tensor, keys: Tensor, values: Tensor, end: int) -> tuple[Tensor, Tensor]:
        """Writes keys and values (B, H, T, D) to `span`, or to `positions` (T,) or (B, T), all of them below `end`.

        Returns the keys and values of all slots up to the last one written, (B, H, used, D) each.
        """
        before, self.used = self.used, end if self.span is None else self.span[1]
        if self.keys is None or self.values is None:
            self.capacity = max(self.capacity, self.used)
            self.keys, self.values = self._allocate(keys, 0), self._allocate(values, 0)
        elif self.used > self.capacity:
            held, self.capacity = self.capacity, max(2 * self.capacity, self.used)
            self.keys, self.values = self._allocate(self.keys, held), self._allocate(self.values, held)
        for buffer, new in ((self.keys, keys), (self.values, values)):
            if self.span is not None:
                buffer[:, :, slice(*self.span)] = new
            elif positions.dim() == 1:
                buffer.index_copy_(2, positions, new.to(buffer.dtype))
            else:
                buffer[:, :, before : self.used] = 0.0  # what other rows write and this one does not see
                buffer.scatter_(2, positions[:, None, :, None].expand_as(new), new.to(buffer.dtype))
        return self.keys[:, :, : self.used], self.values[:, :, : self.used]

    def reorder(self, rows: Tensor) -> None:
        """Keeps the batch rows (R,) in the order given; a row may come several times."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self._selected(self.keys, rows), self._selected(self.values, rows)

    def _selected(self, held: Tensor, rows: Tensor) -> Tensor:
        """The rows with what is written of them, in a buffer of the same capacity."""
        buffer = held.new_empty(rows.numel(), *held.shape[1:])
        buffer[:, :, : self.used] = held[:, :, : self.used].index_select(0, rows)
        return buffer

    def _allocate(self, held: Tensor, length: int) -> Tensor:
        """A buffer of `capacity` slots that begins with the first `length` slots of `held`."""
        rows, heads, _, width = held.shape
        buffer = held.new_empty(rows, heads, self.capacity, width)
        buffer[:, :, :length] = held[:, :, :length]
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

    The beams of a sentence share one row of the cache. Each step appends the keys of all its beams, and `ancestors`
    tells every beam which slots are its own past: beams change places by a mask, and no key or value is ever moved.

    Prompts of several lengths are padded at the right, run at once, and then cut to their lengths with `trim`: every
    row goes on writing at its own position, over the padding, which no query has seen.
    """

    def __init__(self, n_layers: int, *, capacity: int = 64) -> None:
        self.self_attention = [KVCache(capacity) for _ in range(n_layers)]
        self.cross_attention = [ProjectedMemory() for _ in range(n_layers)]
        self.end = 0  # above every position written so far
        self.slots = 0  # of a row that are written: one an id, or a beam and id
        self.ancestors: Tensor | None = None  # bool (A, K, slots): a beam's own past; None: all of it
        self.lengths: Tensor | None = None  # (B,) ids of each row; None: `end` of them in every row

    def advance(self, ids: Tensor, rows: int | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Makes room for the next ids (R, T) of every row; with more than one beam a row, T is 1.

        rows: A of the cache, of which each has R / A beams (None: those that it has, at first R).
        Returns the ids by rows of the cache, (A, T) or (A, K), their positions, (T,), (A, T), or (1,) or (A, 1) for
        beams, and the mask over the slots (None: every slot is seen).
        """
        keys, count = self.self_attention[0].keys, ids.size(1)
        rows = rows or (ids.size(0) if keys is None else keys.size(0))
        beams = ids.size(0) // rows
        first, self.slots = self.slots, self.slots + count * beams
        if beams > 1 or self.ancestors is not None:
            return self._advance_beams(ids.view(rows, beams), first)
        steps = torch.arange(count, device=ids.device)
        if self.lengths is None:
            positions = self.end + steps
        else:
            positions = self.lengths[:, None] + steps
            self.lengths = self.lengths + count
        self.end += count
        for layer in self.self_attention:
            layer.span = (first, self.slots) if self.lengths is None else None
        sees_all = self.lengths is None and count == 1
        return ids, positions, None if sees_all else cached_mask(positions, self.end)

    def _advance_beams(self, ids: Tensor, first: int) -> tuple[Tensor, Tensor, Tensor]:
        """ids (A, K); `first` is the first slot that they take."""
        mask = torch.zeros(*ids.shape, self.slots, dtype=torch.bool, device=ids.device)
        if self.ancestors is not None:
            mask[:, :, :first] = self.ancestors
        elif self.lengths is not None:
            mask[:, :, :first] = (torch.arange(first, device=ids.device) < self.lengths[:, None])[:, None]
        else:
            mask[:, :, :first] = True
        mask[:, :, first:].diagonal(dim1=1, dim2=2).fill_(True)
        self.ancestors = mask
        positions = torch.tensor([self.end], device=ids.device) if self.lengths is None else self.lengths[:, None]
        if self.lengths is not None:
            self.lengths = self.lengths + 1
        self.end += 1
        for layer in self.self_attention:
            layer.span = (first, self.slots)
        return ids, positions, mask

    def trim(self, lengths: Tensor) -> None:
        """Keeps only the first `lengths` (B,) ids of every row."""
        self.lengths = lengths

    def reorder(self, rows: Tensor, sentences: Tensor) -> None:
        """Keeps `sentences` (A',), which index the rows of the cache, each with its K' of the beams `rows` (A' · K',).

        `rows` index all beams of before, and those of a sentence stay with it.
        """
        if self.ancestors is not None:
            kept = self.ancestors.flatten(0, 1).index_select(0, rows)
            self.ancestors = kept.view(sentences.numel(), -1, kept.size(-1))
        if self._are_all(sentences):
            return
        for own in self.self_attention:
            own.reorder(sentences)
        for memory in self.cross_attention:
            memory.reorder(sentences)
        if self.lengths is not None:
            self.lengths = self.lengths[sentences]

    def _are_all(self, sentences: Tensor) -> bool:
        """Whether they are the rows that there are, in their order: nothing has to be moved then."""
        keys = self.self_attention[0].keys
        if keys is None:
            return True
        return keys.size(0) == sentences.numel() and bool(
            (sentences == torch.arange(len(keys), device=keys.device)).all()
        )
