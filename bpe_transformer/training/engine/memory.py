"""How the C library handles memory while a model trains."""

from __future__ import annotations

import ctypes
import os
import resource
import sys

_SETTLING_STEPS = 10
_GROWTH = 384 << 20  # bytes
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # malloc.h


def keep_freed_memory() -> None:
    """Lets glibc keep what large tensors free; does nothing elsewhere.

    By default every tensor above 32 MiB, and many smaller ones, are fresh pages from the kernel, which zeroes them one
    page fault at a time: a tenth of a training step on a CPU. What it keeps is cut up by tensors of ever other sizes, and
    grows with every step (to 3.6 GB in a run on Multi30k): `FreedMemory` gives it back now and then.

    Under a limit on address space (`ulimit -v`) all stays as it is: with memory taken 64 MiB at a time, even the smallest
    request would fail while there is room, and native code ends the process, or runs on in ever the same failing calls.
    """
    # oneDNN keeps a compiled product for each of 1,024 shapes, and batches of sentences have ever other ones; a step over
    # windows, whose shapes repeat, has about 30
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "96")
    if not sys.platform.startswith("linux") or resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 1 << 26)


class FreedMemory:
    """Gives freed memory back to the system once the process has grown by more than a little since it settled."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
        self._trim = getattr(library, "malloc_trim", None)
        self._steps = 0
        self._settled = 0  # bytes

    def after_step(self) -> None:
        """Looks at the size of the process, which is a matter of microseconds."""
        if self._trim is None:
            return
        self._steps += 1
        if self._steps < _SETTLING_STEPS:
            return
        resident = _resident_bytes()
        if self._steps == _SETTLING_STEPS:
            self._settled = resident
        elif resident > self._settled + max(_GROWTH, self._settled // 8):
            self._trim(0)


def _resident_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
