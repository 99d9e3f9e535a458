"""The files to encode: found, opened and checked, on this machine or at a URL that fsspec knows; and cut into units of work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bpe_transformer.errors import CorpusError
from bpe_transformer.io import ByteFile, compression
from bpe_transformer.io.byte_files import file_format
from bpe_transformer.tokenizer.store.remote_files import filesystem_of, is_url

UNIT_BYTES = 64 << 20  # of text in a unit, which becomes a shard


@dataclass(frozen=True)
class Source:
    """A file to encode, with its size and modification time when encoding began.

    The time is the one that the system itself notes (ctime), which also tells of a change after which a program set the
    other one back; at a URL the one that its server tells.
    """

    path: str
    size: int  # bytes on disk
    modified: int  # ns


@dataclass(frozen=True)
class Piece:
    """A stretch of a source: the whole of it, or the lines that begin from byte `start` to before byte `stop`."""

    source: int  # its index
    start: int = 0
    stop: int | None = None

    @property
    def is_whole(self) -> bool:
        return self.start == 0 and self.stop is None


def find_sources(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], glob: str, besides: str | os.PathLike[str]
) -> list[Source]:
    """The files that `paths` name, which may be URLs. A folder stands for the files that `glob` matches in it, sorted,
    without hidden ones and without those inside the folder `besides`.

    Raises `CorpusError` for a path that does not exist and for a folder in which nothing is found.
    """
    found = find_tables_and_texts(paths, glob, besides)
    if tables := [source for source in found if file_format(source.path) == ".parquet"]:
        raise CorpusError(
            f"{tables[0].path} is a table of Parquet, and text is encoded here; prepare reads tables, or write its text to a file"
        )
    return found


def find_tables_and_texts(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    glob: str = "**/*",
    besides: str | os.PathLike[str] = os.devnull,
) -> list[Source]:
    """The same, with files of any format."""
    found: list[Source] = []
    for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        found += _at_url(os.fspath(path), glob) if is_url(path) else _on_disk(Path(path), glob, besides)
    if not found:
        raise CorpusError("paths is empty; name a file or a folder")
    return found


def _on_disk(path: Path, glob: str, besides: str | os.PathLike[str]) -> list[Source]:
    left_out = Path(besides).resolve() if not is_url(besides) else None
    if path.is_file():
        files = [path]
    elif path.is_dir():
        files = sorted(file for file in path.glob(glob) if file.is_file() and not _hidden(file.relative_to(path)))
        if left_out is not None and path.resolve() in left_out.parents:
            files = [file for file in files if left_out not in file.resolve().parents]
        if not files:
            raise CorpusError(f"{path} holds no file that {glob!r} finds; give another glob")
    else:
        raise CorpusError(f"{path} is neither a file nor a folder; check the path")
    return [Source(str(file), *_state(file)) for file in files]


def _state(path: str | os.PathLike[str]) -> tuple[int, int]:
    state = os.stat(path)
    return state.st_size, state.st_ctime_ns


def _at_url(url: str, glob: str) -> list[Source]:
    system, root = filesystem_of(url)
    if system.isfile(root):
        names = [root]
    elif system.isdir(root):
        names = sorted(name for name in system.glob(f"{root.rstrip('/')}/{glob}") if system.isfile(name))
        names = [name for name in names if not _hidden(Path(name[len(root) :].lstrip("/")))]
        if not names:
            raise CorpusError(f"{url} holds no file that {glob!r} finds; give another glob")
    else:
        raise CorpusError(f"{url} is neither a file nor a folder; check the URL")
    return [Source(system.unstrip_protocol(name), *_remote_state(system, name)) for name in names]


def _remote_state(system: Any, name: str) -> tuple[int, int]:
    try:
        modified = int(system.modified(name).timestamp() * 1e9)
    except NotImplementedError:
        modified = 0
    return int(system.size(name)), modified


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def check_unchanged(source: Source) -> None:
    """Raises `CorpusError` if a source is not what it was when encoding began."""
    try:
        now = _remote_state(*filesystem_of(source.path)) if is_url(source.path) else _state(source.path)
    except FileNotFoundError:
        raise CorpusError(f"{source.path} is gone since encoding began; begin anew with overwrite=True") from None
    if now != (source.size, source.modified):
        raise CorpusError(f"{source.path} changed since encoding began; begin anew with overwrite=True")


def open_source(source: Source) -> ByteFile:
    """The decompressed bytes of a source, which has to be unchanged."""
    check_unchanged(source)
    if not is_url(source.path):
        return ByteFile(source.path)
    system, name = filesystem_of(source.path)
    return ByteFile(source.path, remote=system.open(name, "rb"))


def first_line(source: Source, start: int) -> int:
    """Where the first line begins that begins at byte `start` or later of a file that is not compressed; its end if none does."""
    with open_source(source) as file:
        file.skip(start - 1)
        position = start - 1
        for block in file.blocks(1 << 20):
            if (found := bytes(block).find(b"\n")) >= 0:
                return position + found + 1
            position += len(block)
    return source.size


def plan_units(sources: Sequence[Source], documents: Literal["file", "line"], unit_bytes: int) -> list[list[Piece]]:
    """The units of work: small files together, and files of lines that are not compressed in pieces of `unit_bytes`.

    The same for the same sources, wherever and by how many they are encoded.
    """
    units: list[list[Piece]] = []
    size = unit_bytes  # of the last unit; full, so that the first piece begins one
    for number, source in enumerate(sources):
        cut = documents == "line" and compression(source.path) is None and source.size > unit_bytes
        starts = range(0, source.size, unit_bytes) if cut else [0]
        for start in starts:
            stop = start + unit_bytes if start + unit_bytes < source.size else None
            piece = Piece(number, start, stop if cut else None)
            taken = min(unit_bytes, source.size - start) if cut else source.size
            if size + taken > unit_bytes or not units:
                units.append([])
                size = 0
            units[-1].append(piece)
            size += taken
    return units
