"""No command replaces an output by something else unless it is told to; the same again is no reason to refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import Tokenizer

Run = Callable[..., Any]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text("three cats read three books. 세 마리 고양이\n" * 5, encoding="utf-8")
    return path


@pytest.fixture
def cases(corpus: Path, byte_tokenizer: Path, tmp_path: Path) -> dict[str, tuple[list[Any], list[Any], Path]]:
    """(the command, options that change its output, a file of the output) for each name."""
    learn = ["learn", corpus, "-o", tmp_path / "tok", "--vocab-size", 270]
    vocabulary = ["import", byte_tokenizer, "-o", tmp_path / "imported"]
    return {
        "learn": (learn, ["--special", "<x>"], tmp_path / "tok/tokenizer.json"),
        "count": (["count", corpus, "-o", tmp_path / "c.parquet"], ["--pattern", "gpt2"], tmp_path / "c.parquet"),
        "export": (
            ["export", byte_tokenizer, "-o", tmp_path / "t.json"],
            ["--format", "nanochat"],
            tmp_path / "t.json",
        ),
        "report": (["report", byte_tokenizer, "-o", tmp_path / "r.html"], ["--title", "other"], tmp_path / "r.html"),
        "import": (vocabulary, [], tmp_path / "imported/tokenizer.json"),
    }


@pytest.mark.parametrize("name", ["learn", "count", "export", "report", "import"])
def test_only_what_would_change_is_refused(
    bpe: Run, fails: Callable[..., str], cases: dict[str, Any], name: str
) -> None:
    arguments, changed, file = cases[name]
    for _ in range(2):
        done = bpe(*arguments)
        assert done.returncode == 0, done.stderr
    before = file.read_bytes()
    if changed:
        message = fails(*arguments, *changed)
        assert "already, and nothing was written; replace it with --overwrite, or choose another -o" in message
        assert file.read_bytes() == before
        assert bpe(*arguments, *changed, "--overwrite").returncode == 0
        assert file.read_bytes() != before
    else:
        file.write_text("not a tokenizer")
        assert "--overwrite" in fails(*arguments)
        assert bpe(*arguments, "--overwrite").returncode == 0
        assert file.read_bytes() == before
    assert not list(file.parent.glob(".*"))


def test_a_smaller_vocabulary_is_refused_before_anything_is_read(
    bpe: Run, fails: Callable[..., str], cases: dict[str, Any], tmp_path: Path
) -> None:
    arguments, _, _ = cases["learn"]
    assert bpe(*arguments).returncode == 0
    digest = Tokenizer.load(tmp_path / "tok").digest
    message = fails("learn", "nowhere.txt", "-o", tmp_path / "tok", "--vocab-size", 262)
    assert "holds a vocabulary of 270 already" in message
    assert Tokenizer.load(tmp_path / "tok").digest == digest


def test_what_is_kept_on_interruption_needs_a_free_place(
    bpe: Run, fails: Callable[..., str], cases: dict[str, Any]
) -> None:
    for name in ("learn", "count"):
        arguments, _, _ = cases[name]
        assert bpe(*arguments, "--keep-partial").returncode == 0
        assert "exists already" in fails(*arguments, "--keep-partial")


def test_offsets_of_encode(bpe: Run, fails: Callable[..., str], byte_tokenizer: Path, tmp_path: Path) -> None:
    arguments = ["encode", byte_tokenizer, "three", "--format", "npy", "--offsets", tmp_path / "o.npy"]
    assert bpe(*arguments).returncode == 0
    assert "exists already" in fails(*arguments)
    assert bpe(*arguments, "--overwrite").returncode == 0
