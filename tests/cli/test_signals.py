"""SIGTERM and SIGHUP act as Ctrl-C; two runs do not write one output."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bpe_transformer.cli import cli
from bpe_transformer.errors import OutputLockedError
from bpe_transformer.io import lock_output
from tests.faults.writing import WRITING, arguments, inputs, output_name


def start(*arguments: object, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bpe_transformer", *map(str, arguments)],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    process = start("learn", "-", "-o", "out", "--vocab-size", 300, folder=tmp_path)
    assert process.stdin is not None
    process.stdin.write(b"low lower\n" * 100_000)
    process.stdin.flush()  # more than a pipe holds: it is being read
    process.send_signal(number)
    _, message = process.communicate()
    assert process.returncode == 128 + number
    assert b"Traceback" not in message
    assert os.listdir(tmp_path) == []


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    program = (
        "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); from bpe_transformer.cli import main; main()"
    )
    process = subprocess.Popen([sys.executable, "-c", program, "learn", "-", "-o", "out", "--vocab-size", "300"], cwd=tmp_path,
                               stdin=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(b"low lower\n" * 100_000)
    process.stdin.flush()
    process.send_signal(signal.SIGHUP)
    process.communicate()
    assert process.returncode == 0
    assert (tmp_path / "out" / "tokenizer.json").exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("locked")
    inputs(folder)
    return folder


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", WRITING)
def test_a_second_run_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, overwrite: bool) -> None:
    monkeypatch.chdir(folder)
    before, out = sorted(os.listdir()), output_name(name)
    with lock_output(out):
        done = CliRunner().invoke(cli, [*arguments(name, out), *(["--overwrite"] if overwrite else [])])
    assert isinstance(done.exception, OutputLockedError), done.output
    said = f"{out} is being written by another run; wait until it has ended, or choose another output"
    assert str(done.exception) == said
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("name", ["ab", "export", "export a model", "import", "prune", "prune a model"])
def test_a_signal_while_an_output_is_written(
    bpe: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: signal.Signals
) -> None:
    """It comes when what was written is synced, before it takes its place."""
    monkeypatch.chdir(folder)
    before = sorted(os.listdir())

    def interrupted(*_: object) -> None:
        signal.raise_signal(number)

    for place in ("sync", "sync_tree"):
        monkeypatch.setattr(f"bpe_transformer.io.atomic.{place}", interrupted)
    done = bpe(*arguments(name, output_name(name)))
    assert done.returncode == 128 + number, done.stderr
    assert b"Traceback" not in done.stderr
    assert sorted(os.listdir()) == before


def test_folders_that_a_refused_command_needs_are_not_left(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        cli, ["learn", str(tmp_path / "none"), "-o", str(tmp_path / "a/b"), "--vocab-size", "300"]
    )
    assert done.exit_code != 0
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="asks the system to end a process with its parent")
def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    program = f"""
import os, time
from bpe_transformer.io import end_with_parent
parent = os.getpid()
if os.fork() == 0:
    end_with_parent(parent)
    open({str(tmp_path / "worker")!r}, "w").write(str(os.getpid()))
    os.rename({str(tmp_path / "worker")!r}, {str(tmp_path / "ready")!r})
    time.sleep(60)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", program])
    while not (tmp_path / "ready").exists():
        time.sleep(0.05)
    worker = int((tmp_path / "ready").read_text())
    process.kill()
    process.wait()
    for _ in range(100):
        try:
            state = Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("the worker lives on")
