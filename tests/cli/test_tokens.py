"""`tokens`: spans and table of a text."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bpe_transformer import Tokenizer

Run = Callable[..., Any]


def test_spans_and_table(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer) -> None:
    done = bpe("tokens", byte_tokenizer, "three 뷁", "--width", 80)
    assert done.stderr == b""
    shown = done.stdout.decode()
    assert shown.splitlines()[0].rstrip().endswith("⟨eb⟩│⟨b7⟩│⟨81⟩│")
    assert f"{len(loaded.encode('three 뷁'))} tokens, 7 characters, 9 bytes" in shown
    assert "kind" in shown
    assert "kind" not in bpe("tokens", byte_tokenizer, "three", "--no-table").stdout.decode()


def test_json(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer) -> None:
    text = "세 마리 three"
    facts = json.loads(bpe("tokens", byte_tokenizer, "--json", input=text.encode()).stdout)
    assert facts.keys() == {
        *("text", "digest", "num_tokens", "num_bytes", "num_chars", "bytes_per_token", "num_unknown", "spans"),
    }
    assert [span["id"] for span in facts["spans"]] == loaded.encode(text)
    assert facts["digest"] == loaded.digest


def test_long_table_is_cut_unless_asked(bpe: Run, byte_tokenizer: Path) -> None:
    text = b"x" * 250
    assert "50 more tokens" in bpe("tokens", byte_tokenizer, input=text).stdout.decode()
    assert "more tokens" not in bpe("tokens", byte_tokenizer, "--all", input=text).stdout.decode()


def test_file_is_summarised(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer, tmp_path: Path) -> None:
    text = "세 마리 three\n" * 50
    path, other = tmp_path / "a.txt", tmp_path / "b.txt"
    path.write_text(text, encoding="utf-8")
    other.write_text("three <s>", encoding="utf-8")
    shown = bpe("tokens", byte_tokenizer, "--file", path, "--width", 100).stdout.decode()
    assert f"{len(loaded.encode(text)):,}, " in shown
    assert "most frequent" in shown
    assert "partial bytes" in shown
    both = json.loads(bpe("tokens", byte_tokenizer, "--file", path, "--file", other, "--json", "--limit", 3).stdout)
    assert [facts["num_tokens"] for facts in both] == [
        len(loaded.encode(text)),
        len(loaded.encode_ordinary("three <s>")),
    ]
    assert len(both[0]["top"]) == 3
    jsonschema.validate(
        both, json.loads((files("bpe_transformer.inspection") / "schemas/tokens.json").read_text("utf-8"))
    )
    assert "kind" in bpe("tokens", byte_tokenizer, "--file", path, "--spans").stdout.decode()


def test_much_standard_input_is_summarised(bpe: Run, byte_tokenizer: Path) -> None:
    assert "most frequent" in bpe("tokens", byte_tokenizer, input=b"three " * 4000).stdout.decode()
    assert "most frequent" not in bpe("tokens", byte_tokenizer, "--no-table", "three " * 4000).stdout.decode()


def test_bad_files(bpe: Run, fails: Callable[..., str], byte_tokenizer: Path, tmp_path: Path) -> None:
    broken, empty = tmp_path / "broken", tmp_path / "empty"
    broken.write_bytes(b"ab\xff")
    empty.touch()
    assert "--errors replace" in fails("tokens", byte_tokenizer, "--file", broken)
    assert bpe("tokens", byte_tokenizer, "--file", broken, "--errors", "replace").returncode == 0
    assert "is empty" in fails("tokens", byte_tokenizer, "--file", empty)
    assert "check the path" in fails("tokens", byte_tokenizer, "--file", tmp_path / "none")
    assert bpe("tokens", byte_tokenizer, "x", "--file", broken).returncode == 2


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"PK\x03\x04", "a zip archive"),
        (b"abc\x00\x01", "binary data, with NUL bytes"),
        ("한글".encode("utf-16"), "text in UTF-16; save it as UTF-8"),
    ],
)
def test_what_is_no_text_is_named(
    fails: Callable[..., str], byte_tokenizer: Path, tmp_path: Path, head: bytes, kind: str
) -> None:
    path = tmp_path / "picture.txt"
    path.write_bytes(head + bytes(range(128, 256)))
    assert f"picture.txt is not UTF-8 text: it is {kind}" in fails("tokens", byte_tokenizer, "--file", path)
    assert f"picture.txt is not UTF-8 text: it is {kind}" in fails("count", path, "-o", tmp_path / "x.parquet")
    (tmp_path / "tokenizer").write_bytes(path.read_bytes())
    assert kind.partition(";")[0] in fails("tokens", tmp_path / "tokenizer", "a")


def test_narrow_terminal(start: Callable[..., subprocess.Popen[bytes]], byte_tokenizer: Path) -> None:
    command = ("tokens", byte_tokenizer, "three")
    narrow = start(*command, COLUMNS="20")
    as_json = start(*command, "--json", COLUMNS="20")
    wider = start(*command, "--width", 40, COLUMNS="20")
    assert b"--width 80 or --json" in narrow.communicate(timeout=60)[1]
    assert narrow.returncode == 1
    for process in (as_json, wider):
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_explain_says_what_does_each_stage(bpe: Run, byte_tokenizer: Path) -> None:
    shown = " ".join(bpe("tokens", byte_tokenizer, "three", "--explain").stdout.decode().split())
    assert "split: by the core's own scanner" in shown
    facts = json.loads(bpe("tokens", byte_tokenizer, "three", "--explain", "--json").stdout)
    assert list(facts["stages"]) == ["tokens in text", "split", "merging"]


def test_special_tokens(bpe: Run, fails: Callable[..., str], byte_tokenizer: Path) -> None:
    message = fails("tokens", byte_tokenizer, "<s>three")
    assert "'<s>'" in message
    assert "--allow-special" in message
    assert "special" in bpe("tokens", byte_tokenizer, "<s>three", "--allow-special", "<s>").stdout.decode()
    assert bpe("tokens", byte_tokenizer, "<s>three", "--special-as-text").returncode == 0
    assert "it has: <pad> <s> </s>" in fails("tokens", byte_tokenizer, "x", "--allow-special", "<mask>")


def test_empty_text(bpe: Run, byte_tokenizer: Path) -> None:
    shown = " ".join(bpe("tokens", byte_tokenizer, "").stdout.decode().split())
    assert "0 tokens, 0 characters" in shown
    assert "the text is empty: give one as TEXT, with --file FILE or on standard input" in shown


def test_bad_input(fails: Callable[..., str], byte_tokenizer: Path, tmp_path: Path) -> None:
    assert "byte 0xff at position 2" in fails("tokens", byte_tokenizer, input=b"ab\xff")
    assert str(tmp_path / "none") in fails("tokens", tmp_path / "none", "text")
