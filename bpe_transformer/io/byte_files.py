"""Files as bytes, decompressed by their suffix, in memory that does not grow with the file."""

from __future__ import annotations

import io
import os
from collections.abc import Generator
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from bpe_transformer.errors import CorpusError

if TYPE_CHECKING:
    import pyarrow as pa

TABLE_FORMATS = (".jsonl", ".csv", ".tsv")
FORMATS = (".txt", *TABLE_FORMATS, ".parquet")
# of files that are text through and through, besides .txt
_TEXT_NAMES = """text md markdown rst adoc org tex bib srt vtt log html htm xml css toml yaml yml ini cfg py pyi js mjs jsx
ts tsx java kt scala c h cc cpp cxx hpp hh cs go rs rb php pl pm lua r jl swift dart hs ml clj ex erl lisp el f90 sql sh
bash zsh ps1 bat cmake mk proto tcl vim"""
TEXT_FORMATS = frozenset(f".{name}" for name in _TEXT_NAMES.split())
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
BLOCK_BYTES = 8 << 20


def file_format(path: str | os.PathLike[str]) -> str:
    """The suffix that says how a file is read, without that of its compression.

    >>> file_format("reviews.jsonl.gz")
    '.jsonl'
    """
    path = Path(path)
    return (path.with_suffix("") if compression(path) else path).suffix.lower()


def compression(path: str | os.PathLike[str]) -> str | None:
    """The compression that the suffix of a path names, if any.

    >>> compression("reviews.jsonl.gz"), compression("reviews.jsonl")
    ('gzip', None)
    """
    return COMPRESSIONS.get(Path(path).suffix.lower())


class ByteFile:
    """The decompressed bytes of a file; or of an open `stream`, for which `path` is only a name and which stays open; or of
    a file on another machine, open as `remote`, which is decompressed and closed like a local one.

    `position` is how many bytes of the file itself were read, before decompression.

    Raises `CorpusError` while reading, if a compressed file is cut off or damaged.
    """

    def __init__(
        self, path: str | os.PathLike[str], stream: BinaryIO | None = None, *, remote: BinaryIO | None = None
    ) -> None:
        self.path = Path(path) if remote is None else cast(Path, path)  # a URL stays as it is, for messages
        self._opened: BinaryIO | pa.NativeFile | None = None  # to be closed by us
        self._stream: Any
        codec = compression(path)
        if stream is not None:
            self._stream = stream
        elif codec is None and remote is not None:
            self._opened = self._stream = remote
        elif codec is None:
            self._opened = self._stream = open(path, "rb", buffering=0)  # noqa: SIM115
        else:
            import pyarrow as pa

            compressed = self._opened = pa.OSFile(str(path), "rb") if remote is None else pa.PythonFile(remote, "r")
            self._stream = pa.CompressedInputStream(compressed, codec) if compressed.size() else io.BytesIO()
        self.position = 0

    def readinto(self, buffer: memoryview) -> int:
        """Fills the buffer as far as there are bytes; returns how many there were."""
        filled = 0
        while filled < len(buffer):
            try:
                count = self._stream.readinto(buffer[filled:])
            except OSError as problem:
                if problem.errno:
                    raise
                raise CorpusError(
                    f"{self.path} cannot be decompressed ({problem}); it is cut off or damaged, so get it anew"
                ) from None
            if not count:
                break
            filled += count
        self.position = self.position + filled if self._opened is None else self._opened.tell()
        return filled

    def skip(self, size: int) -> None:
        """Skips the next `size` decompressed bytes; those of a file that is not compressed are not read."""
        if self._stream is self._opened and self._opened is not None:
            self._opened.seek(self._opened.tell() + size)
            return
        buffer = memoryview(bytearray(min(size, BLOCK_BYTES)))
        while size > 0 and (got := self.readinto(buffer[: min(size, len(buffer))])):
            size -= got

    def blocks(self, size: int = BLOCK_BYTES, buffers: int = 1) -> Generator[memoryview, None, None]:
        """The bytes in order, block by block. A block is overwritten when as many more are read as there are `buffers`."""
        for buffer in cycle([memoryview(bytearray(size)) for _ in range(buffers)]):
            if not (count := self.readinto(buffer)):
                return
            yield buffer[:count]

    def __enter__(self) -> ByteFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._opened is not None:
            self._stream.close()
            self._opened.close()


class Rejoined:
    """Bytes that were read of a file, and then what follows them there."""

    def __init__(self, head: bytes | bytearray, file: ByteFile) -> None:
        self._head, self._file = memoryview(head), file

    def readinto(self, buffer: memoryview) -> int:
        """Fills the buffer as far as there are bytes; returns how many there were."""
        count = min(len(self._head), len(buffer))
        if not count:
            return self._file.readinto(buffer)
        buffer[:count], self._head = self._head[:count], self._head[count:]
        return count


class _RawFile(io.RawIOBase):
    """A `ByteFile` as one of Python's raw files, which closes it."""

    def __init__(self, file: ByteFile) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(memoryview(buffer).cast("B"))

    def close(self) -> None:
        self._file.__exit__()
        super().close()


def open_bytes(file: str | os.PathLike[str] | ByteFile) -> BinaryIO:
    """The decompressed bytes as a buffered file."""
    opened = file if isinstance(file, ByteFile) else ByteFile(file)
    return cast(BinaryIO, io.BufferedReader(_RawFile(opened), 1 << 20))


def path_of(file: Path | ByteFile) -> Path:
    """The path of a file that is named or open."""
    return Path(file.path) if isinstance(file, ByteFile) else file
