"""Locks on outputs: one run at a time, and none is left by a killed one."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

import pytest

from bpe_transformer.errors import OutputLockedError
from bpe_transformer.io import lock_output, locks
from bpe_transformer.io.workspaces import hidden_name


def test_a_second_run_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    with lock_output(tmp_path / "run"):
        with pytest.raises(OutputLockedError, match="is being written by another run"), lock_output(tmp_path / "run"):
            pass
        with lock_output(tmp_path / "other"):
            pass
        child = os.fork()
        if child == 0:
            try:
                with lock_output(tmp_path / "run"):
                    os._exit(1)
            except OutputLockedError:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    with lock_output(tmp_path / "run"):
        pass
    assert os.listdir(tmp_path) == []


def test_a_killed_run_leaves_no_lock_even_if_its_worker_lives(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    ready, begun = os.pipe()
    child = os.fork()
    if child == 0:
        with lock_output(tmp_path / "run"):
            if os.fork() == 0:
                os.close(writing)
                os.write(begun, b"1")
                os.read(reading, 1)
                os._exit(0)
            os.read(ready, 1)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    for end in (reading, ready, begun):
        os.close(end)
    with lock_output(tmp_path / "run"):
        pass
    os.close(writing)
    assert os.listdir(tmp_path) == []


def test_a_planted_lock_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / f"{hidden_name(tmp_path / 'run')}.lock").symlink_to("precious")
    with pytest.raises(OutputLockedError, match="remove"), lock_output(tmp_path / "run"):
        pass
    assert not (tmp_path / "precious").exists()


def test_a_lock_lies_in_a_folder_whose_parent_may_not_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path and access(path, mode))
    with lock_output(tmp_path / "run"):
        assert os.listdir(tmp_path) == ["run"]
        assert len(os.listdir(tmp_path / "run")) == 1
        with pytest.raises(OutputLockedError, match="another run"), lock_output(tmp_path / "run"):
            pass
    assert os.listdir(tmp_path / "run") == []


def test_waiting_ends_with_the_other_run_or_where_no_lock_can_be_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_WAIT_SECONDS", 0)
    held = lock_output(tmp_path / "run")
    held.__enter__()
    monkeypatch.setattr(time, "sleep", lambda _: held.__exit__(None, None, None))
    with lock_output(tmp_path / "run", wait=True):
        pass
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waited"))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OutputLockedError, match="No space left"), lock_output(tmp_path / "run", wait=True):
        pass


def test_folders_above_a_lock_are_made_and_removed(tmp_path: Path) -> None:
    with lock_output(tmp_path / "a" / "b" / "run"):
        assert len(os.listdir(tmp_path / "a" / "b")) == 1
    assert os.listdir(tmp_path) == []
    with lock_output(tmp_path / "a" / "b" / "run"):
        (tmp_path / "a" / "file").touch()
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["a", "file"]
