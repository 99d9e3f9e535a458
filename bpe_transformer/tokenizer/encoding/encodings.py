"""The ids of several texts in one array."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from bpe_transformer.errors import DecodingError

if TYPE_CHECKING:
    import pyarrow as pa

Ids = NDArray[np.unsignedinteger[Any]]
NPY_HEADER = 128  # bytes, with room for any length


def npy_header(dtype: np.dtype[Any], length: int) -> bytes:
    """The header of an `.npy` file of `length` numbers. It is as long for any length, so that it can be written last."""
    fields = repr({"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (length,)}).encode()
    return b"\x93NUMPY\x01\x00" + (NPY_HEADER - 10).to_bytes(2, "little") + fields.ljust(NPY_HEADER - 11) + b"\n"


@dataclass(frozen=True, eq=False)
class Encodings(Sequence[Ids]):
    """The ids of several texts, one after another: text `i` has `ids[row_starts[i]:row_starts[i + 1]]`.

    `num_cut[i]` says how many ids of text `i` were cut off by `max_len`; all are 0 without it.

    >>> encodings = Encodings(np.array([7, 8, 104, 97, 12], np.uint32), np.array([0, 2, 5]))
    >>> encodings[1].tolist()
    [104, 97, 12]
    """

    ids: Ids  # (T,), uint32, or uint16 from files of a small vocabulary
    row_starts: NDArray[np.int64]  # (N + 1,), the last is where the last text ends
    num_cut: NDArray[np.int64] = None  # type: ignore[assignment]  # (N,), zeros if it is not given

    def __post_init__(self) -> None:
        if self.num_cut is None:
            object.__setattr__(self, "num_cut", np.zeros(len(self), np.int64))

    @property
    def offsets(self) -> NDArray[np.int64]:
        """The old name of `row_starts`."""
        warnings.warn("Encodings.offsets is now Encodings.row_starts", DeprecationWarning, stacklevel=2)
        return self.row_starts

    def __len__(self) -> int:
        return len(self.row_starts) - 1

    @overload
    def __getitem__(self, index: int) -> Ids: ...
    @overload
    def __getitem__(self, index: slice) -> list[Ids]: ...
    def __getitem__(self, index: int | slice) -> Ids | list[Ids]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"text {index} is out of range; there are {len(self)}")
        index %= len(self)
        return self.ids[self.row_starts[index] : self.row_starts[index + 1]]

    def __iter__(self) -> Iterator[Ids]:
        return (self[i] for i in range(len(self)))

    def tolist(self) -> list[list[int]]:
        return [row.tolist() for row in self]

    def to_arrow(self) -> pa.LargeListArray:
        """A `LargeListArray` over the same memory."""
        import pyarrow as pa

        row_starts = pa.Array.from_buffers(pa.int64(), len(self.row_starts), [None, pa.py_buffer(self.row_starts)])
        kind = pa.from_numpy_dtype(self.ids.dtype)
        ids = pa.Array.from_buffers(kind, len(self.ids), [None, pa.py_buffer(self.ids)])
        return pa.LargeListArray.from_arrays(row_starts, ids)

    @classmethod
    def from_arrow(cls, column: pa.Array | pa.ChunkedArray) -> Encodings:
        """From what `to_arrow` gives, or any lists of whole numbers. Raises `DecodingError` for other columns, and for nulls."""
        import pyarrow as pa

        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        kinds = pa.types
        if not (kinds.is_list(column.type) or kinds.is_large_list(column.type)) or not kinds.is_integer(
            column.type.value_type
        ):
            raise DecodingError(f"the column holds {column.type}, not lists of ids")
        values = column.flatten()
        if column.null_count or values.null_count:
            raise DecodingError("the column holds nulls, which stand for no ids; fill or drop them")
        row_starts = column.offsets.to_numpy().astype(np.int64)
        return cls(values.to_numpy(), row_starts - row_starts[0])
