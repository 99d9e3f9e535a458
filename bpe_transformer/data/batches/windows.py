"""Batches of windows over documents, for causal and for masked language models."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bpe_transformer.data.batches.batch import IGNORED, AnyBatch, MaskedBatch, PackedBatch
from bpe_transformer.data.batches.packing import Pack, Packing, pack
from bpe_transformer.data.batches.samplers import LengthBuckets, sample_within
from bpe_transformer.data.batches.source import Numbers, Padding, PlannedSource, Slices, shuffled
from bpe_transformer.data.batches.token_rows import TokenRows


class _Windows(NamedTuple):
    """ids, targets, documents, positions: (B, T) int64, as `PackedBatch` says; the last two only where they matter."""

    ids: Tensor
    targets: Tensor
    documents: Tensor | None
    positions: Tensor | None


class WindowBatches(PlannedSource[AnyBatch]):
    """Documents packed into windows, and these in batches of `max_tokens` positions; every id once an epoch.

    Args:
        rows: one document each, with the id that ends it.
        length: positions in a window.
        pack: see `bpe_transformer.data.batches.packing.pack`. With "none", windows of similar sizes go together.
        cross_documents: let attention, positions and loss go on across the documents of a window.
        start_id: what the first id of a document is read after; the id that ends documents.
        shuffle: False takes the windows in their order, every epoch alike.
        limit: ids to read at most, in whole windows drawn by the seed, since the first ones may be unlike the rest
            (None: all).
    """

    def __init__(
        self,
        rows: TokenRows,
        *,
        length: int,
        max_tokens: int,
        seed: int,
        pack: Pack = "best-fit",
        cross_documents: bool = False,
        start_id: int,
        pad_id: int,
        shuffle: bool = True,
        limit: int | None = None,
    ) -> None:
        super().__init__()
        self._rows, self._length, self._max_tokens, self._seed = rows, length, max_tokens, seed
        self._pack, self._cross, self._shuffle, self._limit = pack, cross_documents, shuffle, limit
        self._start_id, self._pad_id = start_id, pad_id
        self._packing = self._packed()

    def _packed(self) -> Packing:
        return pack(self._pack, self._rows.row_starts, self._length)

    def _plan(self, epoch: int) -> Sequence[Numbers]:
        sizes, drawn = self._packing.sizes, None
        if self._limit is not None:
            drawn = sample_within(sizes, self._limit, self._seed)
            sizes = sizes[drawn]
        if self._pack == "none":
            bound = max(self._max_tokens, int(sizes.max()))
            batches = LengthBuckets(sizes, max_tokens=bound, seed=self._seed, shuffle=self._shuffle).batches(epoch)
            return batches if drawn is None else [drawn[numbers] for numbers in batches]
        order = shuffled(len(sizes), self._seed, epoch) if self._shuffle else np.arange(len(sizes))
        return Slices(order if drawn is None else drawn[order], max(1, self._max_tokens // self._length))

    def _windows(self, numbers: Numbers) -> _Windows:
        """The windows of these numbers, padded to the fullest of them."""
        found = [list(self._packing.pieces(number)) for number in numbers.tolist()]
        shape = (len(found), max(sum(piece.stop - piece.start for piece in pieces) for pieces in found))
        ids, targets = np.full(shape, self._pad_id, dtype=np.int64), np.full(shape, IGNORED, dtype=np.int64)
        documents, positions = np.full(shape, -1, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, pieces in enumerate(found):
            end = 0
            for document, piece in enumerate(pieces):
                start, end = end, end + piece.stop - piece.start
                read = self._rows.slice(piece.start - (not piece.begins), piece.stop)
                targets[row, start:end] = read[-(end - start) :]
                ids[row, start] = self._start_id if piece.begins else read[0]
                ids[row, start + 1 : end] = targets[row, start : end - 1]
                documents[row, start:end] = document
                positions[row, start:end] = np.arange(end - start)
        several = not self._cross and any(len(pieces) > 1 for pieces in found)
        marks = (torch.from_numpy(documents), torch.from_numpy(positions)) if several else (None, None)
        return _Windows(torch.from_numpy(ids), torch.from_numpy(targets), *marks)

    @abstractmethod
    def batch(self, numbers: Numbers, epoch: int) -> AnyBatch:
        """The windows of these numbers."""

    def facts(self) -> dict[str, Any]:
        """What decides the batches, as plain data."""
        return {
            "kind": type(self).__name__,
            "rows": len(self._rows.row_starts) - 1,
            "data": [self._rows.fingerprint],
            "length": self._length,
            "max_tokens": self._max_tokens,
            "pack": self._pack,
            "cross_documents": self._cross,
            "seed": self._seed,
            "shuffle": self._shuffle,
            "limit": self._limit,
        }

    def padding(self, epoch: int) -> Padding:
        """How much of the epoch's windows is padding."""
        sizes = self._packing.sizes
        plan = self.plan(epoch)
        return Padding(
            sum(int(sizes[numbers].sum()) for numbers in plan),
            sum(int(sizes[numbers].max()) * len(numbers) for numbers in plan),
        )


class PackedBatches(WindowBatches[PackedBatch]):
    """Windows in which every id is predicted from those before it in its document."""

    def batch(self, numbers: Numbers, epoch: int) -> PackedBatch:
        """The windows of these numbers."""
        return PackedBatch(*self._windows(numbers))

    def nothing(self, number: int, epoch: int) -> PackedBatch:
        """A window without targets."""
        batch = self.batch(np.array([number]), epoch)
        return batch._replace(targets=torch.full_like(batch.targets, IGNORED))


class MaskedBatches(WindowBatches[MaskedBatch]):
    """Windows of which an objective hides some ids, others in every epoch."""

    def batch(self, numbers: Numbers, epoch: int) -> MaskedBatch:
        """The windows of these numbers."""
        windows = self._windows(numbers)
        rows = torch.from_numpy(np.ascontiguousarray(numbers))
        return MaskedBatch(windows.ids, rows, torch.tensor(epoch), windows.documents, windows.positions)

    def nothing(self, number: int, epoch: int) -> MaskedBatch:
        """A window of padding."""
        batch = self.batch(np.array([number]), epoch)
        return batch._replace(ids=torch.full_like(batch.ids, self._pad_id))
