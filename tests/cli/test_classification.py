"""`train --task classification` on a table, and `evaluate` of what it made."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

SHAPE = ("--d-model", "16", "--n-layers", "1", "--n-heads", "2", "--d-ff", "32", "--max-len", "16", "--dropout", "0")
QUICK = (*SHAPE, "--vocab-size", "280", "--lr", "0.01", "--warmup", "10", "--max-tokens", "300", "--epochs", "20")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["review", "stars"])
        for number in range(60):
            writer.writerow([f"good {'very ' * (number % 4)}film", 5])
            writer.writerow([f"bad {'very ' * (number % 3)}film", 1])
    return path


@pytest.mark.parametrize("family", [(), ("--family", "gpt")])
def test_a_table_is_learned_and_scored(
    bpe: Run, fails: Run, table: Path, tmp_path: Path, family: tuple[str, ...]
) -> None:
    options = ("--column", "review", "--label", "stars", "--task", "classification")
    done = bpe("train", table, "-o", tmp_path / "run", *options, *QUICK, *family)
    assert done.returncode == 0, done.stderr.decode()
    assert "accuracy 100.0 %" in done.stderr.decode()
    assert "nats per label" in done.stderr.decode()
    card = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))
    assert (card["task"], card["labels"], card["columns"]) == ("classification", ["1", "5"], ["review", "stars"])
    scored = bpe("evaluate", tmp_path / "run", table, "--split", "train[:20]")
    assert scored.stdout.decode() == "train[:20]  accuracy 100.0 %  macro F1 100.0 %  20 rows\n"
    (result,) = json.loads(bpe("evaluate", tmp_path / "run", table, "--split", "train[:3]", "--json").stdout)
    assert (result["score"], result["macro_f1"], result["outputs"]) == (100, 100, ["5", "1", "5"])
    assert "holds a classifier" in fails("generate", tmp_path / "run", "good")


def test_a_run_is_trained_on(bpe: Run, fails: Run, table: Path, tmp_path: Path) -> None:
    first = (
        "train",
        table,
        "-o",
        tmp_path / "run",
        "--family",
        "gpt",
        "--task",
        "language-model",
        "--column",
        "review",
    )
    done = bpe(*first, *QUICK, "--epochs", "1")
    assert done.returncode == 0, done.stderr.decode()
    options = ("--column", "review", "--label", "stars", "--epochs", "2", "--from-run", tmp_path / "run")
    more = bpe("train", table, "-o", tmp_path / "more", *options)
    assert more.returncode == 0, more.stderr.decode()
    said = more.stderr.decode()
    assert "rows of the embedding as they were; a fresh head (4 parameters)" in said
    settings = json.loads((tmp_path / "more" / "config.json").read_text(encoding="utf-8"))["settings"]
    assert (settings["family"], settings["model"]["d_model"], settings["training"]["epochs"]) == ("gpt", 16, 2)
    assert "keeps its options; leave out" in fails("train", table, "-o", tmp_path / "x", *options, "--d-model", "32")


def test_what_cannot_be_classified_is_refused(fails: Run, table: Path, tmp_path: Path) -> None:
    run = ("train", table, "-o", tmp_path / "run", *QUICK)
    assert "--label stars is not read with --task language-model" in fails(
        *run, "--task", "language-model", "--label", "stars"
    )
    assert "--family transformer is not for" in fails(*run, "--label", "stars", "--family", "transformer")
    assert "has no column 'sort'" in fails(*run, "--column", "review", "--label", "sort", "--task", "classification")
