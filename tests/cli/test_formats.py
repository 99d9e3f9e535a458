"""`import` and `export`: every format through the commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe

Run = Callable[..., Any]
COMMAND = Path(sys.executable).parent / "bpe-transformer"
TEXT = "three 세 마리, the lower the newest low-lower"


@pytest.mark.parametrize("name", ["t.json", "t.tiktoken", "t.pkl"])
def test_round_trip(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer, tmp_path: Path, name: str) -> None:
    pytest.importorskip("tiktoken")
    done = bpe("export", byte_tokenizer, "-o", tmp_path / name)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    assert b"read back with equal ids" in done.stderr
    told = [x for text, id in loaded.special_tokens.items() for x in ("--special", f"{text}={id}")] + [
        "--pattern",
        loaded.pattern,
    ]
    done = bpe("import", tmp_path / name, "-o", tmp_path / "back", *(told if name == "t.tiktoken" else []))
    assert done.returncode == 0, done.stderr
    assert Tokenizer.load(tmp_path / "back").digest == loaded.digest


def test_import_takes_the_pattern_behind_the_file(bpe: Run, tmp_path: Path) -> None:
    learned = learn_bpe(PretokenCounts.from_iterator([TEXT], "cl100k"), 280)
    learned.export(tmp_path / "t.tiktoken", "tiktoken")
    done = bpe("import", f"{tmp_path}/t.tiktoken:cl100k", "-o", tmp_path / "back")
    assert done.returncode == 0, done.stderr
    assert Tokenizer.load(tmp_path / "back").digest == learned.digest
    done = bpe("import", f"{tmp_path}/t.tiktoken:cl100k", "--pattern", "gpt2", "-o", tmp_path / "no")
    assert done.returncode == 2
    assert b"the pattern is given twice" in done.stderr
    done = bpe("import", tmp_path / "t.tiktoken", "-o", tmp_path / "no")
    assert done.returncode == 1
    assert b"FILE:PATTERN" in done.stderr


def test_formats_of_two_files(bpe: Run, tmp_path: Path) -> None:
    learn_bpe(PretokenCounts.from_iterator([TEXT], "gpt2"), 300).save(tmp_path / "tok")
    assert bpe("export", tmp_path / "tok", "-o", tmp_path / "files", "--format", "gpt2").returncode == 0
    done = bpe("import", tmp_path / "files/vocab.json", tmp_path / "files/merges.txt", "-o", tmp_path / "back")
    assert done.returncode == 0, done.stderr
    assert Tokenizer.load(tmp_path / "back").digest == Tokenizer.load(tmp_path / "tok").digest


def test_codes_with_a_vocabulary_and_a_threshold(bpe: Run, tmp_path: Path) -> None:
    (tmp_path / "codes").write_text("#version: 0.2\nl o\nlo w\ne r</w>\nlow er</w>\n", encoding="utf-8")
    (tmp_path / "words").write_text("low@@ 9\ner 7\nlower 2\n", encoding="utf-8")
    given = (tmp_path / "codes", tmp_path / "words", "-o", tmp_path / "tok", "--vocabulary-threshold")
    done = bpe("import", *given, "3")
    assert done.returncode == 0, done.stderr
    assert b"3 ids; 7 tokens undone in the end" in done.stderr
    assert bpe("encode", tmp_path / "tok", input=b"lower low\n").stdout == b"0 1 2 2 2\n"
    assert b"which undoes 7 tokens" in bpe("tokens", tmp_path / "tok", "lower", "--explain").stdout
    assert b"undone" in bpe("why", tmp_path / "tok", "lower").stdout
    for output in ("out.json", "out.codes"):
        done = bpe("export", tmp_path / "tok", "-o", tmp_path / output)
        assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
        assert b"import the codes without --vocabulary-threshold" in done.stderr
    done = bpe("import", *given, "10", "--overwrite")
    assert b"no count reaches the threshold 10; the highest is 9" in done.stderr
    done = bpe("import", tmp_path / "tok", "-o", tmp_path / "no", "--vocabulary-threshold", "3")
    assert b"give both files: import CODES VOCABULARY --vocabulary-threshold N" in done.stderr
    assert b"codes.txt vocabulary.txt --vocabulary-threshold 50" in bpe("import", "--help").stdout


def test_characters(bpe: Run, tmp_path: Path) -> None:
    counts = PretokenCounts.from_iterator([TEXT], "whitespace")
    learn_bpe(counts, 80, unit="char", end_of_word="</w>", unk_token="<unk>").save(tmp_path / "tok")
    done = bpe("export", tmp_path / "tok", "-o", tmp_path / "my.codes")
    assert done.returncode == 0, done.stderr
    assert b"no place for the alphabet and the ids" in done.stderr
    assert bpe("import", tmp_path / "my.codes", "-o", tmp_path / "back").returncode == 0
    assert (
        Tokenizer.load(tmp_path / "back").decode(Tokenizer.load(tmp_path / "back").encode("low newest")) == "low newest"
    )


def test_any_command_takes_any_format(bpe: Run, byte_tokenizer: Path, loaded: Tokenizer, tmp_path: Path) -> None:
    pytest.importorskip("tiktoken")
    assert bpe("export", byte_tokenizer, "-o", tmp_path / "tokenizer.pkl").returncode == 0
    done = bpe("encode", tmp_path / "tokenizer.pkl", TEXT)
    assert done.stdout.decode().split() == [str(id) for id in loaded.encode(TEXT)]


def test_standard_input_and_output(bpe: Run, byte_tokenizer: Path, tmp_path: Path) -> None:
    file = (byte_tokenizer / "tokenizer.json").read_bytes()
    packed = bpe("export", "-", "-o", "-", "--format", "nanochat", input=file)
    assert packed.returncode == 0, packed.stderr
    assert b"wrote standard output" in packed.stderr
    assert bpe("export", "-", "-o", "-", input=packed.stdout).stdout == file
    back = bpe("import", "-", "-o", "-", input=packed.stdout)
    assert back.returncode == 0, back.stderr
    assert back.stdout == file
    for arguments in (("import", "-", "-o", tmp_path / "tok"), ("export", "-", "-o", "-")):
        done = bpe(*arguments, input=b"junk")
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.startswith(b"error: standard input: not JSON")
    assert b"gpt2 is two files" in bpe("export", byte_tokenizer, "-o", "-", "--format", "gpt2").stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="needs /dev")
def test_devices_are_written_to(byte_tokenizer: Path) -> None:
    """Not replaced, as a file is: a superuser could."""
    before = os.lstat("/dev/stdout").st_ino
    done = subprocess.run(
        [COMMAND, "export", byte_tokenizer, "-o", "/dev/stdout", "--format", "tokenizer.json"], capture_output=True
    )
    assert done.stdout == (byte_tokenizer / "tokenizer.json").read_bytes()
    assert os.lstat("/dev/stdout").st_ino == before


def test_refusals_are_one_line(bpe: Run, byte_tokenizer: Path, tmp_path: Path) -> None:
    done = bpe("export", byte_tokenizer, "-o", tmp_path / "t.model")
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: a SentencePiece model has characters as base symbols")
    assert done.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []
    assert b"choose one with --format" in bpe("export", byte_tokenizer, "-o", tmp_path / "t").stderr
    (tmp_path / "junk").write_bytes(b"\x00\x01")
    done = bpe("import", tmp_path / "junk", "-o", tmp_path / "tok")
    assert done.returncode == 1
    assert b"junk: not JSON" in done.stderr
    assert bpe("import", tmp_path / "junk", "-o", tmp_path / "tok", "--special", "x").returncode == 2


def test_the_command_lists_the_formats_without_loading_them() -> None:
    from bpe_transformer.cli.commands.export import _FORMATS
    from bpe_transformer.tokenizer.formats import FORMATS

    assert tuple(FORMATS) == _FORMATS


@pytest.mark.parametrize(
    "content", ["[1]", "null", "{}", '{"model": 3}', '{"model": {"type": "BPE"}}', "{", '{"version": "9"}']
)
def test_every_refusal_of_a_file_names_it_and_a_remedy(fails: Callable[..., str], tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    said = fails("tokens", tmp_path, "--text", "low")
    assert "tokenizer.json" in said
    assert "; " in said
