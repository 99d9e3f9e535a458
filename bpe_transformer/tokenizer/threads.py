"""The number of threads that the native core uses."""

from __future__ import annotations

import os

from bpe_transformer.errors import LearningError


def thread_count(num_threads: int | None) -> int:
    """`num_threads`, or if that is None, the number of cores that this process may use.

    >>> thread_count(2)
    2
    """
    if num_threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if num_threads < 1:
        raise LearningError(f"num_threads={num_threads}; ask for at least 1, or leave it out for all cores")
    return num_threads
