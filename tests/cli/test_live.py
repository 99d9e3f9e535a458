"""`--live` on a pseudo-terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import Tokenizer


def test_trace_live_plays_every_merge(open_terminal: Callable[..., Any]) -> None:
    terminal = open_terminal("trace", "low-lower", "--live", "--pace", 0.2, "--merges", 4, rows=40)
    terminal.wait_for("2 of 4 merges", "lowest  l o w est")
    terminal.wait_for("4 of 4 merges", "lowest  low est", "3  lo w ")
    assert terminal.end() == 0
    assert "4 of 4 merges" in terminal.text  # the last picture stays


def test_learn_live(open_terminal: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("세 마리 고양이가 책을 읽었다. three cats read three books\n" * 9)
    arguments = (tmp_path / "text.txt", "-o", tmp_path / "tok", "--vocab-size", 300)
    terminal = open_terminal("learn", *arguments, "--live", "--words", "three,고양이가", rows=60, columns=100)
    assert terminal.end() == 0
    terminal.wait_for("41 of 41 merges", "three     t hre e", "saved")
    assert len(Tokenizer.load(tmp_path / "tok").merges) == 41


def test_live_needs_a_terminal(fails: Callable[..., str], tmp_path: Path) -> None:
    assert "--live draws in place, which needs a terminal" in fails("trace", "low-lower", "--live")
    message = fails("learn", "low-lower", "-o", tmp_path / "tok", "--vocab-size", 20, "--unit", "char", "--live")
    assert "needs a terminal" in message
    assert not (tmp_path / "tok").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace", "low-lower", "--pace", "1"],
        ["trace", "low-lower", "--live", "--json"],
        ["learn", "low-lower", "-o", "x", "--vocab-size", "20", "--words", "low"],
    ],
)
def test_wrong_usage(bpe: Callable[..., Any], arguments: list[str]) -> None:
    assert bpe(*arguments).returncode == 2
