"""`bpe-transformer report`, run as a user runs it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema

from bpe_transformer.inspection.html.trained_model_page import holds_run


def test_writes_one_file(bpe: Callable[..., Any], byte_tokenizer: Path, tmp_path: Path) -> None:
    done = bpe("report", byte_tokenizer, "-o", tmp_path / "report.html", "--words", "·books, 고양이")
    assert done.returncode == 0, done.stderr.decode()
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '"words":[" books","고양이"]' in page
    assert "<title>tok</title>" in page
    assert f"{(tmp_path / 'report.html').stat().st_size:,} bytes" in " ".join(done.stderr.decode().split())


def test_json_says_what_was_left_out(bpe: Callable[..., Any], byte_tokenizer: Path, tmp_path: Path) -> None:
    alone = tmp_path / "tokenizer.json"
    alone.write_bytes((byte_tokenizer / "tokenizer.json").read_bytes())
    done = bpe("report", alone, "-o", tmp_path / "report.html", "--json")
    written = json.loads(done.stdout)
    jsonschema.validate(
        written, json.loads((files("bpe_transformer.inspection") / "schemas/report.json").read_text("utf-8"))
    )
    assert written["bytes"] == (tmp_path / "report.html").stat().st_size
    assert [line.split(",")[0] for line in written["left_out"]] == [
        "No trace was saved with this tokenizer",
        "No size was measured: this tokenizer came without a trace",
    ]


def test_a_damaged_run_is_no_vocabulary(fails: Callable[..., str], byte_tokenizer: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(byte_tokenizer, run)
    (run / "model.safetensors").write_bytes(b"weights")
    for content in ("{", "[1]", "{}"):
        (run / "config.json").write_text(content, encoding="utf-8")
        assert "config.json" in fails("report", run, "-o", tmp_path / "page.html")
    (run / "config.json").unlink()
    assert "holds no trained model (config.json is missing)" in fails("report", run, "-o", tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
    # a model of transformers with its tokenizer
    (run / "config.json").write_text('{"model_type": "gpt2"}', encoding="utf-8")
    (run / "tokenizer.manifest.json").unlink(missing_ok=True)
    assert not holds_run(run)


def test_texts_are_measured(bpe: Callable[..., Any], byte_tokenizer: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("three books", encoding="utf-8")
    done = bpe("report", byte_tokenizer, "-o", tmp_path / "r.html", "--file", tmp_path / "a.txt", "--sizes", "259,280")
    assert done.returncode == 0, done.stderr.decode()
    assert '"from_trace":false' in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_an_output_that_cannot_be_written(fails: Callable[..., str], byte_tokenizer: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    assert "taken" in fails("report", byte_tokenizer, "-o", tmp_path / "taken" / "report.html")
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_folder_is_no_output(bpe: Callable[..., Any], byte_tokenizer: Path, tmp_path: Path) -> None:
    done = bpe("report", byte_tokenizer, "-o", tmp_path)
    assert done.returncode == 2
    assert "is a directory" in done.stderr.decode()
