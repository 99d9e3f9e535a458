"""Which rows go into one batch: length buckets bounded by the padded ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bpe_transformer.data.batches.source import Numbers, shuffled
from bpe_transformer.errors import CorpusError

# Rows are shuffled, then put together by length within pools of at least so many batches: little padding, much disorder.
_POOL_BATCHES = 200
PIECE_ROWS = 1 << 20  # lengths are gone through so many rows at a time, so that nothing else is held for every row


def sample_within(sizes: npt.NDArray[np.integer[Any]], limit: int, seed: int) -> Numbers:
    """The numbers, ascending, of as many rows or windows as `limit` ids allow, drawn by the seed; at least one."""
    order = shuffled(len(sizes), seed)
    return np.sort(order[: max(1, int(np.searchsorted(sizes[order].cumsum(dtype=np.int64), limit, "right")))])


class LengthBuckets:
    """Lists of row numbers such that the longest row × the number of rows is at most `max_tokens`.

    An epoch is a pure function of (lengths, max_tokens, seed, epoch), and every number occurs in it exactly once.

    Args:
        lengths: (N,) ids a row; for pairs (N, 2), and the bound holds for either side with its own padding.
        max_tokens: bound of the padded ids a batch (of the longer side).
        shuffle: False keeps the rows in the order of their lengths, shortest first, and repeats it every epoch.

    Raises:
        CorpusError: there is no row, or one is longer than `max_tokens`.

    >>> [batch.tolist() for batch in LengthBuckets([3, 1, 2], max_tokens=4, seed=0, shuffle=False).batches(0)]
    [[1, 2], [0]]
    """

    def __init__(
        self,
        lengths: Sequence[int] | Sequence[Sequence[int]] | npt.NDArray[np.integer[Any]],
        *,
        max_tokens: int,
        seed: int,
        shuffle: bool = True,
    ) -> None:
        sides = np.asarray(lengths)
        if sides.size == 0:
            raise CorpusError("there is no row to batch; prepare a corpus with at least one")
        self._sides = sides.reshape(len(sides), -1)
        total = 0
        for first in range(0, len(sides), PIECE_ROWS):
            longest = self._sides[first : first + PIECE_ROWS].max(axis=1)
            if longest.max() > max_tokens:
                place = int(longest.argmax())
                raise CorpusError(
                    f"row {first + place} has {longest[place]:,} ids, more than max_tokens={max_tokens:,}; "
                    "raise max_tokens or prepare with a smaller max_len"
                )
            total += int(longest.sum())
        self._rows_a_batch = max(1, max_tokens // max(1, total // len(sides)))
        self._max_tokens = max_tokens
        self._seed = seed
        self._shuffle = shuffle

    def batches(self, epoch: int) -> list[Numbers]:
        """The row numbers of every batch; with shuffling their number differs a little from one epoch to the next."""
        if not self._shuffle:
            return self._bucketed(self._numbers())
        random = np.random.Generator(np.random.PCG64([self._seed, epoch]))
        order = random.permutation(self._numbers())
        batches: list[Numbers] = []
        for rows in np.array_split(order, max(1, len(order) // (self._rows_a_batch * _POOL_BATCHES))):
            batches += self._bucketed(rows)
        return [batches[place] for place in random.permutation(len(batches))]

    def _numbers(self) -> Numbers:
        """Those of all rows, 32-bit while they fit."""
        return np.arange(len(self._sides), dtype=np.uint32 if len(self._sides) <= 1 << 32 else np.int64)

    def _bucketed(self, rows: Numbers) -> list[Numbers]:
        """The rows of a pool in batches of similar lengths: by the first side, and among equals by the others.

        Among equals the others ascend and descend in turn: a batch that holds two lengths of the first side then holds rows
        whose other sides are alike, too.
        """
        first, others = self._sides[rows, 0], self._sides[rows, 1:].sum(axis=1, dtype=np.int64)
        return self._cut(rows[np.lexsort((np.where(first % 2, -others, others), first))])

    def _cut(self, rows: Numbers) -> list[Numbers]:
        """Cuts `rows`, in an order of similar lengths, into consecutive batches, each as full as the bound allows."""
        batches: list[Numbers] = []
        first = longest = 0
        for place, length in enumerate(self._sides[rows].max(axis=1).tolist()):
            longest = max(longest, length)
            if place > first and longest * (place - first + 1) > self._max_tokens:
                batches.append(rows[first:place])
                first, longest = place, length
        return [*batches, rows[first:]]
