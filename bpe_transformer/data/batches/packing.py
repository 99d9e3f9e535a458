"""Documents end to end, cut into windows of one length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from bpe_transformer.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    import datasets


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
    chunks = [
        batch["ids"].combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.int32)
        for batch in source.select_columns(["ids"]).with_format("arrow").iter(1_000)
    ]
    return np.concatenate(chunks) if chunks else np.empty(0, dtype=np.int32)
