"""Worker processes that end with the process that started them, however that ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from functools import lru_cache

_PR_SET_PDEATHSIG = 1


@lru_cache(maxsize=1)
def end_with_parent(parent: int) -> None:
    """Has the calling worker process killed when its parent, the process `parent`, ends. Linux only."""
    if not sys.platform.startswith("linux") or os.getpid() == parent:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # the parent ended before the call
        os.kill(os.getpid(), signal.SIGKILL)
