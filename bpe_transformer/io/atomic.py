"""Files and folders that are written whole or not at all: a reader finds the old one or the new one, never a mixture.

Everything is written in a private workspace beside the output (see `workspaces.py`), synced to the disk, and takes its place
in one step, which is synced as well.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from bpe_transformer.io.manifest import MANIFEST, write_manifest
from bpe_transformer.io.workspaces import (
    PREVIOUS,
    exchange,
    remove_leftovers,
    remove_nested,
    replace_entries,
    workspace,
)

_AT_ONCE = 16  # files that are synced


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a path to write to; the file there takes the place of `path` when the block ends without an error.

    Where `path` is a link, that is the file it points to. A device or pipe, such as /dev/stdout, is written to instead.

    >>> with atomic_file("counts.tsv") as new:
    ...     _ = new.write_text("low\\t5\\n")
    """
    target = Path(os.path.realpath(path))
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        with tempfile.TemporaryDirectory(prefix="bpe-transformer-") as folder:
            new = Path(folder) / "output"
            new.touch()
            yield new
            with new.open("rb") as source, open(path, "wb") as device:
                shutil.copyfileobj(source, device)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with workspace(target) as folder:
        new = folder / target.name
        new.touch(exist_ok=False)  # with the mode that the umask leaves
        yield new
        sync(new)
        os.replace(new, target)
        sync(target.parent)


@contextmanager
def atomic_files(data: str | os.PathLike[str], *index: str | os.PathLike[str]) -> Iterator[list[Path]]:
    """Yields paths to write files of one folder to: data, and perhaps an index without which the data are of no use.

    The old index leaves before the data are replaced, and the new one comes last: a reader finds both of one time, or no
    index. An error leaves the old ones.
    """
    targets = [Path(os.path.realpath(path)) for path in (data, *index)]
    targets[0].parent.mkdir(parents=True, exist_ok=True)
    with workspace(targets[0]) as folder:
        old = folder / "old"
        old.mkdir()
        written = [folder / target.name for target in targets]
        yield written
        for new in written:
            sync(new)
        undo: list[tuple[Path, Path]] = []
        try:
            for target in reversed(targets):
                if os.path.lexists(target):
                    (_link if target == targets[0] else os.rename)(target, old / target.name)
                    undo.append((old / target.name, target))
            for new, target in zip(written, targets, strict=True):
                os.replace(new, target)
        except BaseException:
            for before, target in undo:
                os.replace(before, target)
            raise
        sync(targets[0].parent)


@contextmanager
def atomic_directory(
    path: str | os.PathLike[str], *, keep_others: bool = True, drop: Collection[str] = ()
) -> Iterator[Path]:
    """Yields a new folder to write to, which takes the place of `path` when the block ends without an error.

    Entries of an older folder that the block did not write are in the new one as well, except those named in `drop`, or all
    if `keep_others` is False. Where `path` is a link, that is the folder it points to. Raises `NotADirectoryError` if there
    is a file.

    The old folder stays whole until it is exchanged for the new one, in one step where the file system can. Where it cannot,
    the old one is moved away first; if the process is killed in this moment, the next run, or `recover_directory`, moves it
    back. A folder that cannot be exchanged, because it is a mount point, this process works in it, or the folder above it is
    not writable, keeps its place: its entries are replaced one after another, the manifest last (see `manifest.py`), and the
    next run goes on where a killed one stopped.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    in_place = target.exists() and _has_to_stay(target)
    with workspace(target, target if in_place else target.parent) as folder:
        new = folder / target.name
        new.mkdir()  # with the mode that the umask leaves
        yield new
        if in_place:
            remove_nested(new)
            sync_tree(new)
            (folder / PREVIOUS).mkdir(mode=0o700)
            others = set(drop) if keep_others else {entry.name for entry in target.iterdir() if entry != folder}
            replace_entries(new, target, folder / PREVIOUS, others)
            sync(target)
            return
        if not keep_others and target.exists():
            drop = os.listdir(target)
        take_place(new, target, folder, drop)


@contextmanager
def bound_directory(
    path: str | os.PathLike[str], *, keep_others: bool = True, drop: Collection[str] = ()
) -> Iterator[Path]:
    """As `atomic_directory`, with a manifest of all that the block writes: `check_files` tells when it is mixed or damaged."""
    with atomic_directory(path, keep_others=keep_others, drop={*drop, MANIFEST}) as new:
        yield new
        remove_nested(new)
        write_manifest(new)


def take_place(new: Path, target: Path, folder: Path, drop: Collection[str] = ()) -> None:
    """Syncs the folder `new` and puts it at `target` in one step; what is there goes to the workspace `folder`.

    Entries of the old folder that the new one lacks are linked into it, except those in `drop`.
    """
    remove_nested(new)
    if target.exists():
        _copy_owner_and_mode(target, new)
        for entry in sorted(target.iterdir()):
            if entry.name not in drop and not os.path.lexists(new / entry.name):
                _link(entry, new / entry.name)
    sync_tree(new)
    _move_or_exchange(new, target, folder)
    sync(target.parent)


def recover_directory(path: str | os.PathLike[str]) -> None:
    """Completes or undoes what a killed run had begun to do with a folder or file, and removes its leftovers."""
    remove_leftovers(Path(os.path.realpath(path)))


def _has_to_stay(target: Path) -> bool:
    here = Path(os.path.realpath(os.curdir))
    return target == here or target in here.parents or os.path.ismount(target) or not os.access(target.parent, os.W_OK)


def _move_or_exchange(new: Path, target: Path, folder: Path) -> None:
    if not os.path.lexists(target):
        try:
            os.rename(new, target)
            return
        except OSError as problem:  # another run was faster
            if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    if not exchange(new, target):
        previous = folder / PREVIOUS
        os.rename(target, previous)
        try:
            os.rename(new, target)
        except BaseException:
            os.rename(previous, target)
            raise


def _copy_owner_and_mode(source: Path, target: Path) -> None:
    facts = source.stat()
    if (facts.st_uid, facts.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):  # only the superuser gives files away
            os.chown(target, facts.st_uid, facts.st_gid)
    target.chmod(stat.S_IMODE(facts.st_mode))


def _link(source: Path, target: Path) -> None:
    """The same files under another name; a copy where the file system has no hard links."""
    if source.is_dir() and not source.is_symlink():
        target.mkdir(mode=source.stat().st_mode & 0o7777)
        for entry in sorted(source.iterdir()):
            _link(entry, target / entry.name)
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as problem:
        if problem.errno not in (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS, errno.EACCES):
            raise
        shutil.copy2(source, target, follow_symlinks=False)


def sync_tree(folder: str | os.PathLike[str]) -> None:
    """Waits until a folder with all that is in it is on the disk."""
    files, folders = [], []
    for parent, _, names in os.walk(folder):
        files += [path for name in names if not os.path.islink(path := os.path.join(parent, name))]
        folders.append(parent)
    sync_all(files)
    sync_all(folders)


def sync_all(paths: Sequence[str | os.PathLike[str]]) -> None:
    """Waits until all these files are on the disk; at once, since a disk takes hardly longer for many than for one."""
    if paths:
        with ThreadPoolExecutor(min(len(paths), _AT_ONCE)) as pool:
            list(pool.map(sync, paths))


def sync(path: str | os.PathLike[str]) -> None:
    """Waits until a file, or the names in a folder, are on the disk; without it a rename may survive what it renamed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # not to wait at somebody's pipe
    except PermissionError:  # a folder or file that one may not read
        return
    try:
        os.fsync(descriptor)
    except OSError as cause:  # some file systems cannot sync folders
        if cause.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
            raise
    finally:
        os.close(descriptor)
