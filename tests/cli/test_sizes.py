"""`bpe-transformer sizes`, run as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import PretokenCounts

TEXT = "세 마리 고양이가 책을 읽었다. three cats read three books."


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path / "text.txt"


def test_ladder_of_a_text(bpe: Callable[..., Any], byte_tokenizer: Path, text: Path) -> None:
    done = bpe("sizes", byte_tokenizer, "--file", text, "--sizes", "259,270,280", "--json")
    assert done.returncode == 0, done.stderr.decode()
    ladder = json.loads(done.stdout)
    (corpus,) = ladder["corpora"]
    assert corpus["bytes"] == len(TEXT.encode())
    assert [row["vocab_size"] for row in corpus["sizes"]] == [259, 270, 280]
    assert corpus["sizes"][0]["num_tokens"] == len(TEXT.encode())
    assert corpus["sizes"][2]["num_tokens"] < corpus["sizes"][1]["num_tokens"] < corpus["sizes"][0]["num_tokens"]
    assert ladder["from_trace"] is False


def test_a_counts_file_is_measured_as_its_texts_are(bpe: Callable[..., Any], byte_tokenizer: Path, text: Path) -> None:
    PretokenCounts.from_files([text]).save(text.with_name("counts.parquet"))
    done = bpe("sizes", byte_tokenizer, "--file", text.with_name("counts.parquet"), "--file", text, "--json")
    assert done.returncode == 0, done.stderr.decode()
    counted, read = json.loads(done.stdout)["corpora"]
    assert counted["sizes"] == read["sizes"]


def test_the_trace_is_enough(bpe: Callable[..., Any], byte_tokenizer: Path) -> None:
    done = bpe("sizes", byte_tokenizer, "--width", 70)
    assert done.returncode == 0, done.stderr.decode()
    shown = done.stdout.decode()
    assert "learning corpus" in shown
    assert "bytes/token" in shown
    assert max(map(len, shown.splitlines())) <= 70


def test_sides_of_parallel_text_are_measured_apart(bpe: Callable[..., Any], byte_tokenizer: Path) -> None:
    done = bpe("sizes", byte_tokenizer, "--file", "numbers-en-ko", "--sizes", "259,280", "--json")
    assert done.returncode == 0, done.stderr.decode()
    corpora = json.loads(done.stdout)["corpora"]
    assert len(corpora) == 2
    assert [row["parity"] for row in corpora[0]["sizes"]] == [1, 1]
    assert all(row["parity"] > 0 for row in corpora[1]["sizes"])


def test_bytes_that_are_not_utf8(
    bpe: Callable[..., Any], fails: Callable[..., str], byte_tokenizer: Path, text: Path
) -> None:
    text.write_bytes(b"three \xff books")
    assert "--errors replace" in fails("sizes", byte_tokenizer, "--file", text)
    done = bpe("sizes", byte_tokenizer, "--file", text, "--errors", "replace", "--sizes", "259", "--json")
    assert json.loads(done.stdout)["corpora"][0]["sizes"][0]["num_tokens"] == len("three \ufffd books".encode())


def test_errors_name_value_and_remedy(fails: Callable[..., str], byte_tokenizer: Path, text: Path) -> None:
    assert "'1k'" in fails("sizes", byte_tokenizer, "--sizes", "1k")
    assert "5000" in fails("sizes", byte_tokenizer, "--file", text, "--sizes", "5000")
    assert "missing.txt" in fails("sizes", byte_tokenizer, "--file", "missing.txt")
