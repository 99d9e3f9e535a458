"""How a run is saved and ended from outside and by its own figures: signals, the clock, patience, torchrun."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import datasets
import pytest
import torch
from safetensors.torch import load_file

from bpe_transformer.cli.support.training.runs import decoded_score
from bpe_transformer.data import TaskColumns
from bpe_transformer.errors import ConfigError
from bpe_transformer.inference import Translator
from bpe_transformer.models.encoder_decoder import EncoderDecoder
from bpe_transformer.training.callbacks import Callback, Progress
from bpe_transformer.training.state import STATE, load_state
from tests.training.runs.jobs import TOKENIZER, settings_of, trainer_of

KIND = "language model"


class AtStep(Callback):
    """Does something after a step, and notes at which steps the run was saved."""

    def __init__(self, step: int, action: Callable[[], object] = lambda: None) -> None:
        self.step, self.action = step, action
        self.saved: list[int] = []

    def on_step(self, now: Progress, model: torch.nn.Module) -> None:
        if now.step == self.step:
            self.action()

    def on_save(self, step: int) -> None:
        self.saved.append(step)


def rare(**changes: Any) -> Any:
    """Settings of a run of twenty steps that saves at its end only."""
    return settings_of(KIND, **{"steps": 20, "eval_steps": 100, "save_steps": 0, "average_last": 1, **changes})


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_saves_and_ends_the_run_after_the_step(name: str, tmp_path: Path) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    log = AtStep(7, lambda: os.kill(os.getpid(), number))
    signal.signal(number, signal.default_int_handler)
    try:
        result = trainer_of(KIND, tmp_path / "run", rare(), callbacks=[log]).run(resume=False)
    finally:
        signal.signal(number, before)
    assert (result.finished, result.steps, result.signal, log.saved) == (False, 7, number, [7])
    assert load_state(tmp_path / "run" / STATE)[1]["state"]["step"] == 7


def test_sigusr1_saves_and_the_run_goes_on(tmp_path: Path) -> None:
    log = AtStep(7, lambda: os.kill(os.getpid(), signal.SIGUSR1))
    result = trainer_of(KIND, tmp_path / "run", rare(), callbacks=[log]).run(resume=False)
    assert (result.finished, result.steps, log.saved) == (True, 20, [7, 20, 20])  # its end is validated, and then over


def test_a_run_saves_by_steps_and_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AtStep(0)
    trainer_of(KIND, tmp_path / "steps", rare(save_steps=6), callbacks=[log]).run(resume=False)
    assert log.saved == [6, 12, 18, 20, 20]
    clock = itertools.count()
    seconds = SimpleNamespace(monotonic=lambda: 0.5 * next(clock))
    monkeypatch.setattr("bpe_transformer.training.trainer.trainer.time", seconds)
    log = AtStep(0)
    trainer_of(KIND, tmp_path / "minutes", rare(save_minutes=0.4), callbacks=[log]).run(resume=False)
    between = {later - earlier for earlier, later in itertools.pairwise(log.saved[:-2])}
    assert len(log.saved) > 3
    assert between
    assert max(between) - min(between) <= 1  # an even pace


def test_patience_goes_by_a_score_of_decoded_rows(tmp_path: Path) -> None:
    """The third validation is the best one by the score; two that are not better end the run."""
    scores = iter([0.1, 0.1, 0.7, 0.7, 0.6, 0.9])
    changes = {"patience": 2, "patience_metric": "exact-match", "eval_steps": 1, "average_last": 1, "steps": 50}
    trainer = trainer_of(
        "translation", tmp_path / "run", settings_of("translation", **changes), score=lambda _: next(scores)
    )
    result = trainer.run(resume=False)
    assert (result.finished, result.ended_by, result.steps, result.chosen) == (True, "patience", 5, "step 3")
    assert [entry["score"] for entry in result.history] == [0.1, 0.1, 0.7, 0.7, 0.6]
    assert (
        result.history[4]["validation_loss"] < result.history[2]["validation_loss"]
    )  # by which another would be chosen


def test_patience_goes_by_the_accuracy_of_labels(tmp_path: Path) -> None:
    changes = {
        "patience": 3,
        "patience_metric": "accuracy",
        "eval_steps": 1,
        "average_last": 1,
        "steps": 200,
        "lr": 1e-9,
    }
    result = trainer_of("labels", tmp_path / "run", settings_of("labels", **changes)).run(resume=False)
    assert (result.ended_by, result.steps) == ("patience", 4)  # at such a rate nothing gets better
    assert all("validation_accuracy" in entry for entry in result.history)


@pytest.mark.parametrize("metric", ["bleu", "exact-match", "accuracy"])
def test_what_has_no_such_figure_has_no_such_patience(metric: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"patience_metric='{metric}' needs .*choose patience_metric='loss'"):
        trainer_of(KIND, tmp_path / "run", settings_of(KIND, patience=1, patience_metric=metric))


def test_the_score_is_that_of_the_rows_that_are_drawn(tmp_path: Path) -> None:
    settings = settings_of("translation", patience=1, patience_metric="exact-match", eval_rows=4)
    trainer = trainer_of("translation", tmp_path / "run", settings, score=lambda _: 0.0)
    src = ["lowlower", "newest", "widestlow", "lowerlowerlow", "lowwidestnewest", "newestnewest"]
    columns = TaskColumns("translation", ("src", "tgt"))
    written = Translator(cast(EncoderDecoder, trainer.model.eval()), TOKENIZER, trainer.info).translate(src, beam=1)

    def scored(tgt: list[str]) -> float:
        score = decoded_score(settings, columns, datasets.Dataset.from_dict({"src": src, "tgt": tgt}), TOKENIZER)
        assert score is not None
        return score(trainer.model)

    assert scored(written) == 1.0
    assert scored([f"{text}x" for text in written]) == 0.0
    assert scored([text if number % 2 else "x" for number, text in enumerate(written)]) in (
        0.25,
        0.5,
        0.75,
    )  # of four rows
    assert (
        decoded_score(settings_of("translation"), columns, datasets.Dataset.from_dict({"src": src}), TOKENIZER) is None
    )


@pytest.mark.soak
def test_torchrun_trains_what_one_process_trains(tmp_path: Path) -> None:
    lines = [f"{['low', 'lower', 'newest', 'widest'][number % 4]} {number % 7} {number % 5}" for number in range(400)]
    (tmp_path / "a.txt").write_text("\n\n".join(lines), encoding="utf-8")
    shape = "--d-model 16 --n-layers 1 --n-heads 2 --d-ff 16 --max-len 16 --max-tokens 128 --vocab-size 300 --dropout 0"
    train = [
        "train",
        "a.txt",
        *shape.split(),
        *["--steps", "6", "--eval-steps", "3", "--average-last", "1", "--optimizer", "sgd", "--lr", "0.1"],
    ]
    group = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--standalone",
        "-m",
        "bpe_transformer",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    for name, command in (("one", [sys.executable, "-m", "bpe_transformer"]), ("two", group), ("shards", group)):
        more = ["--shard"] if name == "shards" else []
        done = subprocess.run(
            [*command, *train, *more, "-o", name], cwd=tmp_path, capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("trained: 6 steps") == 1, done.stderr  # one process speaks
    one = load_file(tmp_path / "one" / "model.safetensors")
    for name in ("two", "shards"):
        other = load_file(tmp_path / name / "model.safetensors")
        for key, value in one.items():
            torch.testing.assert_close(other[key], value, rtol=1e-4, atol=1e-6)
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == [1, 3, 6]
    done = subprocess.run(
        [*group, *train, "-o", "one", "--resume", "--steps", "8"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
