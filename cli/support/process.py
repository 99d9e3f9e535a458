"""The process of a command: signals that end it as Ctrl-C does, and limits on its address space (`ulimit -v`)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bpe_transformer.errors import ConfigError

_M_ARENA_MAX, _ARENAS = -8, 2  # malloc.h; each arena of glibc reserves 64 MiB
# Bytes of address space, measured as VmPeak of commands over a tiny model with one thread, rounded up by a twentieth
LOADING, TRAINING = 960_000_000, 1_150_000_000
_THREAD = 32_000_000  # the stack of a thread, and what it takes at first


@contextmanager
def signals_as_ctrl_c() -> Iterator[None]:
    """SIGTERM and SIGHUP raise `KeyboardInterrupt` in the block, and it then exits with 128 + the signal, not with 130.

    One that is ignored, as SIGHUP under nohup, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def interrupt(number: int, _: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    numbers = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler == signal.SIG_DFL:
            signal.signal(number, interrupt)
    try:
        yield
    except SystemExit as stop:
        if received and stop.code == 128 + signal.SIGINT:
            raise SystemExit(128 + received[0]) from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def address_space_limit() -> int | None:
    """Bytes of address space that this process may have; None where there is no limit."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def reserve_little() -> None:
    """Under a limit, keeps Arrow and the C library from reserving memory that they may never use.

    Call it before Arrow is imported, whose allocator reserves 1 GiB at once. Without a limit nothing changes.
    """
    if address_space_limit() is None:
        return
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
            mallopt(_M_ARENA_MAX, _ARENAS)


def check_address_space(needed: int, threads: int | None = None) -> None:
    """Raises `ConfigError` if less than `needed` bytes, and what further threads take, are allowed.

    torch and its libraries end the process, without a word that says why, where they cannot get what they start with.
    """
    limit = address_space_limit()
    if limit is None:
        return
    threads = threads or _number(os.environ.get("OMP_NUM_THREADS")) or os.cpu_count() or 1
    needed += (threads - 1) * _THREAD
    if limit < needed:
        fewer = f", or use fewer threads than {threads} (OMP_NUM_THREADS=1, or --threads 1 where a command has it)"
        fewer = "" if threads == 1 else fewer
        raise ConfigError(
            f"this process may have {limit / 1e6:,.0f} MB of address space, and PyTorch with a small model needs "
            f"{needed / 1e6:,.0f} MB; raise the limit (ulimit -v {-(-needed // 1024)}){fewer}"
        )


def _number(text: str | None) -> int | None:
    first = (text or "").partition(",")[0].strip()
    return int(first) if first.isdigit() else None
