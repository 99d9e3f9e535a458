"""Rows of ids to batches of tensors: length buckets, padding, packing. The only file of this room that needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from bpe_transformer.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    import datasets

# Rows are shuffled, then sorted by length within pools of about this many batches: little padding, much disorder.
_POOL_BATCHES = 100


class TokenBatchSampler:
    """Lists of row indices such that the longest row × the number of rows is at most `max_tokens`.

    An epoch is a pure function of (lengths, max_tokens, seed, epoch), and every index occurs in it exactly once. Use it
    as the `batch_sampler` of a `DataLoader`, or iterate it.

    Args:
        lengths: (N,) ids a row; for pairs (N, 2), and the bound holds for either side with its own padding.
        max_tokens: bound of the padded ids a batch (of the longer side).
        shuffle: False keeps the rows in the order of their lengths, shortest first, and repeats it every epoch.

    Raises:
        CorpusError: there is no row, or one is longer than `max_tokens`.
    """

    def __init__(
        self,
        lengths: Sequence[int] | Sequence[Sequence[int]] | npt.NDArray[np.integer[Any]],
        *,
        max_tokens: int,
        seed: int,
        shuffle: bool = True,
    ) -> None:
        sides = np.asarray(lengths, dtype=np.int64)
        if sides.size == 0:
            raise CorpusError("there is no row to batch; prepare a corpus with at least one")
        sides = sides.reshape(len(sides), -1)
        self._longest = sides.max(axis=1)
        self._sum = sides.sum(axis=1)
        if self._longest.max() > max_tokens:
            row = int(self._longest.argmax())
            raise CorpusError(
                f"row {row} has {self._longest[row]:,} ids, more than max_tokens={max_tokens:,}; "
                "raise max_tokens or prepare with a smaller max_len"
            )
        self._max_tokens = max_tokens
        self._seed = seed
        self._shuffle = shuffle
        self._epoch = 0
        self._plan: list[list[int]] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Chooses the order of epoch number `epoch`; without it every pass is the same."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._plan = None

    def __len__(self) -> int:
        """Batches in this epoch; with shuffling it differs a little from one epoch to the next."""
        return len(self._batches())

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches())

    def _batches(self) -> list[list[int]]:
        if self._plan is None:
            self._plan = self._make_plan()
        return self._plan

    def _make_plan(self) -> list[list[int]]:
        if not self._shuffle:
            return self._cut(np.lexsort((self._sum, self._longest)))
        random = np.random.Generator(np.random.PCG64([self._seed, self._epoch]))
        order = random.permutation(len(self._longest))
        rows_a_batch = max(1, self._max_tokens // max(1, int(self._longest.mean())))
        pool = rows_a_batch * _POOL_BATCHES
        batches: list[list[int]] = []
        for start in range(0, len(order), pool):
            rows = order[start : start + pool]
            batches += self._cut(rows[np.lexsort((self._sum[rows], self._longest[rows]))])
        return [batches[place] for place in random.permutation(len(batches))]

    def _cut(self, rows: npt.NDArray[np.int64]) -> list[list[int]]:
        """Cuts `rows`, sorted by length, into the fewest consecutive batches within the bound."""
        batches: list[list[int]] = []
        batch: list[int] = []
        for row, length in zip(rows.tolist(), self._longest[rows].tolist(), strict=True):
            if batch and length * (len(batch) + 1) > self._max_tokens:
                batches.append(batch)
                batch = []
            batch.append(row)
        return [*batches, batch]


class TranslationBatch(NamedTuple):
    """src: (B, S) int64, … eos, padded; tgt: (B, T) int64, bos … eos, padded."""

    src: torch.Tensor
    tgt: torch.Tensor


def collate_translation(rows: Sequence[Mapping[str, Any]], pad_id: int) -> TranslationBatch:
    """Pads rows with src_ids and tgt_ids to the longest of each side.

    >>> collate_translation([{"src_ids": [5, 2], "tgt_ids": [1, 2]}, {"src_ids": [2], "tgt_ids": [1, 7, 2]}], 0).tgt
    tensor([[1, 2, 0],
            [1, 7, 2]])
    """
    return TranslationBatch(
        pad([row["src_ids"] for row in rows], pad_id), pad([row["tgt_ids"] for row in rows], pad_id)
    )


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> torch.Tensor:
    """(B, longest) int64, `pad_id` after each row's end."""
    padded = np.full((len(rows), max(map(len, rows), default=0)), pad_id, dtype=np.int64)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return torch.from_numpy(padded)


class PackedBlocks(torch.utils.data.Dataset[torch.Tensor]):
    """Documents laid end to end and cut into windows for next-id prediction.

    Window i is the `block_len` + 1 ids from i × block_len on: it begins with the id that the one before ends with, so
    every id but the very first is predicted exactly once. What does not fill a window is not used: `dropped_ids`.

    Args:
        source: a dataset with the column ids, or the ids themselves as one array.

    Raises:
        ConfigError: `block_len` is not positive.
        CorpusError: there are not enough ids for one window.

    >>> blocks = PackedBlocks([1, 2, 3, 4, 5, 6], block_len=2)
    >>> blocks[1], len(blocks), blocks.dropped_ids
    (tensor([3, 4, 5]), 2, 1)
    """

    def __init__(self, source: datasets.Dataset | Sequence[int] | npt.NDArray[np.integer[Any]], block_len: int) -> None:
        if block_len < 1:
            raise ConfigError(f"block_len={block_len} is not positive; use at least 1")
        self._ids = _flat_ids(source)
        self.block_len = block_len
        self.num_ids = len(self._ids)
        self._num_blocks = (self.num_ids - 1) // block_len
        if self._num_blocks < 1:
            raise CorpusError(
                f"{self.num_ids:,} ids do not fill one window of {block_len} + 1; use more text or a smaller block_len"
            )
        self.dropped_ids = self.num_ids - 1 - self._num_blocks * block_len

    def __len__(self) -> int:
        return self._num_blocks

    def __getitem__(self, index: int) -> torch.Tensor:
        """(block_len + 1,) int64"""
        if not -self._num_blocks <= index < self._num_blocks:
            raise IndexError(f"window {index} of {self._num_blocks}")
        start = index % self._num_blocks * self.block_len
        return torch.from_numpy(self._ids[start : start + self.block_len + 1].astype(np.int64))

    def batch(self, indices: Sequence[int]) -> torch.Tensor:
        """(B, block_len + 1) int64: the windows at `indices`."""
        return torch.stack([self[index] for index in indices])


def _flat_ids(source: datasets.Dataset | Sequence[int] | npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int32]:
    if isinstance(source, (Sequence, np.ndarray)):
        return np.asarray(source, dtype=np.int32).reshape(-1)
    if "ids" not in source.column_names:
        raise CorpusError(
            f"the dataset has no column 'ids', only {', '.join(source.column_names)}; use prepare_language_model"
        )
    parts = [
        batch["ids"].combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.int32)
        for batch in source.select_columns(["ids"]).with_format("arrow").iter(1_000)
    ]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)
