"""Batches of rows of similar lengths: translation pairs, and texts with labels."""

from __future__ import annotations

import hashlib
from typing import Any, Generic

import numpy as np
import numpy.typing as npt
import torch

from bpe_transformer.data.batches.batch import IGNORED, AnyBatch, LabelledBatch, TranslationBatch
from bpe_transformer.data.batches.collators import pad
from bpe_transformer.data.batches.samplers import PIECE_ROWS, LengthBuckets
from bpe_transformer.data.batches.source import Numbers, Padding, PlannedSource
from bpe_transformer.data.batches.token_rows import Ids, TokenRows
from bpe_transformer.errors import CorpusError
from bpe_transformer.io.npy_files import scratch_array


class BucketedBatches(PlannedSource[AnyBatch], Generic[AnyBatch]):
    """Rows of one or more sides in length buckets.

    Args:
        sides: row n of each belongs to row n of the others.
        max_tokens: bound of the padded ids of any side of a batch.
        shuffle: False takes the rows in the order of their lengths, every epoch alike.

    Raises:
        CorpusError: the sides have different numbers of rows, there is none, or one is longer than `max_tokens`.
    """

    def __init__(self, *sides: TokenRows, pad_id: int, max_tokens: int, seed: int, shuffle: bool = True) -> None:
        super().__init__()
        self._sides, self._pad_id = sides, pad_id
        counts = [len(side.row_starts) - 1 for side in sides]
        if len(set(counts)) > 1:
            raise CorpusError(
                f"{counts[0]:,} source rows and {counts[1]:,} target rows are no pairs; give equally many"
            )
        self._lengths = scratch_array(counts[0] * len(sides), np.uint32).reshape(-1, len(sides))
        for number, side in enumerate(sides):
            for first in range(0, counts[0], PIECE_ROWS):
                starts = side.row_starts[first : first + PIECE_ROWS + 1]
                self._lengths[first : first + PIECE_ROWS, number] = np.diff(starts)
        self._max_tokens, self._seed, self._shuffle = max_tokens, seed, shuffle
        self._buckets = LengthBuckets(self._lengths, max_tokens=max_tokens, seed=seed, shuffle=shuffle)

    def _plan(self, epoch: int) -> list[Numbers]:
        return self._buckets.batches(epoch)

    def _padded(self, side: int, numbers: Numbers) -> torch.Tensor:
        """(B, longest) int64: these rows of a side."""
        rows = self._sides[side]
        return pad([_row(rows, number) for number in numbers.tolist()], self._pad_id)

    def facts(self) -> dict[str, Any]:
        """What decides the batches, as plain data."""
        return {
            "kind": type(self).__name__,
            "rows": len(self._lengths),
            "data": [side.fingerprint for side in self._sides],
            "max_tokens": self._max_tokens,
            "seed": self._seed,
            "shuffle": self._shuffle,
        }

    def padding(self, epoch: int) -> Padding:
        """How much of all sides of the epoch's batches is padding."""
        positions = sum(int((self._lengths[rows].max(axis=0) * len(rows)).sum()) for rows in self.plan(epoch))
        return Padding(int(self._lengths.sum()), positions)


class PairBatches(BucketedBatches[TranslationBatch]):
    """Pairs of a source and a target row, both framed with their special ids already."""

    def __init__(
        self, src: TokenRows, tgt: TokenRows, *, pad_id: int, max_tokens: int, seed: int, shuffle: bool = True
    ) -> None:
        super().__init__(src, tgt, pad_id=pad_id, max_tokens=max_tokens, seed=seed, shuffle=shuffle)

    def batch(self, numbers: Numbers, epoch: int) -> TranslationBatch:
        """The pairs of these numbers, each side padded to its longest."""
        return TranslationBatch(self._padded(0, numbers), self._padded(1, numbers))

    def nothing(self, number: int, epoch: int) -> TranslationBatch:
        """The pair with a target that is padding after its first id."""
        src, tgt = self.batch(np.array([number]), epoch)
        return TranslationBatch(src, torch.cat((tgt[:, :1], torch.full_like(tgt[:, 1:], self._pad_id)), dim=1))


class LabelledBatches(BucketedBatches[LabelledBatch]):
    """Texts with the number of their label, (N,)."""

    def __init__(
        self,
        rows: TokenRows,
        labels: npt.NDArray[np.integer[Any]],
        *,
        pad_id: int,
        max_tokens: int,
        seed: int,
        shuffle: bool = True,
    ) -> None:
        super().__init__(rows, pad_id=pad_id, max_tokens=max_tokens, seed=seed, shuffle=shuffle)
        self._labels = np.asarray(labels, dtype=np.int64)
        if len(self._labels) != len(self._lengths):
            raise CorpusError(f"{len(self._lengths):,} rows have {len(self._labels):,} labels; give one a row")

    def batch(self, numbers: Numbers, epoch: int) -> LabelledBatch:
        """The texts of these numbers, padded to the longest."""
        return LabelledBatch(self._padded(0, numbers), torch.from_numpy(self._labels[numbers]))

    def nothing(self, number: int, epoch: int) -> LabelledBatch:
        """The text without its label."""
        batch = self.batch(np.array([number]), epoch)
        return batch._replace(labels=torch.full_like(batch.labels, IGNORED))

    def facts(self) -> dict[str, Any]:
        """What decides the batches, as plain data."""
        return {**super().facts(), "labels": hashlib.sha256(self._labels.tobytes()).hexdigest()[:16]}


def _row(rows: TokenRows, number: int) -> Ids:
    return rows.slice(int(rows.row_starts[number]), int(rows.row_starts[number + 1]))
