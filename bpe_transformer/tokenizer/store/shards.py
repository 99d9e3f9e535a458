"""One shard of a token store: columns of id rows, and values of rows, mapped into memory and checked before they are used."""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node, check_is_file, damage_named
from bpe_transformer.io.npy_files import map_npy
from bpe_transformer.tokenizer.encoding.encodings import Encodings, check_row_starts

Layout = Literal["npy", "arrow"]
LAYOUTS: tuple[Layout, ...] = ("npy", "arrow")
ANEW = "write the store anew"


def id_dtype(vocab_size: int) -> np.dtype[Any]:
    """The type of ids in a store: 16-bit numbers for up to 65,536 ids, else 32-bit ones."""
    return np.dtype(np.uint16 if vocab_size <= 1 << 16 else np.uint32)


@dataclass(frozen=True)
class ShardFacts:
    """What a shard holds: the number of its rows, and of the ids in each of its columns."""

    name: str
    rows: int
    ids: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "rows": self.rows, "ids": dict(self.ids)}

    @classmethod
    def from_node(cls, data: Node) -> ShardFacts:
        """The inverse of `to_dict`. Raises `FormatError`."""
        ids = data.child("ids")
        name = data.get("name", str)
        if not name.isascii() or not name.replace("-", "").isalnum():
            raise FormatError(f"{data.place}.name is {name!r:.60}, not letters and digits")
        return cls(name, data.number("rows"), {column: ids.number(column) for column in ids.value})


def shard_name(index: int) -> str:
    return f"{index:05d}"


def ids_file(shard: str, column: str) -> str:
    return f"{shard}.{column}.npy"


def starts_file(shard: str, column: str) -> str:
    return f"{shard}.{column}.starts.npy"


def values_file(shard: str, name: str) -> str:
    return f"{shard}.{name}.npy"


def shard_files(shard: str, columns: Sequence[str], values: Sequence[str], layout: Layout) -> tuple[str, ...]:
    """The names of the files of a shard."""
    if layout == "arrow":
        return (f"{shard}.arrow",)
    lists = [name for column in columns for name in (ids_file(shard, column), starts_file(shard, column))]
    return (*lists, *(values_file(shard, name) for name in values))


@dataclass(frozen=True)
class Shard:
    """The arrays of a shard: `columns` of id rows, `values` with one number a row."""

    columns: Mapping[str, Encodings]
    values: Mapping[str, NDArray[Any]]

    def release(self) -> None:
        """Gives the pages that were read back to the system; what is read again comes from its cache."""
        for column in self.columns.values():
            release_pages(column.ids)
            release_pages(column.row_starts)


def open_shard(
    folder: Path, facts: ShardFacts, columns: Sequence[str], values: Sequence[str], layout: Layout, dtype: np.dtype[Any]
) -> Shard:
    """A shard, mapped. Row starts are checked, so that no row reaches outside its ids.

    Raises `FormatError` that names the file, and `FileNotFoundError`.
    """
    if layout == "arrow":
        shard = _open_arrow(folder / f"{facts.name}.arrow", columns, values)
    else:
        found = {}
        for column in columns:
            ids = _mapped(folder / ids_file(facts.name, column), dtype)
            place = folder / starts_file(facts.name, column)
            row_starts = _mapped(place, np.dtype(np.int64))
            with damage_named(place, ANEW):
                check_row_starts(row_starts, len(ids))
            found[column] = Encodings.unchecked(ids, row_starts, _no_cuts(len(row_starts) - 1))
        numbers = {name: _mapped(folder / values_file(facts.name, name), np.dtype(np.int64)) for name in values}
        shard = Shard(found, numbers)
    for column in columns:
        got = (len(shard.columns[column]), len(shard.columns[column].ids), shard.columns[column].ids.dtype)
        if got != (facts.rows, facts.ids.get(column), dtype):
            raise FormatError(
                f"{folder} is damaged: its shard {facts.name} has {got[0]:,} rows with {got[1]:,} ids of {got[2]} in {column}, "
                f"not {facts.rows:,} rows with {facts.ids.get(column, 0):,} of {dtype}; {ANEW}"
            )
    if any(len(numbers) != facts.rows for numbers in shard.values.values()):
        raise FormatError(f"{folder} is damaged: shard {facts.name} has not one value for each of its rows; {ANEW}")
    return shard


def check_ids(folder: Path, facts: ShardFacts, shard: Shard, vocab_size: int, num_labels: int) -> None:
    """Raises `FormatError` for an id that the vocabulary does not have, or a number of a label that has no name."""
    labels = shard.values.get("label", np.empty(0, np.int64))
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_labels:
        raise FormatError(
            f"{folder} is damaged: labels in shard {facts.name} are not from 0 to {num_labels - 1}; {ANEW}"
        )
    for name, column in shard.columns.items():
        for start in range(0, len(column.ids), _BLOCK):
            block = column.ids[start : start + _BLOCK]
            if (largest := int(block.max())) >= vocab_size:
                raise FormatError(
                    f"{folder} is damaged: id {largest} at position {start + int(block.argmax()):,} of {name} in shard "
                    f"{facts.name} is out of range, its vocabulary has ids 0 to {vocab_size - 1}; {ANEW}"
                )


_BLOCK = 1 << 22  # ids checked at once


def _no_cuts(rows: int) -> NDArray[np.int64]:
    """(rows,) zeros that take no memory."""
    return np.broadcast_to(np.int64(0), (rows,))


def _mapped(path: Path, dtype: np.dtype[Any]) -> NDArray[Any]:
    with damage_named(path, ANEW):
        array = map_npy(path)
        if array.dtype != dtype:
            raise FormatError(f"it holds {array.dtype}, not {dtype}")
        return array


def _open_arrow(path: Path, columns: Sequence[str], values: Sequence[str]) -> Shard:
    import pyarrow as pa

    with damage_named(path, ANEW, FormatError, pa.ArrowException):
        check_is_file(path)
    with damage_named(path, ANEW, FormatError, pa.ArrowException), pa.memory_map(str(path)) as file:
        table = pa.ipc.open_stream(file).read_all()
        if table.column_names != [*columns, *values]:
            raise FormatError(f"it has the columns {', '.join(table.column_names)}")
        found = {}
        for name in columns:
            column = table[name]
            if not pa.types.is_large_list(column.type) or column.num_chunks > 1 or column.null_count:
                raise FormatError(f"its {name} are {column.num_chunks} batches of {column.type}")
            kind = column.type.value_type.to_pandas_dtype()
            empty = Encodings(np.empty(0, kind), np.zeros(1, np.int64))
            found[name] = Encodings.from_arrow(column.chunk(0)) if column.num_chunks else empty
        numbers = {name: table[name].to_numpy() for name in values}
        return Shard(found, numbers)


def release_pages(array: NDArray[Any]) -> None:
    """Gives the memory of a mapped array back to the system, if it is one that was mapped here."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
