"""Rows of `datasets` as Arrow batches of bounded size: of a dataset by row numbers, of a streamed one in its order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bpe_transformer.data.prepared.mapped_files import MappedFiles
from bpe_transformer.errors import CorpusError

if TYPE_CHECKING:
    import datasets

BATCH_BYTES = 8 << 20  # of text, encoded at once
_MOST_UNIT_BYTES, _LEAST_UNIT_BYTES = 64 << 20, 4 << 20  # of text in a shard
_UNITS = (
    8  # at least, of a corpus that is large enough: for several processes, and to sum one while the next is encoded
)
_STREAM_ROWS = 1_000  # of a stream, read at once
_FIRST_ROWS = 16  # of a stream, by which it is known again


def check_columns(names: Sequence[str], features: Any, columns: Sequence[str]) -> None:
    """Raises `CorpusError` unless all `columns` are there and hold text; `features` may be None, as of a stream."""
    for column in columns:
        if column not in names:
            raise CorpusError(f"the corpus has no column {column!r}; its columns are {', '.join(names)}")
        kind = getattr(features[column], "dtype", None) if features is not None else "string"
        if kind not in ("string", "large_string", "string_view"):
            raise CorpusError(f"column {column!r} holds {kind or features[column]}, not text; name a text column")


class DatasetRows:
    """The rows of a `datasets.Dataset`, in units of about `unit_bytes` of text, which can be encoded in any order.

    unit_bytes: None takes an eighth of the corpus, between 4 and 64 MiB. labels: (N,) the number of each row's label, for
    classification.
    """

    def __init__(
        self,
        dataset: datasets.Dataset,
        columns: Sequence[str],
        unit_bytes: int | None,
        labels: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self._labels = labels
        check_columns(dataset.column_names, dataset.features, columns)
        self.num_rows = len(dataset)
        self._dataset = dataset.select_columns(list(columns)).with_format("arrow")
        size = self._dataset.data.nbytes / max(self._dataset.data.num_rows, 1)  # on average
        if unit_bytes is None:
            eighth = int(size * self.num_rows / _UNITS)
            unit_bytes = min(max(eighth, _LEAST_UNIT_BYTES), _MOST_UNIT_BYTES)
        self.unit_rows = max(1, int(unit_bytes / max(size, 1)))
        self._batch_rows = max(1, int(BATCH_BYTES / max(size, 1)))
        self.facts: dict[str, Any] = {
            "dataset": dataset._fingerprint,
            "rows": self.num_rows,
            "unit_rows": self.unit_rows,
        }

    def labels_of(self, first_row: int, batch: pa.Table) -> npt.NDArray[np.int64] | None:
        """(N,) the labels of a batch."""
        return None if self._labels is None else self._labels[first_row : first_row + batch.num_rows]

    @property
    def num_units(self) -> int:
        return max(1, -(-self.num_rows // self.unit_rows))

    def batches(self, unit: int) -> Iterator[tuple[int, pa.Table]]:
        """(number of the first row, rows) for the batches of a unit."""
        stop = min((unit + 1) * self.unit_rows, self.num_rows)
        mapped = MappedFiles(file["filename"] for file in self._dataset.cache_files)
        for start in range(unit * self.unit_rows, stop, self._batch_rows):
            yield start, self._dataset[start : min(start + self._batch_rows, stop)]
            mapped.let_go()


class StreamRows:
    """The rows of a streamed dataset (`datasets.IterableDataset`), in its order."""

    def __init__(self, dataset: datasets.IterableDataset, columns: Sequence[str], unit_bytes: int | None) -> None:
        self.unit_bytes = _MOST_UNIT_BYTES if unit_bytes is None else unit_bytes
        head = list(dataset.take(_FIRST_ROWS))
        names = list(dict.fromkeys(name for row in head for name in row))
        check_columns(dataset.column_names or names, dataset.features, columns)
        for row in head:
            for column in columns:
                if not isinstance(row.get(column), (str, type(None))):
                    raise CorpusError(f"column {column!r} holds {row[column]!r:.60}, not text; name a text column")
        self._dataset, self._columns = dataset, list(columns)
        seen = hashlib.sha256(
            repr([[row.get(column) for column in columns] for row in head]).encode("utf-8", "replace")
        )
        self.facts: dict[str, Any] = {"stream": seen.hexdigest(), "unit_bytes": self.unit_bytes}

    def batches(self, first_row: int) -> Iterator[tuple[int, pa.Table]]:
        """(number of the first row, rows) for all batches from row `first_row` on."""
        rows = self._dataset.skip(first_row) if first_row else self._dataset
        schema = pa.schema([(column, pa.large_string()) for column in self._columns])
        for batch in rows.select_columns(self._columns).with_format("arrow").iter(_STREAM_ROWS):
            table = batch.select(self._columns).cast(schema)
            yield first_row, table
            first_row += table.num_rows
