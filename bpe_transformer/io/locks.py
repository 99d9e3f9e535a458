"""Locks on outputs: a second run that would write the same file or folder is refused, and a killed one leaves no lock."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bpe_transformer.errors import OutputLockedError
from bpe_transformer.io.workspaces import hidden_name, hold_lock, release

_WAIT_SECONDS = 0.2
_holders: dict[tuple[int, Path], int] = {}  # the process and the lock, to the thread that holds it


@contextmanager
def lock_output(path: str | os.PathLike[str], *, reentrant: bool = False, wait: bool = False) -> Iterator[None]:
    """Holds a lock on an output while the block runs. Processes that do not ask for it are not hindered.

    With `reentrant`, a block within another of the same thread is let through. Raises `OutputLockedError` if another process,
    or another block of this one, holds it, unless `wait` says to wait for its end, and where none can be taken.
    """
    target = Path(os.path.realpath(path))
    lock = _place(target)
    holder = (os.getpid(), lock)
    if reentrant and _holders.get(holder) == threading.get_ident():
        yield
        return
    missing = [parent for parent in lock.parents if not parent.exists()]
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _acquire(lock, path, wait=wait)
    _holders[holder] = threading.get_ident()
    try:
        yield
    finally:
        del _holders[holder]
        with suppress(OSError):  # an unlocked lock file does no harm
            lock.unlink()
        release(descriptor)
        with suppress(OSError):  # they hold something now
            for parent in missing:
                parent.rmdir()


def _place(target: Path) -> Path:
    """Beside the output; in it where the folder above may not be written to."""
    name = f"{hidden_name(target)}.lock"
    inside = target.is_dir() and not os.access(target.parent, os.W_OK)
    return (target if inside else target.parent) / name


def _acquire(lock: Path, path: str | os.PathLike[str], *, wait: bool) -> int:
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        except OSError as problem:
            remedy = "remove that file" if os.path.lexists(lock) else "choose another output"
            raise OutputLockedError(f"{path} cannot be locked: {lock}: {problem.strerror}; {remedy}") from problem
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            os.close(descriptor)
            raise OutputLockedError(f"{path} cannot be locked: {lock} is not a file of this user; remove it")
        if hold_lock(descriptor) is False:
            os.close(descriptor)
            if wait:
                time.sleep(_WAIT_SECONDS)
                continue
            raise OutputLockedError(
                f"{path} is being written by another run; wait until it has ended, or choose another output"
            )
        try:
            if os.path.samestat(os.lstat(lock), os.fstat(descriptor)):
                return descriptor
        except FileNotFoundError:
            pass
        release(descriptor)  # the run before removed the file while this one opened it
