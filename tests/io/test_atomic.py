"""Outputs are old or new, never a mixture: killed or failing at every file operation, and beside a hostile neighbour."""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer.io import atomic, workspaces
from bpe_transformer.io.atomic import atomic_directory, atomic_file, bound_directory, recover_directory
from bpe_transformer.io.manifest import check_manifest, write_manifest

OPERATIONS = {"open", "os.rename", "os.link", "os.mkdir", "os.rmdir", "os.remove", "bpe_transformer.exchange"}
DONE, FAILED, COMPLETE = 0, 1, 2


def in_child(work: Callable[[], None]) -> int:
    """The exit status of a child process that does `work`, negative for a signal."""
    child = os.fork()
    if child == 0:
        status = FAILED
        try:
            work()
            status = DONE
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def before_operation(number: int, act: Callable[[], None]) -> Callable[[], bool]:
    """Calls `act` before file operation `number` from here on; returns a function that says whether it came to that."""
    seen = 0

    def hook(event: str, _: Any) -> None:
        nonlocal seen
        if event in OPERATIONS:
            seen += 1
            if seen == number:
                act()

    sys.addaudithook(hook)
    return lambda: seen >= number


def states_after_every_operation(
    write: Callable[[], None], prepare: Callable[[], None], act: Callable[[], None]
) -> Iterator[int]:
    """Prepares, then writes in a child that is interrupted at one operation after another, until one comes to its end."""
    for number in range(1, 500):
        prepare()

        def work(number: int = number) -> None:
            reached = before_operation(number, act)
            write()
            if not reached():
                os._exit(COMPLETE)

        status = in_child(work)
        yield status
        if status == COMPLETE:
            return
    raise AssertionError("the writer does not end")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def no_space() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def put(path: Path, text: str) -> None:
    path.write_text(text)


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def clear(folder: Path) -> None:
    recover_directory(folder)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    if folder.exists():
        folder.rmdir()


OLD = {"a": "old a", "b/c": "old c", "others": "kept"}
NEW = {"a": "new a", "b/c": "new c", "d": "new d"}


def write_tree(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize("act", [kill, no_space])
def test_a_file_is_old_or_new_at_every_operation(tmp_path: Path, act: Callable[[], None]) -> None:
    target = tmp_path / "counts.tsv"

    def write() -> None:
        with atomic_file(target) as new:
            new.write_text("new")

    seen = set()
    for _ in states_after_every_operation(write, lambda: put(target, "old"), act):
        seen.add(target.read_text())
        assert target.read_text() in ("old", "new")
        write()
        assert target.read_text() == "new"
        assert os.listdir(tmp_path) == ["counts.tsv"]  # the next run removed what was left
    assert seen == {"old", "new"}


@pytest.mark.parametrize("act", [kill, no_space])
@pytest.mark.parametrize("can_exchange", [True, False])
@pytest.mark.parametrize("keep_others", [True, False])
def test_a_folder_is_old_or_new_at_every_operation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], can_exchange: bool, keep_others: bool
) -> None:
    if not can_exchange:
        monkeypatch.setattr(workspaces, "_renameat2", lambda: None)
    target = tmp_path / "tok"
    complete = NEW | ({"others": "kept"} if keep_others else {})

    def prepare() -> None:
        clear(target)
        target.mkdir()
        write_tree(target, OLD)

    def write() -> None:
        with atomic_directory(target, keep_others=keep_others) as new:
            write_tree(new, NEW)

    seen = []
    for status in states_after_every_operation(write, prepare, act):
        recover_directory(target)
        assert hidden(tmp_path) == []
        seen.append(tree(target))
        assert seen[-1] in (OLD, complete), status
        write()
        assert tree(target) == complete
        assert os.listdir(tmp_path) == ["tok"]
    assert OLD in seen
    assert complete in seen


def test_with_an_exchange_there_is_always_a_whole_folder_in_place(tmp_path: Path) -> None:
    if not exchanges(tmp_path):
        pytest.skip("this file system exchanges nothing")
    target = tmp_path / "tok"

    def prepare() -> None:
        clear(target)
        target.mkdir()
        write_tree(target, OLD)

    def write() -> None:
        with atomic_directory(target) as new:
            write_tree(new, NEW)

    for _ in states_after_every_operation(write, prepare, kill):
        assert tree(target) in (OLD, NEW | {"others": "kept"})


def exchanges(folder: Path) -> bool:
    for name in "ab":
        (folder / name).mkdir()
    able = workspaces.exchange(folder / "a", folder / "b")
    for name in "ab":
        (folder / name).rmdir()
    return able


@pytest.mark.parametrize("act", [kill, no_space])
def test_a_folder_that_has_to_stay_is_finished_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]
) -> None:
    target = tmp_path / "tok"
    target.mkdir()
    monkeypatch.chdir(target)

    def prepare() -> None:
        recover_directory(target)
        for name in (*OLD, *NEW, "manifest.json"):
            (target / name).unlink(missing_ok=True)
        write_tree(target, OLD)
        write_manifest(target)

    def write() -> None:
        with atomic_directory(target) as new:
            write_tree(new, NEW)
            write_manifest(new)

    inode = target.stat().st_ino
    seen = []
    for _ in states_after_every_operation(write, prepare, act):
        recover_directory(target)
        assert hidden(target) == []
        check_manifest(target)
        seen.append({name: text for name, text in tree(target).items() if name != "manifest.json"})
        assert seen[-1] in (OLD, NEW | {"others": "kept"})
        write()
        check_manifest(target)
    assert OLD in seen
    assert seen[-1] != OLD
    assert target.stat().st_ino == inode


def test_an_error_in_the_block_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    write_tree(tmp_path / "folder", OLD)

    def write(into: Callable[[Path], None], path: Path, writer: Any) -> None:
        with writer(path) as new:
            into(new)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write(lambda new: put(new, "half"), tmp_path / "file", atomic_file)
    with pytest.raises(RuntimeError):
        write(lambda new: write_tree(new, NEW), tmp_path / "folder", atomic_directory)
    assert (tmp_path / "file").read_text() == "old"
    assert tree(tmp_path / "folder") == OLD
    assert hidden(tmp_path) == []


def test_links_devices_and_files_in_the_place_of_folders(tmp_path: Path) -> None:
    write_tree(tmp_path / "real", OLD)
    (tmp_path / "link").symlink_to("real")
    with atomic_directory(tmp_path / "link") as new:
        write_tree(new, NEW)
    assert (tmp_path / "link").is_symlink()
    assert tree(tmp_path / "real") == NEW | {"others": "kept"}
    (tmp_path / "file-link").symlink_to("real/a")
    with atomic_file(tmp_path / "file-link") as new:
        new.write_text("through the link")
    assert (tmp_path / "real" / "a").read_text() == "through the link"
    reading, writing = os.pipe()
    with atomic_file(f"/dev/fd/{writing}") as new:
        new.write_text("to a pipe")
    assert os.read(reading, 100) == b"to a pipe"
    os.close(reading)
    os.close(writing)
    with pytest.raises(NotADirectoryError), atomic_directory(tmp_path / "real" / "a"):
        pass


@pytest.mark.parametrize("name", ["x" * 250, "가" * 83, "x" * 255])
def test_long_names(tmp_path: Path, name: str) -> None:
    for _ in range(2):
        with atomic_file(tmp_path / name) as new:
            new.write_text("new")
    assert (tmp_path / name).read_text() == "new"
    (tmp_path / name).unlink()
    for _ in range(2):
        with atomic_directory(tmp_path / name) as new:
            write_tree(new, NEW)
    assert tree(tmp_path / name) == NEW
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_modes_are_those_of_the_umask_which_is_not_touched(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with atomic_file(tmp_path / "file") as new:
            assert stat.S_IMODE(new.parent.stat().st_mode) == 0o700
            new.write_text("new")
        with atomic_directory(tmp_path / "folder") as new:
            (new / "a").touch()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o777 & ~umask
    assert "umask" not in Path(atomic.__file__).read_text().replace("the umask leaves", "")
    (tmp_path / "folder").chmod(0o750)
    with atomic_directory(tmp_path / "folder"):
        pass
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o750


def test_nothing_is_removed_that_is_not_a_leftover(tmp_path: Path) -> None:
    target = tmp_path / "tok"
    start = workspaces.hidden_name(target)
    token = "0" * 32
    others = [".tok.old", ".tok.x.part", f"{start}.short", f"{start}.{token}.more"]
    for name in others:
        (tmp_path / name).mkdir()
    (tmp_path / f"{start}.{'1' * 32}").mkdir(mode=0o755)  # others may enter it: we did not make it
    (tmp_path / f"{start}.{'2' * 32}").write_text("a file")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (tmp_path / f"{start}.{'3' * 32}").symlink_to("precious")
    (tmp_path / f"{start}.{'4' * 32}").mkdir(mode=0o700)  # a private folder of the user that somebody renamed
    (tmp_path / f"{start}.{'4' * 32}" / "diary").touch()
    (tmp_path / f"{start}.{token}").mkdir(mode=0o700)  # a leftover, with a link in it
    (tmp_path / f"{start}.{token}" / ".bpe-transformer-workspace").touch()
    (tmp_path / f"{start}.{token}" / "link").symlink_to(tmp_path / "precious")
    with atomic_directory(target) as new:
        write_tree(new, NEW)
    assert sorted(os.listdir(tmp_path)) == sorted([*others, *(f"{start}.{n * 32}" for n in "1234"), "precious", "tok"])
    assert os.listdir(tmp_path / "precious") == ["file"]


def test_two_writers_at_once_both_succeed(tmp_path: Path) -> None:
    target = tmp_path / "tok"
    with atomic_directory(target) as one:
        write_tree(one, OLD)
        with atomic_directory(target) as other:  # does not take the first for a leftover
            write_tree(other, {"a": "second"})
        assert tree(one) == OLD
    assert tree(target) == OLD
    assert hidden(tmp_path) == []


def test_a_worker_that_outlives_a_killed_run_keeps_no_workspace(tmp_path: Path) -> None:
    target = tmp_path / "tok"
    reading, writing = os.pipe()
    ready, begun = os.pipe()

    def work() -> None:
        with atomic_directory(target) as new:
            write_tree(new, OLD)
            if os.fork() == 0:  # the worker
                os.close(writing)
                os.write(begun, b"1")
                os.read(reading, 1)  # until the test ends
                os._exit(0)
            os.read(ready, 1)
            kill()

    assert in_child(work) == -signal.SIGKILL
    for end in (reading, ready, begun):
        os.close(end)
    try:
        assert len(hidden(tmp_path)) == 1
        with atomic_directory(target) as new:
            write_tree(new, NEW)
        assert os.listdir(tmp_path) == ["tok"]
    finally:
        os.close(writing)


def test_kept_entries_are_the_same_files(tmp_path: Path) -> None:
    target = tmp_path / "tok"
    write_tree(target, OLD | {"deep/er/file": "kept"})
    (target / "link").symlink_to("nowhere")
    inode = (target / "deep" / "er" / "file").stat().st_ino
    with atomic_directory(target) as new:
        write_tree(new, NEW)
    assert tree(target) == NEW | {"others": "kept", "deep/er/file": "kept"}
    assert (target / "deep" / "er" / "file").stat().st_ino == inode
    assert os.readlink(target / "link") == "nowhere"


def test_the_workspace_of_a_file_within_does_not_become_part_of_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = True

    def rmdir(path: object, *arguments: object, **named: object) -> None:
        if failing:
            raise OSError(errno.EIO, "broken", str(path))
        real(path, *arguments, **named)  # type: ignore[arg-type]

    real = os.rmdir
    monkeypatch.setattr(os, "rmdir", rmdir)
    with bound_directory(tmp_path / "tok") as new:
        with atomic_file(new / "trace") as part:
            part.write_text("steps")
        assert len(os.listdir(new)) == 2
        failing = False
    assert sorted(os.listdir(tmp_path / "tok")) == ["manifest.json", "trace"]
    check_manifest(tmp_path / "tok")
    failing = True
    with (
        pytest.raises(OSError, match="broken"),
        bound_directory(tmp_path / "tok") as new,
        atomic_file(new / "trace") as part,
    ):
        part.write_text("other steps")
    assert (tmp_path / "tok" / "trace").read_text() == "steps"
