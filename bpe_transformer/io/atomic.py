"""Outputs are written beside their place and renamed: a reader sees the old file or the new one, never half of one."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a path beside `path` to write to; it takes `path`'s place when the block ends without an error.

    Where `path` is a link, that is the place it points to. What is no file, such as /dev/stdout, is written to instead.

    >>> with atomic_file("counts.tsv") as part:
    ...     _ = part.write_text("low\\t5\\n")
    """
    target = Path(os.path.realpath(path))
    is_device = os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
    if not is_device:
        target.parent.mkdir(parents=True, exist_ok=True)
    place = None if is_device else target.parent
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=place)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        if is_device:
            with part.open("rb") as source, open(path, "wb") as sink:
                shutil.copyfileobj(source, sink)
            return
        part.chmod(0o666 & ~_umask())
        sync(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a fresh directory beside `path`; when the block ends without an error its entries take their place in `path`.

    Entries of `path` that the block did not write stay as they are. A single entry is replaced atomically; several are
    replaced one after another, each whole.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    try:
        yield part
        if target.exists():
            for entry in sorted(part.iterdir()):
                place = target / entry.name
                if place.is_dir() and entry.is_dir():
                    shutil.rmtree(place)
                entry.replace(place)
        else:
            part.chmod(0o777 & ~_umask())
            part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def sync(path: str | os.PathLike[str]) -> None:
    """Waits until a file, or the names in a directory, are on the disk; without it a rename may survive what it renamed."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # a directory, where the system does not let one open it
        return
    try:
        os.fsync(handle)
    except OSError as cause:  # some file systems know no such thing for directories
        if cause.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
            raise
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
