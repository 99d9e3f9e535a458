"""Private folders beside an output, in which it is written before it takes its place; leftovers of killed runs are removed.

A workspace is a new folder with a random name that only this user may enter, so that no one else can place a link where a
file is to be written. It is locked as long as its process lives: only an unlocked one is a leftover. A marker file inside,
which nobody else can have put there, distinguishes it from another private folder with such a name.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from bpe_transformer.io.manifest import MANIFEST

_PREFIX = ".bpe-transformer"
_NAME = re.compile(re.escape(_PREFIX) + r"\.[0-9a-f]{16}(\.resume)?\.[0-9a-f]{32}")
_MARK = ".bpe-transformer-workspace"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
PREVIOUS = (
    "previous"  # in a workspace: the old output, or its entries, while new ones take its place without an exchange
)

_held: set[int] = set()  # descriptors whose locks end with this process


def _release_in_child() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_release_in_child)  # or a worker that outlives this process would keep the locks


def hidden_name(target: Path) -> str:
    """The start of the names that belong to a target: short, whatever its own name, and the same in every run."""
    return f"{_PREFIX}.{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}"


def hold_lock(descriptor: int) -> bool | None:
    """Locks an open file or folder for this process; False if another has it, None if the file system knows no locks.

    The lock ends with the process, however it ends.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if problem.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL):
            raise
        _held.add(descriptor)
        return None
    _held.add(descriptor)
    return True


def release(descriptor: int) -> None:
    """Closes what `hold_lock` locked."""
    if descriptor in _held:  # not in a child process, where it is closed already
        _held.remove(descriptor)
        os.close(descriptor)


@contextmanager
def workspace(target: Path, parent: Path | None = None) -> Iterator[Path]:
    """Yields a new private folder beside `target`, or in `parent`, which is removed with all that is in it in the end.

    Leftovers of earlier runs that wrote the same target are removed first.
    """
    remove_leftovers(target)
    folder, descriptor = _make(parent or target.parent, hidden_name(target))
    try:
        yield folder
    finally:
        remove_workspace(folder)
        release(descriptor)


@contextmanager
def resumable_workspace(target: Path) -> Iterator[Path]:
    """Yields a private folder beside `target` for work that takes long: the one that an earlier run left, or a new one.

    It stays where it is; call `remove_workspace` when what is in it has taken its place. Hold a lock on the target
    meanwhile (`lock_output`): two runs would work in one folder.
    """
    remove_leftovers(target)
    kept: list[tuple[Path, int]] = []
    for path in _named(target.parent, f"{hidden_name(target)}.resume"):
        descriptor = _open_leftover(path)
        if descriptor is None:
            continue
        if kept:  # no run leaves two
            remove_workspace(path)
            release(descriptor)
        else:
            kept.append((path, descriptor))
    folder, descriptor = kept[0] if kept else _make(target.parent, f"{hidden_name(target)}.resume")
    try:
        if os.path.lexists(folder / PREVIOUS):
            if os.path.lexists(target):
                shutil.rmtree(folder / PREVIOUS)
            else:
                os.rename(folder / PREVIOUS, target)
        yield folder
    finally:
        release(descriptor)


def remove_resumable(target: Path) -> None:
    """Removes the folder that `resumable_workspace` would continue with."""
    for path in _named(target.parent, f"{hidden_name(target)}.resume"):
        if (descriptor := _open_leftover(path)) is not None:
            remove_workspace(path)
            release(descriptor)


def _make(parent: Path, name: str) -> tuple[Path, int]:
    while True:
        folder = parent / f"{name}.{secrets.token_hex(16)}"
        os.mkdir(folder, 0o700)  # fails if anything has that name
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:  # another run took it for a leftover
            continue
        if hold_lock(descriptor) is False:
            os.close(descriptor)
        elif _is_same(folder, descriptor):
            (folder / _MARK).touch(0o600, exist_ok=False)
            return folder, descriptor
        else:
            release(descriptor)


def _is_same(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def remove_workspace(folder: Path) -> None:
    """Removes a workspace with all that is in it, as far as possible."""
    # the old output first: as long as it is there, what is beside it counts as a new one that is whole
    shutil.rmtree(folder / PREVIOUS, ignore_errors=True)
    with suppress(OSError):
        for entry in [entry for entry in os.scandir(folder) if entry.name != _MARK]:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)
        if set(os.listdir(folder)) <= {_MARK}:  # last, or what is left would count as somebody else's folder
            (folder / _MARK).unlink(missing_ok=True)
            os.rmdir(folder)


def remove_nested(folder: Path) -> None:
    """Removes workspaces of files in `folder`, which belong to nobody's output; raises `OSError` if one cannot be removed."""
    for path in [path for path in folder.rglob(f"{_PREFIX}.*") if _NAME.fullmatch(path.name) and path.is_dir()]:
        remove_workspace(path)
        if os.path.lexists(path):
            os.rmdir(path)


def remove_leftovers(target: Path) -> None:
    """Removes the workspaces that killed runs left beside or in `target`, and nothing else.

    An output that was moved away is put back, and entries that were being replaced are replaced to the end. A leftover has a
    name that only a workspace of this target has, is a folder of this user that nobody else may enter, holds our marker file (or
    nothing), and is not locked.
    """
    for parent in (target.parent, target):
        for folder in _named(parent, hidden_name(target)):
            if (descriptor := _open_leftover(folder)) is not None:
                try:
                    _finish_leftover(folder, target)
                finally:
                    release(descriptor)


def _named(parent: Path, start: str) -> list[Path]:
    pattern = re.compile(re.escape(start) + r"\.[0-9a-f]{32}")
    try:
        return [parent / name for name in sorted(os.listdir(parent)) if pattern.fullmatch(name)]
    except OSError:
        return []


def _open_leftover(folder: Path) -> int | None:
    """A lock on a workspace that a run of this user left; None if it is not a workspace, or still in use."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    is_locked = hold_lock(descriptor)
    if is_locked is False:
        os.close(descriptor)
        return None
    facts = os.fstat(descriptor)
    is_private = facts.st_uid == os.geteuid() and not facts.st_mode & 0o077
    if is_locked and is_private and _is_same(folder, descriptor):
        names = os.listdir(folder)
        if _MARK in names or not names:
            return descriptor
    release(descriptor)
    return None


def _finish_leftover(folder: Path, target: Path) -> None:
    if os.path.lexists(folder / PREVIOUS):
        if folder.parent == target and (folder / target.name).exists():
            replace_entries(folder / target.name, target, folder / PREVIOUS)
        elif not os.path.lexists(target):
            os.rename(folder / PREVIOUS, target)
    remove_workspace(folder)


def replace_entries(new: Path, target: Path, previous: Path, others: Iterable[str] = ()) -> None:
    """Moves the entries of `new` into `target`, and what has their names, or those of `others`, from there to `previous`.

    The manifest leaves first and comes last: without it the folder does not count as whole. An error undoes all moves.
    """
    moves: list[tuple[Path, Path]] = []

    def move(source: Path, place: Path) -> None:
        if os.path.lexists(source):
            os.rename(source, place)
            moves.append((source, place))

    names = sorted((entry.name for entry in new.iterdir()), key=lambda name: (name == MANIFEST, name))
    try:
        if names[-1:] == [MANIFEST]:
            move(target / MANIFEST, previous / MANIFEST)
        for name in sorted({*others} - {*names}):
            move(target / name, previous / name)
        for name in names:
            move(target / name, previous / name)
            move(new / name, target / name)
    except BaseException:
        for source, place in reversed(moves):
            os.rename(place, source)
        raise


def exchange(one: Path, other: Path) -> bool:
    """Exchanges two paths in one step; False if the system or the file system cannot."""
    sys.audit("bpe_transformer.exchange", str(one), str(other))
    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EXDEV):
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


@lru_cache(maxsize=1)
def _renameat2() -> Any:
    """The system call of Linux, None elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    function.restype = ctypes.c_int
    return function
