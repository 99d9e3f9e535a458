"""Locks on outputs: one run at a time, and none is left by a killed one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from bpe_transformer.errors import OutputLockedError
from bpe_transformer.io import lock_output
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
    child = os.fork()
    if child == 0:
        with lock_output(tmp_path / "run"):
            if os.fork() == 0:
                os.close(writing)
                os.read(reading, 1)
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    with lock_output(tmp_path / "run"):
        pass
    os.close(writing)
    assert os.listdir(tmp_path) == []


def test_a_planted_lock_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / f"{hidden_name(tmp_path / 'run')}.lock").symlink_to("precious")
    with pytest.raises(OutputLockedError, match="remove"), lock_output(tmp_path / "run"):
        pass
    assert not (tmp_path / "precious").exists()
