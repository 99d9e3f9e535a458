"""`train`: settings by layers and fitted ones, a run's records, and what is shown while it goes on."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bpe_transformer.cli.support.training.display import TrainingDisplay
from bpe_transformer.inspection.curves import RunSample
from bpe_transformer.training import Progress, RunStart, Settings
from bpe_transformer.training.config.config_file import read_config_file

SHAPE = """\
d_model = 16
n_layers = 1
n_heads = 2
d_ff = 32
max_len = 16
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "words.txt"
    path.write_text("low lower lowest\nnewest widest\n" * 120, encoding="utf-8")
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(f'family = "gpt"\nsteps = 12\neval_steps = 6\n[model]\n{SHAPE}', encoding="utf-8")
    return path


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_run_tells_everything_and_can_be_repeated(
    bpe: Callable[..., Any], corpus: Path, config: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    arguments = ("--config", config, "--log", "tensorboard", "--samples", 1, "--split", "train[:200]")
    more = ("--documents", "line", "--mix-temperature", 2)
    done = bpe("train", f"{corpus}:0.75", f"{corpus}:0.25", "-o", run, *arguments, *more)
    said = done.stderr.decode()
    assert done.returncode == 0, said
    assert re.search(r"--vocab-size 500  \([\d,]+ bytes of text\)", said)
    assert "--label-smoothing 0.0" in said
    assert "writes" in said
    figures = lines(run)
    assert [line["step"] for line in figures] == [1, 6, 10, 12, 12]  # the last one is the average of the weights
    for name in ("train_loss", "lr", "ids_per_second", "seconds", "memory_bytes", "data_wait"):
        assert all(isinstance(line[name], (int, float)) for line in figures), name
    assert ["validation_loss" in line for line in figures] == [False, True, False, True, True]
    assert figures[1]["samples"][0].keys() == {"given", "written", "expected"}
    assert list((run / "tensorboard").iterdir())
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert record["corpus"] == f"{corpus}:0.75 {corpus}:0.25"
    assert len(record["tokenizer"]) == 64
    assert record["training"][0]["ledger"]
    assert {"python", "torch", "bpe-transformer"} <= record["versions"].keys()
    assert record["machine"]["cores"] >= 1

    again = tmp_path / "again"
    repeated = bpe("train", "-o", again, "--config", run / "settings.toml")
    assert repeated.returncode == 0, repeated.stderr.decode()
    assert "fitted" not in repeated.stderr.decode()
    assert (again / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    assert read_config_file(again / "settings.toml").others == read_config_file(run / "settings.toml").others
    drawn = bpe("curve", run, again, "--width", 80)
    assert drawn.returncode == 0, drawn.stderr.decode()
    assert "run, validation" in drawn.stdout.decode()


def test_print_config_writes_a_file_that_is_read_and_nothing_else(
    bpe: Callable[..., Any], corpus: Path, config: Path, tmp_path: Path
) -> None:
    done = bpe("train", corpus, "--config", config, "--lr", "0.5", "--print-config")
    assert done.returncode == 0, done.stderr.decode()
    (tmp_path / "printed.toml").write_bytes(done.stdout)
    values = read_config_file(tmp_path / "printed.toml").values
    assert (values["lr"], values["d_model"], values["vocab_size"]) == (0.5, 16, 500)
    assert b"warmup = 3  # a quarter" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["printed.toml", "run.toml"]


def test_options_go_before_the_file_and_the_file_before_the_recipe(bpe: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("warmup = 33\nlr = 0.25\n[data]\nsplit = 'train[:300]'\n")
    done = bpe("train", "numbers-en-ko", "--config", tmp_path / "run.toml", "--lr", "0.125", "--print-config")
    assert done.returncode == 0, done.stderr.decode()
    (tmp_path / "printed.toml").write_bytes(done.stdout)
    values = read_config_file(tmp_path / "printed.toml").values
    assert (values["lr"], values["warmup"]) == (0.125, 33)
    assert values["vocab_size"] == 500  # the recipe's


def test_problems_are_told_at_once(
    fails: Callable[..., str], bpe: Callable[..., Any], corpus: Path, tmp_path: Path
) -> None:
    (tmp_path / "run.toml").write_text("lr = 'x'\n[model]\nd_modle = 3\n")
    said = fails("train", corpus, "-o", tmp_path / "run", "--config", tmp_path / "run.toml")
    assert "line 1" in said
    assert "line 3" in said
    assert not (tmp_path / "run").exists()
    for arguments, expected in (
        (("--tokenizer", "tok", "--vocab-size", 300), "--vocab-size 300 has no effect beside --tokenizer tok"),
        (("--resume", "--overwrite"), "--overwrite begins anew"),
        (("--log", "wandb"), "wandb"),
    ):
        done = bpe("train", corpus, "-o", tmp_path / "run", *arguments)
        assert done.returncode == 2
        assert expected in done.stderr.decode()
    assert "-o DIR" in bpe("train", corpus).stderr.decode()


def test_the_live_view_draws_in_place() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=30, highlight=False)
    samples = [RunSample("Two dogs run.", "Zwei Hunde laufen.", "Zwei Hunde rennen.")]
    display = TrainingDisplay(console, "numbers", lambda model: samples)
    start = RunStart(directory=Path(), settings=Settings(), step=0, total_steps=10, parameters=100, processes=1)
    display.on_start(start)
    for step in range(1, 5):
        checked = 4.0 if step == 4 else None
        figures = {"epoch": 1, "epochs": 1, "share": step / 10, "loss": 5.0, "lr": 0.1, "ids_per_second": 9.0}
        display.on_step(Progress(step=step, seconds=1.0, validation_loss=checked, **figures), None)  # type: ignore[arg-type]
    display.on_note("warmup=400 was shortened")
    display.on_end(None)
    assert isinstance(console.file, io.StringIO)
    written = console.file.getvalue()
    for expected in ("Zwei Hunde laufen.", "40 %", "memory", "left", "--warmup 400 was shortened", "validation 4.000"):
        assert expected in written
    assert display.samples()["samples"][0]["given"] == "Two dogs run."
