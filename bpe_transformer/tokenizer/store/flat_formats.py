"""Flat files of ids that other trainers read: nanoGPT's `.bin`, Megatron's `.bin` and `.idx`, datatrove's `.ds` and `.ds.index`.

Written from their layouts:
- nanogpt: 16-bit ids one after another, nothing else; documents are told apart by an id at their ends.
- megatron (IndexedDataset, version 1): `.bin` has the ids; `.idx` the magic, version, a code of the type, the numbers of
  sequences and of documents, then the length (int32) and the byte (int64) of each sequence, and where documents begin (int64).
- datatrove: `.ds` has the ids, 16-bit or 32-bit; `.ds.index` the position after each document (uint64).
All numbers are little-endian.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from bpe_transformer.errors import FormatError
from bpe_transformer.io import atomic_files, lock_output
from bpe_transformer.io.manifest import sum_of
from bpe_transformer.ledger import Ledger, StageRecorder
from bpe_transformer.tokenizer.store.shard_writer import ShardWriter
from bpe_transformer.tokenizer.store.shards import id_dtype, shard_name
from bpe_transformer.tokenizer.store.store_facts import StoreFacts
from bpe_transformer.tokenizer.store.token_store import TOKENIZER, TokenStore
from bpe_transformer.tokenizer.store.unfinished_store import ShardMark, UnfinishedStore, made_before

FlatFormat = Literal["nanogpt", "megatron", "datatrove"]
FLAT_FORMATS: tuple[FlatFormat, ...] = ("nanogpt", "megatron", "datatrove")
_MAGIC = b"MMIDIDX\x00\x00"
_CODES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}  # Megatron's types of whole numbers
_MEGATRON_16_BIT = 65_500  # ids below which Megatron takes 16 bits
_BLOCK_IDS = 1 << 22
_BLOCK_ROWS = 1 << 16


def flat_format(path: str | os.PathLike[str]) -> FlatFormat | None:
    """The format of a file of ids by its name: `.ds`, `.idx`, or `.bin` with an `.idx` beside it or without."""
    path = Path(path)
    if path.suffix == ".ds":
        return "datatrove"
    if path.suffix == ".idx" or (path.suffix == ".bin" and path.with_suffix(".idx").exists()):
        return "megatron"
    return "nanogpt" if path.suffix == ".bin" else None


def write_flat(
    store: TokenStore, path: str | os.PathLike[str], format: FlatFormat, column: str | None = None
) -> tuple[Path, ...]:
    """Writes a column of a store as flat files beside each other, named after `path`; gives back which.

    Raises `FormatError` for an unknown format, and for ids that do not fit it.
    """
    base = Path(path)
    vocab_size = store.facts.vocab_size
    if format not in FLAT_FORMATS:
        raise FormatError(f"format={format!r} is unknown; choose {', '.join(FLAT_FORMATS)}")
    if format == "nanogpt" and vocab_size > 1 << 16:
        raise FormatError(
            f"nanoGPT's files hold 16-bit ids, and this vocabulary has {vocab_size:,}; choose megatron or datatrove"
        )
    names: tuple[Path, ...]
    if format == "megatron":
        dtype = np.dtype("<u2" if vocab_size < _MEGATRON_16_BIT else "<i4")
        names = (base.with_suffix(".bin"), base.with_suffix(".idx"))
    else:
        dtype = id_dtype(vocab_size).newbyteorder("<")
        names = (
            (base.with_suffix(".bin"),)
            if format == "nanogpt"
            else (base.with_suffix(".ds"), base.with_suffix(".ds.index"))
        )
    with atomic_files(*names) as places, ExitStack() as stack:
        files = [stack.enter_context(place.open("wb")) for place in places]
        for block in store.blocks(column):
            files[0].write(block.ids.astype(dtype, copy=False).data)
        if format == "datatrove":
            files[1].write(store.row_starts(column)[1:].astype("<u8").data)
        elif format == "megatron":
            _write_index(files[1], store.row_starts(column), dtype)
    return names


def _write_index(file: BinaryIO, row_starts: NDArray[np.int64], dtype: np.dtype[Any]) -> None:
    rows = len(row_starts) - 1
    code = next(code for code, name in _CODES.items() if np.dtype(name) == dtype)
    file.write(_MAGIC + struct.pack("<QBQQ", 1, code, rows, rows + 1))
    file.write(np.diff(row_starts).astype("<i4").data)
    file.write((row_starts[:-1] * dtype.itemsize).astype("<i8").data)
    file.write(np.arange(rows + 1, dtype="<i8").data)


def read_flat(
    path: str | os.PathLike[str],
    tokenizer: Any,
    out: str | os.PathLike[str],
    *,
    format: FlatFormat | None = None,
    end_id: int | None = None,
    add_end: bool = False,
    keep_tokenizer: bool = False,
    overwrite: bool = False,
) -> TokenStore:
    """A token store in the folder `out` from flat files of `tokenizer`'s ids.

    end_id: in a file that does not say where documents end (nanogpt), the id at their ends; None takes all as one document.
    add_end: documents that do not end with `end_id` get it, so that they can be trained on. keep_tokenizer: save the
    tokenizer beside the rows.
    Raises `FormatError` for files that are damaged, cut off, or hold ids that the tokenizer does not have.
    """
    format = format or flat_format(path)
    if format not in FLAT_FORMATS:
        raise FormatError(
            f"{path} is no flat file of ids by its name; say which with format, of {', '.join(FLAT_FORMATS)}"
        )
    ids, row_starts = _opened(Path(path), format, tokenizer.vocab_size)
    state = os.stat(path)
    source = {"path": str(path), "size": ids.nbytes, "modified": state.st_mtime_ns}
    added = None if not add_end else end_id
    plan = {"flat": format, "sources": [source], "end_id": end_id, "add_end": added is not None}
    ends = {"ids": ((), () if added is None else (added,))}
    facts = StoreFacts(tokenizer.digest, tokenizer.vocab_size, ("ids",), (), Ledger(), ends, source=plan)
    with lock_output(out, reentrant=True):
        if (found := made_before(out, facts, overwrite=overwrite)) is not None:
            return found
        with UnfinishedStore(Path(out).resolve(), facts) as store:
            store.marks.clear()
            recorder, dtype = StageRecorder(), id_dtype(tokenizer.vocab_size)
            with ShardWriter(store.folder, shard_name(0), ("ids",), (), dtype) as writer:
                blocks = _blocks_of_rows(ids, row_starts) if row_starts is not None else _blocks(ids, end_id)
                for some, row_ends in blocks:
                    _check_range(some, tokenizer.vocab_size, path)
                    writer.append_open("ids", *_ended(some.astype(dtype), row_ends, added))
                recorder.keep(ids.nbytes, writer.rows)
                if more := writer.ids["ids"] - len(ids):
                    recorder.note(f"{more:,} of {writer.rows:,} documents did not end with the id {added}, and got it")
                shard, sums = writer.finish()
            store.mark(0, ShardMark(shard, sums, recorder.stage("read ids")))
            if keep_tokenizer:
                tokenizer.save(store.folder / TOKENIZER)
            files = sorted((store.folder / TOKENIZER).iterdir()) if keep_tokenizer else []
            return store.finish(Ledger(), {f"{TOKENIZER}/{file.name}": sum_of(file) for file in files})


def _ended(ids: NDArray[Any], ends: NDArray[np.int64], end_id: int | None) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Ids of rows that end at the positions `ends`, (N,), each with `end_id` at its end, and where they end then."""
    if end_id is None or not len(ends):
        return ids, ends
    lacks = (np.diff(ends, prepend=0) == 0) | (ids[np.maximum(ends, 1) - 1] != end_id if len(ids) else True)
    return np.insert(ids, ends[lacks], end_id), ends + np.cumsum(lacks)


def _opened(path: Path, format: FlatFormat, vocab_size: int) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """The ids of flat files, mapped, and where rows begin if they say so. Raises `FormatError`."""
    if format == "megatron":
        return _megatron(path)
    dtype = np.dtype("<u2") if format == "nanogpt" else id_dtype(vocab_size).newbyteorder("<")
    ids = _mapped(path, dtype)
    if format == "nanogpt":
        return ids, None
    index = Path(f"{path}.index")
    if not index.exists():
        return ids, None
    ends = _mapped(index, np.dtype("<u8")).astype(np.int64)
    row_starts = np.concatenate([[0], ends]).astype(np.int64)
    return ids, _checked(row_starts, len(ids), index)


def _megatron(path: Path) -> tuple[NDArray[Any], NDArray[np.int64]]:
    index = path.with_suffix(".idx")
    data = index.read_bytes()
    head = len(_MAGIC) + struct.calcsize("<QBQQ")
    if not data.startswith(_MAGIC) or len(data) < head:
        raise FormatError(f"{index} is not an index of Megatron's IndexedDataset; check the file")
    version, code, rows, documents = struct.unpack("<QBQQ", data[len(_MAGIC) : head])
    if version != 1 or code not in _CODES:
        raise FormatError(f"{index} has version {version} and type {code}, and this reads version 1 of whole numbers")
    if len(data) < head + rows * 12 + documents * 8:
        raise FormatError(
            f"{index} is cut off: {rows:,} sequences and {documents:,} documents do not fit {len(data):,} bytes"
        )
    ids = _mapped(path.with_suffix(".bin"), np.dtype(_CODES[code]))
    lengths = np.frombuffer(data, "<i4", rows, head).astype(np.int64)
    pointers = np.frombuffer(data, "<i8", rows, head + rows * 4)
    row_starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if (lengths < 0).any() or not np.array_equal(pointers, row_starts[:-1] * ids.itemsize):
        raise FormatError(f"{index} has sequences that do not follow each other in the .bin; write them anew in order")
    begins = np.frombuffer(data, "<i8", documents, head + rows * 12)  # of documents, among the sequences
    if len(begins) < 1 or begins[0] != 0 or begins[-1] != rows or (np.diff(begins) < 0).any():
        raise FormatError(f"{index} has documents that do not fit its {rows:,} sequences; it is damaged, write it anew")
    return ids, _checked(row_starts[np.unique(begins)], len(ids), index)


def _mapped(path: Path, dtype: np.dtype[Any]) -> NDArray[Any]:
    size = path.stat().st_size
    if size % dtype.itemsize:
        raise FormatError(
            f"{path} has {size:,} bytes, which are no whole number of {8 * dtype.itemsize}-bit ids; it is cut off"
        )
    return np.memmap(path, dtype, "r") if size else np.empty(0, dtype)


def _checked(row_starts: NDArray[np.int64], num_ids: int, index: Path) -> NDArray[np.int64]:
    if (np.diff(row_starts) < 0).any() or row_starts[-1] != num_ids:
        raise FormatError(f"{index} does not fit the {num_ids:,} ids beside it; it is damaged, or of another file")
    return row_starts


def _check_range(ids: NDArray[Any], vocab_size: int, path: object) -> None:
    if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < vocab_size:
        wrong = int(ids.min()) if int(ids.min()) < 0 else int(ids.max())
        raise FormatError(
            f"{path} holds the id {wrong}, and the tokenizer has 0 to {vocab_size - 1}; name the tokenizer that made the ids"
        )


def _blocks_of_rows(
    ids: NDArray[Any], row_starts: NDArray[np.int64]
) -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
    for first in range(0, len(row_starts) - 1, _BLOCK_ROWS):
        starts = row_starts[first : first + _BLOCK_ROWS + 1]
        yield ids[starts[0] : starts[-1]], starts[1:] - starts[0]


def _blocks(ids: NDArray[Any], end_id: int | None) -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
    """Blocks of ids, and the positions after each `end_id` in them; what is left at the end is a document too."""
    for start in range(0, len(ids), _BLOCK_IDS):
        some = ids[start : start + _BLOCK_IDS]
        ends = np.flatnonzero(some == end_id) + 1 if end_id is not None else np.empty(0, np.int64)
        if start + len(some) == len(ids) and (not len(ends) or ends[-1] != len(some)):
            ends = np.append(ends, len(some))
        yield some, ends.astype(np.int64)
