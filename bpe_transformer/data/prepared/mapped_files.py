"""Files that a library maps into memory: their pages, once read, are let go of, so that they do not count as memory in use."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Iterable
from pathlib import Path


class MappedFiles:
    """The places of files in the memory of this process, as the system lists them. On other systems than Linux: none.

    What is let go of stays in the system's cache, and comes back when it is read again; that is safe because these are
    mappings of files and nothing else, as long as whoever mapped them keeps them mapped.
    """

    def __init__(self, paths: Iterable[str | os.PathLike[str]]) -> None:
        self._ranges: list[tuple[int, int]] = []
        wanted = {os.path.realpath(path) for path in paths}
        if not sys.platform.startswith("linux") or not wanted:
            return
        for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            place, rights, *_, name = [*line.split(maxsplit=5), ""][:6]
            if name in wanted and "w" not in rights:
                begin, end = (int(number, 16) for number in place.split("-"))
                self._ranges.append((begin, end - begin))

    def let_go(self) -> None:
        """Takes all pages out of the memory of this process."""
        for begin, size in self._ranges:
            _madvise(ctypes.c_void_p(begin), ctypes.c_size_t(size), mmap.MADV_DONTNEED)


def _madvise(begin: ctypes.c_void_p, size: ctypes.c_size_t, advice: int) -> None:
    ctypes.CDLL(None).madvise(begin, size, ctypes.c_int(advice))  # an advice that is not taken does no harm
