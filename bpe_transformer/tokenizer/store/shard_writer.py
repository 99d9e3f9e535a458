"""`ShardWriter`: one shard of a token store, written row by row and in one go with its sums."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bpe_transformer.io.atomic import sync_all
from bpe_transformer.io.manifest import FileSum, sum_of
from bpe_transformer.tokenizer.encoding.encodings import NPY_HEADER, Encodings, npy_header
from bpe_transformer.tokenizer.store.shards import (
    Layout,
    ShardFacts,
    ids_file,
    open_shard,
    shard_files,
    starts_file,
    values_file,
)

_INT64 = np.dtype(np.int64)


class ShardWriter:
    """Appends rows to the files of a shard; `finish` completes them. Leaves what it has written where an error stops it.

    columns, values: the names of columns of ids, and of those with one number a row. Ids are written as `dtype`. As a
    context it begins the shard anew, unless `opened` is False and `resume` opens it.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        columns: Sequence[str],
        values: Sequence[str],
        dtype: np.dtype[Any],
        *,
        opened: bool = True,
    ) -> None:
        self._folder, self._name, self.dtype, self._opened = folder, name, dtype, opened
        self._columns, self._values = tuple(columns), tuple(values)
        self._files: dict[str, BinaryIO] = {}
        self.rows = 0
        self.ids = dict.fromkeys(columns, 0)

    def __enter__(self) -> ShardWriter:
        if self._opened:
            self.resume(0, self.ids)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def can_resume(self, rows: int, ids: Mapping[str, int]) -> bool:
        """Whether the files have all of the first `rows` rows with so many `ids` in each column."""
        sizes = {ids_file(self._name, column): ids.get(column, 0) * self.dtype.itemsize for column in self._columns}
        sizes |= {starts_file(self._name, column): (rows + 1) * 8 for column in self._columns}
        sizes |= {values_file(self._name, name): rows * 8 for name in self._values}
        return all(_size(self._folder / name) >= NPY_HEADER + size for name, size in sizes.items())

    def resume(self, rows: int, ids: Mapping[str, int]) -> None:
        """Opens the files and cuts them back to the first `rows` rows."""
        self.rows, self.ids = rows, {column: ids[column] for column in self._columns}
        for column in self._columns:
            self._open(ids_file(self._name, column), self.ids[column] * self.dtype.itemsize)
            starts = self._open(starts_file(self._name, column), (rows + 1) * 8 if rows else 0)
            if not rows:
                starts.write(bytes(8))  # the first row begins at 0
        for name in self._values:
            self._open(values_file(self._name, name), rows * 8)

    def _open(self, name: str, kept: int) -> BinaryIO:
        path = self._folder / name
        path.touch()
        file = open(path, "r+b")  # noqa: SIM115
        self._files[name] = file
        file.truncate(NPY_HEADER + kept)
        file.seek(0, os.SEEK_END)
        return file

    def append(self, rows: Mapping[str, Encodings], values: Mapping[str, NDArray[np.int64]] | None = None) -> None:
        """Writes rows, the same number of them in each column."""
        number = len(next(iter(rows.values())))
        for column in self._columns:
            some = rows[column]
            self._files[ids_file(self._name, column)].write(some.ids.astype(self.dtype, copy=False).data)
            starts = some.row_starts[1:] + self.ids[column]
            self._files[starts_file(self._name, column)].write(np.ascontiguousarray(starts, np.int64).data)
            self.ids[column] += len(some.ids)
        for name in self._values:
            numbers = np.ascontiguousarray((values or {})[name], np.int64)
            self._files[values_file(self._name, name)].write(numbers.data)
        self.rows += number

    def append_open(self, column: str, ids: NDArray[Any], ends: NDArray[np.int64]) -> None:
        """Writes ids of the only column, (T,), of which rows end at the positions `ends`; the last row may go on."""
        self._files[ids_file(self._name, column)].write(ids.data)
        stops = ends + self.ids[column]
        self._files[starts_file(self._name, column)].write(np.ascontiguousarray(stops, np.int64).data)
        self.ids[column] += len(ids)
        self.rows += len(ends)

    def sync(self) -> None:
        """Waits until all that was written is on the disk."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())

    def finish(self, layout: Layout = "npy", *, synced: bool = True) -> tuple[ShardFacts, dict[str, FileSum]]:
        """Completes the files and gives what they hold with their sums; they are on the disk then, if `synced`."""
        for column in self._columns:
            self._complete(ids_file(self._name, column), self.dtype, self.ids[column])
            self._complete(starts_file(self._name, column), _INT64, self.rows + 1)
        for name in self._values:
            self._complete(values_file(self._name, name), _INT64, self.rows)
        self.close()
        facts = ShardFacts(self._name, self.rows, dict(self.ids))
        if layout == "arrow":
            self._to_arrow(facts)
        paths = [self._folder / name for name in shard_files(self._name, self._columns, self._values, layout)]
        if synced:
            sync_all(paths)
        return facts, {path.name: sum_of(path) for path in paths}

    def _complete(self, name: str, dtype: np.dtype[Any], length: int) -> None:
        file = self._files[name]
        file.seek(0)
        file.write(npy_header(dtype, length))
        file.flush()

    def _to_arrow(self, facts: ShardFacts) -> None:
        """The shard as an Arrow stream with one batch, so that it can be used without a copy."""
        import pyarrow as pa

        shard = open_shard(self._folder, facts, self._columns, self._values, "npy", self.dtype)
        arrays = {name: column.to_arrow() for name, column in shard.columns.items()}
        arrays |= {name: pa.array(numbers) for name, numbers in shard.values.items()}
        schema = pa.schema([pa.field(name, array.type, nullable=False) for name, array in arrays.items()])
        path = self._folder / f"{self._name}.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            writer.write_batch(pa.record_batch(list(arrays.values()), schema=schema))
        for name in shard_files(self._name, self._columns, self._values, "npy"):
            (self._folder / name).unlink()

    def close(self) -> None:
        for file in self._files.values():
            with suppress(OSError):  # a full disk has raised an error already
                file.close()
        self._files.clear()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
