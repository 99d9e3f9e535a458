"""What batches are made from: rows of ids, which may be larger than memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from bpe_transformer.errors import CorpusError

if TYPE_CHECKING:
    import datasets

Ids = npt.NDArray[np.integer[Any]]


class TokenRows(Protocol):
    """Rows of ids that can be read in any order."""

    @property
    def row_starts(self) -> npt.NDArray[np.int64]:
        """(N + 1,) where each row begins among all ids, and their number."""

    @property
    def fingerprint(self) -> str:
        """What tells these rows from others: a run goes on only with the same."""

    def slice(self, start: int, stop: int) -> Ids:
        """The ids from `start` to `stop` of all rows laid end to end."""


class FlatRows:
    """Rows of ids end to end in one array.

    >>> FlatRows.of([[5, 6], [], [7]]).row_starts
    array([0, 2, 2, 3])
    """

    def __init__(self, ids: Ids, row_starts: npt.NDArray[np.int64]) -> None:
        self.ids, self.row_starts = ids, row_starts

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]]) -> FlatRows:
        """From rows of any lengths."""
        arrays = [np.asarray(row, dtype=np.int32) for row in rows]
        row_starts = np.cumsum([0, *map(len, arrays)], dtype=np.int64)
        return cls(np.concatenate(arrays) if arrays else np.empty(0, dtype=np.int32), row_starts)

    @classmethod
    def from_dataset(cls, dataset: datasets.Dataset, column: str) -> FlatRows:
        """A column of lists of ids. Raises `CorpusError` when the dataset does not have it."""
        if column not in dataset.column_names:
            raise CorpusError(
                f"the dataset has no column {column!r}, only {', '.join(dataset.column_names)}; prepare it first"
            )
        ids, lengths = [np.empty(0, dtype=np.int32)], [np.zeros(1, dtype=np.int64)]
        for batch in dataset.select_columns([column]).with_format("arrow").iter(10_000):
            rows = batch[column].combine_chunks()
            ids.append(rows.flatten().to_numpy(zero_copy_only=False).astype(np.int32, copy=False))
            lengths.append(rows.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64))
        return cls(np.concatenate(ids), np.concatenate(lengths).cumsum())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of lengths and ids, 16 hexadecimal digits."""
        digest = hashlib.sha256(self.row_starts.tobytes())
        digest.update(np.ascontiguousarray(self.ids, dtype=np.uint32).tobytes())
        return digest.hexdigest()[:16]

    def slice(self, start: int, stop: int) -> Ids:
        """The ids from `start` to `stop` of all rows laid end to end."""
        return self.ids[start:stop]
