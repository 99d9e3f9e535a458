"""`learn`: what it saves, what it says, and that it leaves nothing behind when it fails."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe

Run = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]
TEXT = "세 마리 고양이가 책을 읽었다.\nthree cats read three books\n" * 3


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text(TEXT)
    return path


def test_saves_what_the_library_learns(bpe: Run, corpus: Path, tmp_path: Path) -> None:
    done = bpe("learn", corpus, "-o", tmp_path / "tok", "--vocab-size", 280)
    assert (done.returncode, done.stdout) == (0, b"")
    special = ["<pad>", "<s>", "</s>"]
    expected = learn_bpe(PretokenCounts.from_files([corpus]), vocab_size=280, special_tokens=special)
    assert Tokenizer.load(tmp_path / "tok").digest == expected.digest
    said = done.stderr.decode()
    for fact in (expected.digest, f"{len(TEXT.encode())} bytes", "21 merges", "tie rule", "1 document", "first merges"):
        assert fact in said


def test_standard_input_counts_as_a_file_does(bpe: Run, corpus: Path, tmp_path: Path) -> None:
    bpe("learn", corpus, "-o", tmp_path / "file", "--vocab-size", 280)
    done = bpe("learn", "-", "-o", tmp_path / "stdin", "--vocab-size", 280, "--json", input=TEXT.encode())
    summary = json.loads(done.stdout)
    assert summary["digest"] == Tokenizer.load(tmp_path / "file").digest == Tokenizer.load(tmp_path / "stdin").digest
    assert {"documents", "bytes", "distinct_words", "merges", "ties", "vocab_size", "output"} <= summary.keys()


def test_low_lower_in_characters(bpe: Run, tmp_path: Path) -> None:
    directory = tmp_path / "tok"
    done = bpe("learn", "low-lower", "-o", directory, "--vocab-size", 100, "--unit", "char", "--no-special")
    tokenizer = Tokenizer.load(directory)
    assert [tokenizer.token_bytes(token) for token in range(11)] == [*(c.encode() for c in "deilnorstw"), b"<unk>"]
    assert len(tokenizer.merges) == 12
    assert b"asked for 100" in done.stderr


def test_options_reach_the_learner(bpe: Run, corpus: Path, tmp_path: Path) -> None:
    options = ["--special", "<a>", "--pattern", "gpt2", "--alphabet-order", "gpt2", "--min-frequency", "4"]
    bpe("learn", corpus, "-o", tmp_path / "tok", "--vocab-size", 290, *options)
    tokenizer = Tokenizer.load(tmp_path / "tok")
    assert tokenizer.special_tokens == {"<a>": 256}
    assert tokenizer.pattern == "gpt2"
    assert tokenizer.token_bytes(0) == b"!"
    assert tokenizer.trace is not None
    assert min(step.count for step in tokenizer.trace) >= 4


def test_end_of_word(bpe: Run, tmp_path: Path) -> None:
    options = ["--unit", "char", "--end-of-word", "</w>", "--vocab-size", "30"]
    bpe("learn", "low-lower", "-o", tmp_path / "tok", *options)
    tokenizer = Tokenizer.load(tmp_path / "tok")
    assert tokenizer.end_of_word == "</w>"
    assert tokenizer.decode(tokenizer.encode("low  lower")) == "low lower"


def test_columns_of_a_table(bpe: Run, tmp_path: Path) -> None:
    table = tmp_path / "pairs.tsv"
    table.write_text("en\tko\ncats\t고양이\n")
    done = bpe("learn", table, "-o", tmp_path / "tok", "--vocab-size", 260, "--columns", "en", "--json")
    assert json.loads(done.stdout)["bytes"] == len("cats")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (
            b"abc",
            ["--vocab-size", 100],
            "--vocab-size 100 is smaller than the base alphabet (256 bytes + 3 special tokens)",
        ),
        (b"", ["--vocab-size", 300], "empty"),
        (b"ab\xffc", ["--vocab-size", 300], "corpus.txt is not UTF-8: byte 0xff at position 2"),
        (b"abc", ["--vocab-size", 300, "--pattern", "(unclosed"], "(unclosed"),
        (b"abc", ["--vocab-size", 300, "--end-of-word", "</w>"], "unit"),
    ],
)
def test_bad_input_writes_nothing(
    process_fails: Callable[..., str], tmp_path: Path, content: bytes, options: list[object], message: str
) -> None:
    (tmp_path / "corpus.txt").write_bytes(content)
    assert message in process_fails("learn", tmp_path / "corpus.txt", "-o", tmp_path / "tok", *options)
    assert [entry.name for entry in tmp_path.iterdir()] == ["corpus.txt"]


def test_missing_file(process_fails: Callable[..., str], tmp_path: Path) -> None:
    message = process_fails("learn", tmp_path / "none.txt", "-o", tmp_path / "tok", "--vocab-size", 300)
    assert "none.txt" in message
    assert not list(tmp_path.iterdir())


def test_bad_bytes_on_standard_input(fails: Callable[..., str], bpe: Run, tmp_path: Path) -> None:
    message = fails("learn", "-", "-o", tmp_path / "tok", "--vocab-size", 300, input=b"ab\xff")
    assert "standard input is not UTF-8: byte 0xff at position 2" in message
    assert not list(tmp_path.iterdir())
    replaced = bpe("learn", "-", "-o", tmp_path / "tok", "--vocab-size", 300, "--errors", "replace", input=b"ab\xff")
    assert replaced.returncode == 0


def test_contradicting_options_are_wrong_usage(bpe: Run, tmp_path: Path) -> None:
    done = bpe("learn", "low-lower", "-o", tmp_path / "tok", "--vocab-size", 300, "--special", "<a>", "--no-special")
    assert done.returncode == 2
    assert not list(tmp_path.iterdir())


def interrupted(process: subprocess.Popen[bytes]) -> bytes:
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=30)
    assert process.returncode == 130
    return message


def test_interrupt_while_reading_leaves_nothing(start: Start, tmp_path: Path) -> None:
    process = start("learn", "-", "-o", tmp_path / "tok", "--vocab-size", 300, TMPDIR=str(tmp_path))
    assert process.stdin is not None
    process.stdin.write(b"word " * 100_000)  # more than a pipe holds: when this returns, the command is reading
    process.stdin.flush()
    message = interrupted(process)
    assert message.startswith(b"interrupted after 0 bytes, 0 whole documents; nothing was written"), message
    assert not list(tmp_path.iterdir())


def test_interrupt_while_learning_leaves_nothing(start: Start, tmp_path: Path) -> None:
    letters = random.Random(0)
    words = " ".join("".join(letters.choices("abcdefghij", k=12)) for _ in range(150_000))
    (tmp_path / "corpus.txt").write_text(words)
    process = start("learn", tmp_path / "corpus.txt", "-o", tmp_path / "tok", "--vocab-size", 400_000, FORCE_COLOR="1")
    assert process.stderr is not None
    seen = b""
    while b"learning" not in seen:  # the progress bar is drawn where a terminal is claimed
        piece = process.stderr.read1(4096)  # type: ignore[attr-defined]
        assert piece, seen
        seen += piece
    interrupted(process)
    assert [entry.name for entry in tmp_path.iterdir()] == ["corpus.txt"]


def test_bad_run_keeps_the_old_vocabulary(bpe: Run, corpus: Path, tmp_path: Path) -> None:
    bpe("learn", corpus, "-o", tmp_path / "tok", "--vocab-size", 270)
    before = Tokenizer.load(tmp_path / "tok").digest
    assert bpe("learn", corpus, "-o", tmp_path / "tok", "--vocab-size", 3).returncode == 1
    assert Tokenizer.load(tmp_path / "tok").digest == before


def test_goes_on_from_a_base(bpe: Run, corpus: Path, tmp_path: Path) -> None:
    bpe("learn", corpus, "-o", tmp_path / "once", "--vocab-size", 290, "--special", "<a>")
    bpe("learn", corpus, "-o", tmp_path / "base", "--vocab-size", 270, "--special", "<a>")
    done = bpe("learn", corpus, "-o", tmp_path / "more", "--vocab-size", 290, "--base", tmp_path / "base", "--json")
    summary = json.loads(done.stdout)
    assert summary["digest"] == Tokenizer.load(tmp_path / "once").digest
    assert (summary["merges"], summary["merges_of_base"]) == (33, 13)
    assert b"13 merges of it, and all its ids, were kept" in done.stderr
    refused = bpe(
        "learn", corpus, "-o", tmp_path / "x", "--vocab-size", 300, "--base", tmp_path / "base", "--pattern", "gpt2"
    )
    assert refused.returncode == 2
    assert b"--pattern is fixed by --base" in refused.stderr


def test_superwords(bpe: Run, corpus: Path, tmp_path: Path) -> None:
    bpe("learn", corpus, "-o", tmp_path / "tok", "--vocab-size", 340, "--superwords", 20, "--no-special")
    tokenizer = Tokenizer.load(tmp_path / "tok")
    plain = learn_bpe(PretokenCounts.from_files([corpus]), vocab_size=276)
    assert tokenizer.pattern == "superword"
    assert tokenizer.merges[:20] == plain.merges
    assert any(b" " in tokenizer.token_bytes(id).strip() for id in range(276, tokenizer.vocab_size))
    done = bpe("learn", "low-lower", "-o", tmp_path / "x", "--vocab-size", 300, "--superwords", 1)
    assert (done.returncode, b"superwords need texts" in done.stderr) == (1, True)


def test_what_is_left_out_of_the_alphabet_is_told(bpe: Run, corpus: Path, tmp_path: Path) -> None:
    options = [
        "--unit",
        "char",
        "--character-coverage",
        "0.9",
        "--required-characters",
        "세Q",
        "--max-token-bytes",
        "6",
    ]
    done = bpe("learn", corpus, "-o", tmp_path / "tok", "--vocab-size", 100, *options, "--json")
    summary, tokenizer = json.loads(done.stdout), Tokenizer.load(tmp_path / "tok")
    assert summary["characters_left_out"] > 0
    assert 0 < summary["occurrences_left_out"] <= 0.1 * len(TEXT)
    assert f"{summary['characters_left_out']} characters of the alphabet" in done.stderr.decode()
    assert tokenizer.encode("Q") == [tokenizer.id_of("Q")]
    assert max(len(tokenizer.token_bytes(id)) for id in tokenizer.model.merged_ids) <= 6


def test_protected_text_and_a_normal_form_reach_the_saved_vocabulary(bpe: Run, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("use C++17 or C++20, cafe\u0301 ab-12\n" * 4)
    options = ["--protect", "C++", "--protect-regex", r"\w+-\d+", "--protected-tokens", "--normalization", "NFC"]
    bpe("learn", tmp_path / "text.txt", "-o", tmp_path / "tok", "--vocab-size", 300, "--no-special", *options)
    tok = Tokenizer.load(tmp_path / "tok")
    assert tok.model.added_tokens == {"C++": 256}
    assert tok.encode("C++") == [256]
    assert [tok.token_bytes(id) for id in tok.encode("ab-12")] == [b"ab-12"]
    assert tok.encode("cafe\u0301") == tok.encode("café")
