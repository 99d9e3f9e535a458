"""The ids of several texts in one array."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from bpe_transformer.errors import DecodingError, FormatError
from bpe_transformer.io import one_line
from bpe_transformer.lazy import NDArray, np

if TYPE_CHECKING:
    import pyarrow as pa

Ids: TypeAlias = "NDArray[np.unsignedinteger[Any]]"
NPY_HEADER = 128  # bytes, with room for any length


def npy_header(dtype: np.dtype[Any], length: int) -> bytes:
    """The header of an `.npy` file of `length` numbers. Its size is the same for every length, so that it can be written last."""
    fields = repr({"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (length,)}).encode()
    return b"\x93NUMPY\x01\x00" + (NPY_HEADER - 10).to_bytes(2, "little") + fields.ljust(NPY_HEADER - 11) + b"\n"


def check_row_starts(row_starts: NDArray[np.int64], num_ids: int, name: str = "row_starts") -> None:
    """Raises `FormatError` with the place unless they begin at 0, never fall and end at `num_ids`."""
    if not len(row_starts):
        raise FormatError(f"{name} is empty; it begins with 0, and [0] stands for no rows")
    if row_starts[0] != 0:
        raise FormatError(f"{name}[0] is {row_starts[0]}; the first row begins at 0")
    falls = row_starts[1:] < row_starts[:-1]
    if falls.any():
        place = int(falls.argmax()) + 1
        raise FormatError(
            f"{name}[{place}] is {row_starts[place]}, below {row_starts[place - 1]} before it; rows follow each other"
        )
    if row_starts[-1] != num_ids:
        raise FormatError(
            f"{name}[{len(row_starts) - 1}] is {row_starts[-1]}, and there are {num_ids} ids; it is their number"
        )


@dataclass(frozen=True, eq=False)
class Encodings(Sequence[Ids]):
    """The ids of several texts, one after another: text `i` has `ids[row_starts[i]:row_starts[i + 1]]`.

    `num_cut[i]` says how many ids of text `i` were cut off by `max_len`; all are 0 without it. Raises `FormatError` for row
    starts that do not fit the ids.

    >>> encodings = Encodings(np.array([7, 8, 104, 97, 12], np.uint32), np.array([0, 2, 5]))
    >>> encodings[1].tolist()
    [104, 97, 12]
    """

    ids: Ids  # (T,), uint32, or uint16 from files of a small vocabulary
    row_starts: NDArray[np.int64]  # (N + 1,), the last is where the last text ends
    num_cut: NDArray[np.int64] = None  # type: ignore[assignment]  # (N,), zeros if it is not given

    def __post_init__(self) -> None:
        ids = _whole_numbers("ids", self.ids)
        row_starts = _whole_numbers("row_starts", self.row_starts).astype(np.int64, copy=False)
        check_row_starts(row_starts, len(ids))
        num_cut = np.zeros(len(row_starts) - 1, np.int64)
        if self.num_cut is not None:
            num_cut = _whole_numbers("num_cut", self.num_cut).astype(np.int64, copy=False)
            if len(num_cut) != len(row_starts) - 1 or (num_cut < 0).any():
                raise FormatError(f"num_cut has to hold a number from 0 for each of the {len(row_starts) - 1} rows")
        for name, array in (("ids", ids), ("row_starts", row_starts), ("num_cut", num_cut)):
            object.__setattr__(self, name, array)

    @classmethod
    def unchecked(cls, ids: Ids, row_starts: NDArray[np.int64], num_cut: NDArray[np.int64] | None = None) -> Encodings:
        """Encodings of arrays that are known to fit, as those of the native core do."""
        encodings = object.__new__(cls)
        num_cut = np.zeros(len(row_starts) - 1, np.int64) if num_cut is None else num_cut
        encodings.__dict__.update(ids=ids, row_starts=row_starts, num_cut=num_cut)
        return encodings

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
        """The rows as lists of Python integers."""
        return [row.tolist() for row in self]

    def to_arrow(self) -> pa.LargeListArray:
        """A `LargeListArray` over the same memory. Raises `FormatError` if the row starts were changed and do not fit."""
        import pyarrow as pa

        check_row_starts(self.row_starts, len(self.ids))  # Arrow does not check them, and the arrays are writable
        row_starts = pa.Array.from_buffers(pa.int64(), len(self.row_starts), [None, pa.py_buffer(self.row_starts)])
        kind = pa.from_numpy_dtype(self.ids.dtype)
        ids = pa.Array.from_buffers(kind, len(self.ids), [None, pa.py_buffer(self.ids)])
        return pa.LargeListArray.from_arrays(row_starts, ids)

    @classmethod
    def from_arrow(cls, column: pa.Array | pa.ChunkedArray) -> Encodings:
        """The encodings in what `to_arrow` gives, or any lists of whole numbers. Raises `DecodingError` for anything else."""
        import pyarrow as pa

        kinds = pa.types
        if not (kinds.is_list(column.type) or kinds.is_large_list(column.type)) or not kinds.is_integer(
            column.type.value_type
        ):
            raise DecodingError(f"the column holds {column.type}, not lists of ids")
        try:
            column.validate(
                full=True
            )  # before anything is read: offsets of foreign arrays may point outside their buffers
            if isinstance(column, pa.ChunkedArray):
                column = column.combine_chunks()
            values = column.flatten()
        except pa.ArrowException as cause:
            raise DecodingError(f"the column is damaged ({one_line(cause)}); make it anew") from None
        if column.null_count or values.null_count:
            raise DecodingError("the column holds nulls, which stand for no ids; fill or drop them")
        if not len(column):
            return cls(values.to_numpy(), np.zeros(1, np.int64))
        row_starts = column.offsets.to_numpy().astype(np.int64)
        return cls(values.to_numpy(), row_starts - row_starts[0])


def _whole_numbers(name: str, array: object) -> NDArray[Any]:
    """A one-dimensional array of whole numbers in this machine's byte order, contiguous."""
    found = np.asarray(array)
    if found.ndim != 1 or (found.dtype.kind not in "iu" and found.size):
        raise FormatError(
            f"{name} is an array of {found.dtype} and shape {found.shape}; give whole numbers in one dimension"
        )
    if found.dtype.kind not in "iu":
        found = found.astype(np.int64)
    return np.ascontiguousarray(found, found.dtype.newbyteorder("="))
