"""What the console draws: progress that fits the terminal, and what is said after Ctrl-C."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bpe_transformer.cli.support import console
from bpe_transformer.data.prepared import prepare


@pytest.mark.parametrize("label", ["encoding", "cost: recurrent (LSTM), length 2048, width 64, and what follows it"])
def test_progress_is_one_line_of_the_terminal(monkeypatch: pytest.MonkeyPatch, label: str) -> None:
    drawn = io.StringIO()
    terminal = Console(file=drawn, force_terminal=True, width=80, color_system=None, legacy_windows=False)
    monkeypatch.setattr(console, "messages", lambda: terminal)
    with console.progress() as display:
        report = console.reporter(display, label, unit="bytes")
        report(12_345_678_901, 29_564_051_000)
    with terminal.capture() as captured:
        terminal.print(display.get_renderable())
    (line,) = captured.get().splitlines()
    assert "12.3 GB of 29.6 GB" in line
    assert len(line) <= 80


def test_ctrl_c_in_prepare_says_that_it_goes_on(
    bpe: Callable[..., Any], byte_tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "a.txt").write_text("three cats\n\nthree books\n", encoding="utf-8")
    how = ("prepare", tmp_path / "a.txt", "--tokenizer", byte_tokenizer, "-o", tmp_path / "rows")
    with monkeypatch.context() as patched:
        patched.setattr(prepare, "encode_dataset", stop)
        done = bpe(*how)
    assert done.returncode == 130
    assert done.stderr.decode().splitlines()[-1] == "interrupted: the same command goes on where it stopped"
    assert b"2 rows for language-model written" in bpe(*how).stderr
