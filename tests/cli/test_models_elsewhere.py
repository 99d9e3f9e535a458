"""`export` and `import` of models; what they write and read is tested in tests/inference/test_export.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer import PretokenCounts, learn_bpe
from tests.inference.test_export import make_run

Run = Callable[..., Any]


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    words = {"low": 5, " lower": 2, " newest": 6}
    tokenizer = learn_bpe(PretokenCounts.from_words(words), 270, special_tokens=["<pad>", "<s>", "</s>", "<mask>"])
    return make_run("marian", tokenizer, tmp_path / "run")


def test_a_run_goes_out_and_comes_back(bpe: Run, fails: Run, run_folder: Path, tmp_path: Path) -> None:
    done = bpe("export", run_folder, tmp_path / "hf", "--format", "transformers")
    assert done.returncode == 0, done.stderr.decode()
    assert "MarianMTModel with its tokenizer; read back with equal greedy outputs" in done.stderr.decode()
    assert bpe("export", run_folder, "-o", tmp_path / "hf").returncode == 0  # the same again changes nothing
    back = bpe("import", tmp_path / "hf", "-o", tmp_path / "back", "--src", "en", "--tgt", "ko")
    assert back.returncode == 0, back.stderr.decode()
    assert "read MarianMTModel as a translation model of family transformer" in back.stderr.decode()
    texts = (tmp_path / "a.en.txt"), (tmp_path / "a.ko.txt")
    for path in texts:
        path.write_text("low\nlower\n", encoding="utf-8")
    scored = bpe("evaluate", tmp_path / "back", ",".join(map(str, texts)), "--split", "train", "--beam", "1")
    assert scored.stdout.decode().startswith("train  BLEU")
    written = [
        bpe("translate", folder, "low lower", "--beam", "1").stdout for folder in (run_folder, tmp_path / "back")
    ]
    assert written[0] == written[1]
    refused = fails("import", tmp_path / "hf", "-o", tmp_path / "no", "--column", "x")
    assert "--column x is not read by MarianMTModel; name src and tgt" in refused
    # of a folder with both, the tokenizer alone when its file is named
    assert bpe("import", tmp_path / "hf" / "tokenizer.json", "-o", tmp_path / "tok").returncode == 0
    assert not (tmp_path / "tok" / "model.safetensors").exists()


def test_what_is_no_model_and_two_outputs_are_refused(bpe: Run, fails: Run, run_folder: Path, tmp_path: Path) -> None:
    assert bpe("import", run_folder / "tokenizer.json", "-o", tmp_path / "tok").returncode == 0
    assert "holds no trained model" in fails("export", tmp_path / "tok", tmp_path / "x", "--format", "transformers")
    assert not (tmp_path / "x").exists()
    both = bpe("export", run_folder, tmp_path / "x", "-o", tmp_path / "y")
    assert (both.returncode, b"name one output" in both.stderr) == (2, True)
    assert bpe("export", tmp_path / "tok", tmp_path / "tok.tiktoken").returncode == 0
    none = bpe("export", tmp_path / "tok", tmp_path / "x")
    assert b"names no format" in none.stderr
