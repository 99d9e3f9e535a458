"""Loggers of a run's figures: what they keep, what a resumed or killed run leaves, and packages that are missing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bpe_transformer.errors import CheckpointError, ConfigError
from bpe_transformer.training.loggers import METRICS, JsonLinesLogger, open_loggers, read_metrics


def test_every_line_is_json_and_no_number_is_nan(tmp_path: Path) -> None:
    logger = open_loggers(tmp_path)
    logger.log({"train_loss": float("nan"), "lr": float("inf"), "samples": ["세 마리"]}, 1)
    logger.log({"train_loss": 2.5}, 2)
    logger.close()
    text = (tmp_path / METRICS).read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    assert [json.loads(line)["step"] for line in text.splitlines()] == [1, 2]
    assert read_metrics(tmp_path)[0] == {"step": 1, "train_loss": None, "lr": None, "samples": ["세 마리"]}


def test_a_resumed_run_takes_back_the_steps_that_it_repeats(tmp_path: Path) -> None:
    logger = JsonLinesLogger(tmp_path / METRICS)
    for step in (10, 20, 30):
        logger.log({"train_loss": float(step)}, step)
    logger.close()
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 40, "tra')  # killed while it wrote
    logger = JsonLinesLogger(tmp_path / METRICS, after_step=20)
    logger.log({"train_loss": 3.0}, 30)
    logger.close()
    assert [(line["step"], line["train_loss"]) for line in read_metrics(tmp_path)] == [
        (10, 10.0),
        (20, 20.0),
        (30, 3.0),
    ]


def test_a_new_run_begins_with_no_lines(tmp_path: Path) -> None:
    for _ in range(2):
        logger = open_loggers(tmp_path)
        logger.log({"train_loss": 1.0}, 5)
        logger.close()
    assert len(read_metrics(tmp_path)) == 1


def test_what_is_no_run_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=METRICS):
        read_metrics(tmp_path)
    (tmp_path / METRICS).write_text('{"step": 1}\n[1]\n{"step": 2}\n')
    with pytest.raises(CheckpointError, match="line 2"):
        read_metrics(tmp_path)
    (tmp_path / METRICS).write_text("")
    with pytest.raises(CheckpointError, match="no figures yet"):
        read_metrics(tmp_path)


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = open_loggers(tmp_path, ["tensorboard"])
    for step in range(1, 4):
        logger.log({"train_loss": 4.0 / step, "samples": ["Zwei Hunde laufen."]}, step)
    logger.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("train_loss")] == [
        (1, 4.0), (2, 2.0), (3, pytest.approx(4 / 3))]  # fmt: skip


def test_trackio_reads_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import trackio.utils
    from trackio import sqlite_storage

    for module in (trackio.utils, sqlite_storage):
        monkeypatch.setattr(module, "TRACKIO_DIR", tmp_path / "trackio")
    logger = open_loggers(tmp_path / "numbers", ["trackio"], config={"lr": 0.1})
    logger.log({"train_loss": 3.0, "samples": ["text"]}, 7)
    logger.close()
    assert capsys.readouterr().out == ""
    logged = sqlite_storage.SQLiteStorage.get_logs("bpe-transformer", "numbers")
    assert [(line["step"], line["train_loss"]) for line in logged] == [(7, 3.0)]


def test_unknown_loggers_and_missing_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="logger 'wandb' is unknown; choose one of tensorboard, trackio"):
        open_loggers(tmp_path, ["wandb"])
    monkeypatch.setitem(sys.modules, "trackio", None)
    (tmp_path / METRICS).write_text('{"step": 1}\n')
    with pytest.raises(ConfigError, match=r"bpe-transformer\[log\]"):
        open_loggers(tmp_path, ["trackio"])
    assert len(read_metrics(tmp_path)) == 1  # the figures that were there are not lost
