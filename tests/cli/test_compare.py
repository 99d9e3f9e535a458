"""`compare`: tokenizers and texts named on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.cli.support.tokenizer_files import open_tokenizer, split_label

Run = Callable[..., Any]
EN, KO = "three cats\nthree books\n", "고양이 세 마리\n책 세 권\n"


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("small") / "tok"
    learn_bpe(PretokenCounts.from_iterator(["three cats three books"]), 262).save(directory)
    return directory


@pytest.fixture
def texts(tmp_path: Path) -> tuple[Path, Path]:
    en, ko = tmp_path / "text.en", tmp_path / "text.ko"
    en.write_text(EN, encoding="utf-8")
    ko.write_text(KO, encoding="utf-8")
    return en, ko


def test_compares(bpe: Run, byte_tokenizer: Path, small: Path, texts: tuple[Path, Path], loaded: Tokenizer) -> None:
    en, ko = texts
    done = bpe(
        "compare", f"mixed={byte_tokenizer}", f"small={small}", "--file", en, "--file", f"ko={ko}", "--width", 100
    )
    assert re.fullmatch(rb"read: 2 rows, \d+ bytes, all kept\n", done.stderr)
    shown = done.stdout.decode()
    for expected in ("text.en", "ko   ", "all texts", "mixed", "small", "in common", "cut most differently"):
        assert expected in shown
    assert f"{len(loaded.encode(EN)):,}" in shown


def test_parallel_and_json(
    bpe: Run, byte_tokenizer: Path, small: Path, texts: tuple[Path, Path], loaded: Tokenizer
) -> None:
    arguments = (
        "compare",
        byte_tokenizer,
        small,
        "--parallel",
        f"en={texts[0]}",
        f"ko={texts[1]}",
        "--json",
        "--limit",
        1,
    )
    facts = json.loads(bpe(*arguments).stdout)
    assert [score["text"] for score in facts["scores"]] == ["en", "en", "ko", "ko", "all texts", "all texts"]
    assert facts["scores"][0]["num_tokens"] == len(loaded.encode(EN))
    assert facts["parities"][0]["num_tokens"] == sum(len(loaded.encode(line)) for line in KO.splitlines())
    assert len(facts["lines"]) == 1
    jsonschema.validate(
        facts, json.loads((files("bpe_transformer.inspection") / "schemas/compare.json").read_text("utf-8"))
    )


def test_names_of_tokenizers(byte_tokenizer: Path, bpe: Run, texts: tuple[Path, Path], tmp_path: Path) -> None:
    """Two folders of one name are told apart by their paths."""
    same = tmp_path / "other" / "tok"
    learn_bpe(PretokenCounts.from_words({"low": 1}), 256).save(same)
    facts = json.loads(bpe("compare", byte_tokenizer, same, "--file", texts[0], "--json").stdout)
    assert [tokenizer["name"] for tokenizer in facts["tokenizers"]] == [str(byte_tokenizer), str(same)]
    assert bpe("compare", f"a={same}", f"a={same}", "--file", texts[0]).returncode == 2
    assert split_label("x=a/tokenizer.json") == ("x", "a/tokenizer.json")
    assert split_label("a/tokenizer.json") == ("a/tokenizer.json", "a/tokenizer.json")


def test_files_of_ranks_take_a_pattern(tmp_path: Path, loaded: Tokenizer) -> None:
    ranks = learn_bpe(PretokenCounts.from_iterator(["세 마리 three cats 123456"], "gpt2"), 270)
    path = tmp_path / "odd=name.tiktoken"
    ranks.export(path, "tiktoken")
    for pattern in ("gpt2", "o200k", r"\s?\S+(?::x)?"):
        assert open_tokenizer(f"{path}:{pattern}").pattern == pattern
    assert open_tokenizer(f"{path}:gpt2").encode("세 마리 12345") == ranks.encode("세 마리 12345")
    assert split_label(str(path)) == (path.name, str(path))


def test_mistakes_say_what_to_do(
    bpe: Run, fails: Callable[..., str], small: Path, texts: tuple[Path, Path], tmp_path: Path
) -> None:
    done = bpe("compare", small)
    assert done.returncode == 2
    assert b"--file FILE" in done.stderr
    assert "check the path" in fails("compare", small, "--file", tmp_path / "none")
    assert str(tmp_path / "none") in fails("compare", tmp_path / "none", "--file", texts[0])
    short, empty, broken = tmp_path / "short", tmp_path / "empty", tmp_path / "broken"
    short.write_text("three\n")
    empty.touch()
    broken.write_bytes(b"ab\xff")
    assert "has 1 line and" in fails("compare", small, "--parallel", texts[0], short)
    assert "is empty" in fails("compare", small, "--file", empty)
    assert "--errors replace" in fails("compare", small, "--file", broken)
    assert bpe("compare", small, "--file", broken, "--errors", "replace").returncode == 0
