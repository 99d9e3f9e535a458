"""Which rows go into one batch: length buckets bounded by the padded ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bpe_transformer.data.batches.source import Numbers
from bpe_transformer.errors import CorpusError

# Rows are shuffled, then put together by length within pools of at least so many batches: little padding, much disorder.
_POOL_BATCHES = 200
_ROOM = 1.06  # batches of pairs for every one that would be full: with more there is less padding


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
        sides = np.asarray(lengths, dtype=np.int64)
        if sides.size == 0:
            raise CorpusError("there is no row to batch; prepare a corpus with at least one")
        sides = sides.reshape(len(sides), -1)
        self._longest = sides.max(axis=1)
        self._sides = sides
        if self._longest.max() > max_tokens:
            row = int(self._longest.argmax())
            raise CorpusError(
                f"row {row} has {self._longest[row]:,} ids, more than max_tokens={max_tokens:,}; "
                "raise max_tokens or prepare with a smaller max_len"
            )
        self._max_tokens = max_tokens
        self._seed = seed
        self._shuffle = shuffle

    def batches(self, epoch: int) -> list[Numbers]:
        """The row numbers of every batch; with shuffling their number differs a little from one epoch to the next."""
        if not self._shuffle:
            return self._cut(np.lexsort((self._sides.sum(axis=1), self._longest)))
        random = np.random.Generator(np.random.PCG64([self._seed, epoch]))
        order = random.permutation(len(self._longest))
        rows_a_batch = max(1, self._max_tokens // max(1, int(self._longest.mean())))
        batches: list[Numbers] = []
        for rows in np.array_split(order, max(1, len(order) // (rows_a_batch * _POOL_BATCHES))):
            batches += self._bucketed(rows)
        return [batches[place] for place in random.permutation(len(batches))]

    def _bucketed(self, rows: Numbers) -> list[Numbers]:
        """The rows of a pool in batches of similar lengths."""
        if self._sides.shape[1] == 1:
            return self._cut(rows[np.argsort(self._longest[rows], kind="stable")])
        return self._halved(rows)

    def _halved(self, rows: Numbers) -> list[Numbers]:
        """Rows of several lengths cut in two along the one that varies most, again and again until they fit a batch."""
        longest = self._longest[rows]
        if len(rows) == 1 or len(rows) * int(longest.max()) <= self._max_tokens:
            return [rows]
        number = max(2, int(np.ceil(longest.sum() * _ROOM / self._max_tokens)))  # of batches to come
        side = int(self._sides[rows].std(axis=0).argmax())
        order = np.argsort(self._sides[rows, side], kind="stable")
        sums = longest[order].cumsum()
        half = int(np.searchsorted(sums, sums[-1] * (number // 2) / number))
        half = min(max(half, 1), len(rows) - 1)
        return self._halved(rows[order[:half]]) + self._halved(rows[order[half:]])

    def _cut(self, rows: Numbers) -> list[Numbers]:
        """Cuts `rows`, sorted by length, into the fewest consecutive batches within the bound."""
        batches: list[Numbers] = []
        first = 0
        for place, length in enumerate(self._longest[rows].tolist()):
            if place > first and length * (place - first + 1) > self._max_tokens:
                batches.append(rows[first:place])
                first = place
        return [*batches, rows[first:]]
