"""`encode`: lines to ids, in bounded memory, and back again byte for byte."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import Tokenizer

Run = Callable[..., Any]
LINES = ["세 마리 고양이", "", "three\rcats", "  two\tspaces "]


def test_a_line_of_ids_a_line(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer) -> None:
    done = bpe("encode", byte_tokenizer, input="\n".join(LINES).encode())
    assert done.stderr == b""
    assert done.stdout.decode().split("\n")[:-1] == [" ".join(map(str, loaded.encode(line))) for line in LINES]
    as_json = bpe("encode", byte_tokenizer, "--format", "json", input="\n".join(LINES).encode()).stdout
    assert [json.loads(line) for line in as_json.splitlines()] == [loaded.encode(line) for line in LINES]


def test_an_argument_and_nothing(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer) -> None:
    assert bpe("encode", byte_tokenizer, "three").stdout.split() == [b"%d" % id for id in loaded.encode("three")]
    assert bpe("encode", byte_tokenizer).stdout == b""
    assert bpe("encode", byte_tokenizer, "--whole").stdout == b"\n"


@pytest.mark.parametrize("form", ["ids", "json"])
def test_lines_come_back(bpe: Run, byte_tokenizer: Path, form: str) -> None:
    text = "".join(line + "\n" for line in LINES).encode()
    ids = bpe("encode", byte_tokenizer, "--format", form, input=text).stdout
    assert bpe("decode", byte_tokenizer, input=ids).stdout == text


def test_any_bytes_come_back(bpe: Run, byte_tokenizer: Path) -> None:
    data = bytes(range(256)) * 3 + os.urandom(500) + b"\r\n\n"
    ids = bpe("encode", byte_tokenizer, "--whole", "--errors", "keep", "--special-as-text", input=data).stdout
    assert bpe("decode", byte_tokenizer, "--whole", input=ids).stdout == data


def test_more_than_one_batch(bpe: Run, byte_tokenizer: Path) -> None:
    text = (
        b"".join(b"three cats %d\n" % number for number in range(80_000)) + b"x" * 1_500_000
    )  # 3 MB, a long line last
    ids = bpe("encode", byte_tokenizer, input=text).stdout
    assert ids.count(b"\n") == 80_001
    assert bpe("decode", byte_tokenizer, input=ids).stdout == text + b"\n"


def test_special_tokens(bpe: Run, fails: Callable[..., str], byte_tokenizer: Path) -> None:
    message = fails("encode", byte_tokenizer, input=b"one\n<s>two\n")
    assert "line 2 holds the special token '<s>'" in message
    assert "--allow-special '<s>'" in message
    assert "--special-as-text" in message
    assert bpe("encode", byte_tokenizer, "--allow-special", "all", input=b"<s>").stdout == b"257\n"
    assert bpe("encode", byte_tokenizer, "--allow-special", "<s>", input=b"<s>").stdout == b"257\n"
    assert b"257" not in bpe("encode", byte_tokenizer, "--special-as-text", input=b"<s>").stdout


def test_bad_bytes_in_a_process(process_fails: Callable[..., str], byte_tokenizer: Path) -> None:
    assert "byte 0xff at position 0" in process_fails("encode", byte_tokenizer, input=b"\xff")


def test_bad_bytes(bpe: Run, fails: Callable[..., str], byte_tokenizer: Path, loaded: Tokenizer) -> None:
    message = fails("encode", byte_tokenizer, input=b"ok\nab\xff\n")
    assert "byte 0xff at position 5 (line 2)" in message
    assert "--errors replace" in message
    ids = bpe("encode", byte_tokenizer, "--errors", "replace", input=b"ab\xff").stdout
    assert ids.split() == [b"%d" % id for id in loaded.encode("ab�")]


def test_answers_at_once(start: Callable[..., subprocess.Popen[bytes]], byte_tokenizer: Path) -> None:
    process = start("encode", byte_tokenizer, "--at-once")
    assert process.stdin is not None
    assert process.stdout is not None
    for line in (b"three\n", b"cats\n"):
        process.stdin.write(line)
        process.stdin.flush()
        assert process.stdout.readline().strip()


def test_closed_pipe_ends_quietly(start: Callable[..., subprocess.Popen[bytes]], byte_tokenizer: Path) -> None:
    process = start("encode", byte_tokenizer)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    try:
        process.stdin.write(b"three cats\n" * 300_000)
        process.stdin.close()
    except BrokenPipeError:
        pass
    assert process.stderr.read() == b""
    assert process.wait(timeout=30) == 0
