"""What the console draws: progress that fits the terminal, and what is said after Ctrl-C."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from torch import nn

from bpe_transformer.cli.support import console
from bpe_transformer.cli.support.training.display import TrainingDisplay
from bpe_transformer.data.prepared import prepare
from bpe_transformer.training import Progress


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


def test_what_is_said_of_a_validation_breaks_between_figures() -> None:
    drawn = io.StringIO()
    terminal = Console(file=drawn, force_terminal=True, width=80, color_system=None, legacy_windows=False)
    now = Progress(
        step=12_000, epoch=10, epochs=None, share=0.5, loss=2.1, lr=1e-3, ids_per_second=123_456.0, seconds=7_000.0,
        validation_loss=2.2, score=0.45, validation_bits_per_byte=1.234,
    )  # fmt: skip
    TrainingDisplay(terminal, "run").on_step(now, nn.Identity())
    first, second = drawn.getvalue().splitlines()
    assert first.endswith("validation 2.200  score 45.0")
    assert second == "1.234 bits a byte  123,456 ids/s"
