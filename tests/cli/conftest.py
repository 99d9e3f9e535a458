"""The installed command, run as a user runs it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyte
import pytest
from click.testing import CliRunner

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.cli import main

COMMAND = Path(sys.executable).parent / "bpe-transformer"


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR", "FORCE_COLOR"}}
    return {**kept, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


@dataclass(frozen=True)
class Done:
    """How a run of the command ended."""

    returncode: int
    stdout: bytes
    stderr: bytes


@pytest.fixture
def bpe(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """`bpe("encode", directory, input=b"...")`: the command's `main` in this process, its output as bytes."""

    def run(*arguments: object, input: bytes = b"", **extra: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["bpe-transformer", *map(str, arguments)])
        overridden: dict[str, str | None] = {"COLUMNS": None, "NO_COLOR": None, "FORCE_COLOR": None}
        with CliRunner().isolation(input=input, env={**overridden, **environment, **extra}) as (out, err, _):
            code: object = 0
            try:
                main()
            except SystemExit as stop:
                code = stop.code or 0
            sys.stdout.flush()
            sys.stderr.flush()
            return Done(int(str(code)), out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def process(environment: dict[str, str]) -> Callable[..., Done]:
    """The same in a process of its own."""

    def run(*arguments: object, input: bytes = b"") -> Done:
        command = [str(COMMAND), *map(str, arguments)]
        done = subprocess.run(command, input=input, capture_output=True, timeout=60, env=environment)
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """`start("learn", "-", ...)` gives the running process, with pipes; it does not outlive the test."""
    running: list[subprocess.Popen[bytes]] = []

    def run(*arguments: object, **extra: str) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        command = [str(COMMAND), *map(str, arguments)]
        running.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env={**environment, **extra}))
        return running[-1]

    yield run
    for process in running:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):  # what was still to be written to it
                pipe.close()  # type: ignore[union-attr]


def _failure(done: Done) -> str:
    message = done.stderr.decode()
    assert done.returncode == 1, message
    assert done.stdout == b""
    assert message.startswith("error: ")
    assert message.count("\n") == 1, message
    return message.strip()


@pytest.fixture
def fails(bpe: Callable[..., Done]) -> Callable[..., str]:
    """Runs a command that has to end with exit code 1, one line on standard error and nothing on standard output."""
    return lambda *arguments, input=b"": _failure(bpe(*arguments, input=input))


@pytest.fixture(scope="session")
def process_fails(process: Callable[..., Done]) -> Callable[..., str]:
    """`fails` in a process of its own."""
    return lambda *arguments, input=b"": _failure(process(*arguments, input=input))


@pytest.fixture(scope="session")
def byte_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved vocabulary of bytes: 256, then <pad> <s> </s> as 256 to 258, then merges."""
    texts = ["세 마리 고양이가 책을 읽었다.", "three cats read three books"]
    counts = PretokenCounts.from_iterator(texts)
    directory = tmp_path_factory.mktemp("byte") / "tok"
    learn_bpe(counts, vocab_size=280, special_tokens=["<pad>", "<s>", "</s>"]).save(directory)
    return directory


@pytest.fixture(scope="session")
def loaded(byte_tokenizer: Path) -> Tokenizer:
    return Tokenizer.load(byte_tokenizer)


class Terminal:
    """Runs `command` on a pseudo-terminal: real keys in, and the screen as a person would see it."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], columns: int = 80, rows: int = 30, term: str = ""
    ) -> None:
        self._ours, theirs = pty.openpty()
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.resize(columns, rows)
        kept = {name: value for name, value in env.items() if name not in {"COLUMNS", "LINES"}}
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**kept, "TERM": term or "xterm-256color"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C reaches it as from a keyboard
        )
        os.close(theirs)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, *texts: str, seconds: float = 20.0) -> str:
        """The screen, once it shows all of `texts`."""
        until = time.monotonic() + seconds
        while not all(text in self.text for text in texts):
            assert time.monotonic() < until, f"no {texts} on the screen:\n{self.text}"
            if not self._read(0.05):
                assert self.process.poll() is None or self._read(0.05), f"ended without {texts}:\n{self.text}"
        return self.text

    def _read(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        with contextlib.suppress(OSError):  # the other side is closed
            self._stream.feed(os.read(self._ours, 65536))
            return True
        return False

    def end(self, seconds: float = 20.0) -> int:
        """The exit code, once the command has ended."""
        until = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < until:
            self._read(0.05)
        while self._read(0.05):
            pass
        return self.process.wait(timeout=1)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def open_terminal(environment: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    """`open_terminal("trace", directory, "--step", columns=80, rows=30)` gives the running command's terminal."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: object, columns: int = 80, rows: int = 30, term: str = "") -> Terminal:
            terminal = Terminal([str(COMMAND), *map(str, arguments)], environment, columns, rows, term)
            stack.callback(terminal.close)
            return terminal

        yield start
