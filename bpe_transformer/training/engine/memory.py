"""How the C library handles memory while a model trains."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # malloc.h


def keep_freed_memory() -> None:
    """Lets glibc keep what large tensors free; does nothing elsewhere.

    By default every tensor above 32 MiB, and many smaller ones, are fresh pages from the kernel, which zeroes them one
    page fault at a time: a tenth of a training step on a CPU. The process then holds on to its peak memory.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 1 << 26)
