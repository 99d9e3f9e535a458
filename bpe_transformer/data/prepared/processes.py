"""Work on units in several processes, which end with this one."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from bpe_transformer.errors import BpeTransformerError
from bpe_transformer.io import end_with_parent

Result = TypeVar("Result")
_work: Callable[[int], Any] | None = None  # in a worker process, which inherits it and all that it holds


def in_processes(work: Callable[[int], Result], units: Sequence[int], num_proc: int) -> Iterator[tuple[int, Result]]:
    """(unit, its result) in the order in which they are done. Raises `BpeTransformerError` if a process is killed."""
    global _work
    _work = work
    pool = ProcessPoolExecutor(num_proc, multiprocessing.get_context("fork"), _begin, (os.getpid(),))
    try:
        left = list(units)
        running: dict[Future[Any], int] = {}
        while left or running:
            while left and len(running) < 2 * num_proc:
                unit = left.pop(0)
                running[pool.submit(_run, unit)] = unit
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool:
        raise BpeTransformerError(
            f"one of {num_proc} encoding processes was killed, perhaps because memory ran out; "
            "run it again with fewer processes (num_proc)"
        ) from None
    finally:
        _work = None
        for process in list((pool._processes or {}).values()):  # what is left after an error
            if running:
                process.kill()
        pool.shutdown(cancel_futures=True)


def _begin(parent: int) -> None:
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops this process


def _run(unit: int) -> Any:
    assert _work is not None
    return _work(unit)
