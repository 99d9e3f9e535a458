"""`decode`: ids to the bytes they stand for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import Tokenizer

Run = Callable[..., Any]


def test_lines_lists_and_arguments(bpe: Run, byte_tokenizer: Path) -> None:
    assert bpe("decode", byte_tokenizer, 104, 105).stdout == b"hi\n"
    assert bpe("decode", byte_tokenizer, input=b"104 105\n\n[104, 105]\n 33").stdout == b"hi\n\nhi\n!\n"
    assert bpe("decode", byte_tokenizer, "--whole", input=b"104 105\n[33]\n").stdout == b"hi!"
    assert bpe("decode", byte_tokenizer).stdout == b""


def test_bytes_are_written_as_they_are(bpe: Run, byte_tokenizer: Path) -> None:
    assert bpe("decode", byte_tokenizer, 237, 149).stdout == b"\xed\x95\n"


def test_special_tokens(bpe: Run, byte_tokenizer: Path) -> None:
    assert bpe("decode", byte_tokenizer, 257, 104, 258).stdout == b"<s>h</s>\n"
    assert bpe("decode", byte_tokenizer, 257, 104, 258, "--skip-special").stdout == b"h\n"


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (b"1 2\n3 280\n", "line 2: id 280 is out of range; this tokenizer has 0 to 279"),
        (b"99999999999999999999999", "line 1: id 99999999999999999999… is out of range"),
        (b"1 two 3", "line 1: 'two' is not an id; give whole numbers from 0 to 279"),
        (b"-1", "'-1' is not an id"),
        (b"1.5", "'1.5' is not an id"),
        (b"[1, -2]", "id -2 is out of range"),
        (b"[1, true]", "'true' is not an id"),
        (b"[1, 2", "line 1 begins like a JSON list but is not one"),
        (b"\xff\xfe", "is not an id"),
    ],
)
def test_bad_ids_write_nothing(fails: Callable[..., str], byte_tokenizer: Path, ids: bytes, message: str) -> None:
    assert message in fails("decode", byte_tokenizer, input=ids)


def test_bad_ids_in_a_process(process_fails: Callable[..., str], byte_tokenizer: Path) -> None:
    assert "id 280 is out of range" in process_fails("decode", byte_tokenizer, input=b"1 280")


def test_missing_tokenizer(fails: Callable[..., str], tmp_path: Path) -> None:
    assert str(tmp_path) in fails("decode", tmp_path / "none", input=b"1")


def test_round_trip_of_a_document(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer) -> None:
    text = "세 마리 고양이가 책을 읽었다.\n\n\tthree cats\r\n😀".encode()
    ids = " ".join(map(str, loaded.encode(text.decode()))).encode()
    assert bpe("decode", byte_tokenizer, "--whole", input=ids).stdout == text
