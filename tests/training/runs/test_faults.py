"""What goes wrong with a run: other data on resume, damaged states, numbers that are not finite, full disks, two runs at once."""

from __future__ import annotations

import copy
import errno
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bpe_transformer.errors import CheckpointError, ConfigError, FormatError, TrainingError
from bpe_transformer.io import Node
from bpe_transformer.training import Settings, TrainingConfig, load_run_settings
from bpe_transformer.training.callbacks import Callback, Progress
from bpe_transformer.training.engine import Engine
from bpe_transformer.training.engine.precision import load_scaler_state
from bpe_transformer.training.loggers import RunMetrics, read_metrics
from bpe_transformer.training.state import STATE, load_state, save_state
from bpe_transformer.training.state.snapshots import snapshot_steps
from bpe_transformer.training.trainer import Trainer
from tests.training.runs.jobs import final_state, rows_of, settings_of, trainer_of

KIND = "language model"
MISSING = object()


class StopAt(Callback):
    """Ends a run after a step, as Ctrl-C does, or by an error."""

    def __init__(self, step: int, problem: type[BaseException] = KeyboardInterrupt) -> None:
        self.step, self.problem = step, problem

    def on_step(self, now: Progress, model: torch.nn.Module) -> None:
        if now.step == self.step:
            raise self.problem


class Wrapped(torch.nn.Module):
    """An objective within another one."""

    def __init__(self, objective: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.model = objective, objective.model


class Killed(Exception):
    """In the place of a kill: nothing is saved any more."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped after its fifth step, within an epoch."""
    directory = tmp_path_factory.mktemp("runs") / "stopped"
    trainer_of(KIND, directory, callbacks=[StopAt(5)]).run(resume=False)
    return directory


@pytest.fixture
def run(stopped: Path, tmp_path: Path) -> Path:
    directory = tmp_path / "run"
    directory.mkdir()
    for name in (STATE, "config.json", "model.safetensors"):
        (directory / name).write_bytes((stopped / name).read_bytes())
    return directory


# --- other data or settings ------------------------------------------------------------------------------------------


def other_rows(change: Callable[[list[list[int]]], list[list[int]]]) -> dict[str, Any]:
    return {"rows": change(rows_of(24))}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (other_rows(lambda rows: rows[:9]), "training data"),
        (other_rows(lambda rows: rows[:1]), "training data"),
        (other_rows(lambda rows: [*rows, [5]]), "training data"),
        (other_rows(lambda rows: rows[::-1]), "training data"),
        (other_rows(lambda rows: [[*rows[0][::-1]], *rows[1:]]), "training data"),
        ({"facts": {"corpus": "another"}}, "corpus was 'tiny', now 'another'"),
        ({"data": {"split": "train[:10]"}}, r"split was 'train', now 'train\[:10\]'"),
        ({"data": {"validation split": "test"}}, "validation split was None, now 'test'"),
        ({"facts": {"digest": "0" * 64}}, "tokenizer was"),
        ({"facts": {"columns": ("body",)}}, r"columns was \['text'\], now \['body'\]"),
        ({"facts": {"labels": ("a", "b")}}, r"labels was \[\], now \['a', 'b'\]"),
        ({"kind": "masked"}, "family was 'gpt', now 'bert'"),
        *(
            ({name: value}, f"{name} was .*, now {value!r}")
            for name, value in {
                **{"seed": 2, "max_tokens": 60, "accumulate": 2, "lr": 0.1, "warmup": 4, "schedule": "linear"},
                **{"dropout": 0.2, "optimizer": "sgd", "ema": 0.5, "clip_norm": 2.0, "label_smoothing": 0.2},
                **{
                    "pack": "concat",
                    "cross_documents": True,
                    "precision": "bfloat16",
                    "average_last": 3,
                    "d_model": 16,
                },
                **{"eval_steps": 2, "eval_tokens": 100, "vocab_size": 30, "bpe_dropout": 0.1, "max_len": 16},
            }.items()
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_run_goes_on_with_its_own_data_and_settings_only(run: Path, changes: dict[str, Any], named: str) -> None:
    """A smaller corpus made it spin for ever, and another one was accepted."""
    before = (run / STATE).read_bytes()
    began = time.process_time()
    with pytest.raises(CheckpointError, match=named) as caught:
        resumed(run, **changes)
    assert "cannot be resumed with other settings or data" in str(caught.value)
    assert "start the run without resume=True" in str(caught.value)
    assert time.process_time() - began < 5
    assert (run / STATE).read_bytes() == before


def resumed(run: Path, *, kind: str = KIND, **changes: Any) -> Trainer:
    """Takes up the run of the folder, with rows, facts of its data or settings that are others."""
    how = {name: changes.pop(name) for name in ("rows", "data", "facts") if name in changes}
    trainer = trainer_of(kind, run, settings_of(kind, **changes), **how)
    trainer.run(resume=True)
    return trainer


def test_what_a_run_may_change_when_it_goes_on(run: Path) -> None:
    assert resumed(run, steps=7, save_steps=1, patience=50, skip_bad_steps=True).state.step == 7


# --- damaged states --------------------------------------------------------------------------------------------------

# for every fact of a state, values that it cannot have; "…" leads into what is nested
WRONG: dict[str, tuple[Any, ...]] = {
    "identity": (MISSING, None, [], {}, "x"),
    "identity.seed": (MISSING, None, 2, "1", [1], {}),
    "settings": (MISSING, None, [], {}, "x"),
    "settings.training": (MISSING, None, 3, {"lr": "x"}),
    "scaler": (MISSING, None, [], {"scale": 1.0}, 1),
    "state": (MISSING, None, [], {}, 1),
    "state.step": (MISSING, None, -1, 10**9, 10**30, "5", 5.0, True),
    "state.epoch": (MISSING, None, -1, 10**9, 10**30, "x", [0]),
    "state.batch": (MISSING, None, -1, 10**9, 10**30, 1.5, {}),
    "state.tokens": (MISSING, None, -1, 10**30, "x"),
    "state.skipped": (MISSING, -1, 10**9, "x"),
    "state.seconds": (MISSING, None, -1.0, 10**400, "x", True, [1]),
    "state.best": (MISSING, None, [], 1, {"a": 1}),
    "state.best.steps": (MISSING, None, 10**9, -1, "x"),
    "state.best.epochs": (MISSING, None, 10**9, 0.5),
    "state.best.seconds": (MISSING, None, -1, 10**400, "x"),
    "state.best.weights": (MISSING, None, 3, []),
    "state.best.validation_loss": (10**400, "x", [1], {}),
    "state.best.validation_bits_per_byte": (True, "x", [None]),
    "state.best_figure": ("x", [], True, 10**400),
    "state.since_best": (MISSING, None, -1, 10**9, "x"),
    "state.snapshots": (MISSING, None, "x", [-1], [10**9], ["x"], [4, 1]),
    "state.history": ("x", [1], [{}], [[1]], [{"step": 1}], [{"step": 10**9, "epoch": 0, "validation_loss": 1.0}]),
    "state.means": (MISSING, None, 1, "abcd", [1], ["x"] * 4, [10**400] * 4, [1.0] * 9),
    "state.warmup": (-1, "x", 1.5, 10**9, []),
    "state.warmup_share": (MISSING, None, -0.5, 2, "x"),
    "state.finished": (MISSING, None, 1, "x"),
    "format": (None, 0, 6, "x", [5]),
}


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    return trainer_of(KIND, tmp_path_factory.mktemp("runs") / "again")


def read_and_load(run: Path, trainer: Trainer) -> None:
    """As the command line does it."""
    load_run_settings(run)
    trainer.file.load(trainer.settings, trainer.task.train)


@pytest.mark.parametrize("place", WRONG)
def test_a_state_with_a_wrong_fact_is_refused_at_once(run: Path, trainer: Trainer, place: str) -> None:
    """A batch of 10^9 in it was a traceback, or a hang."""
    trainer.file.path = run / STATE
    tensors, facts = load_state(run / STATE)
    for value in WRONG[place]:
        changed = copy.deepcopy(facts)
        *above, name = place.split(".")
        holder = changed
        for key in above:
            holder = holder[key]
        holder.pop(name, None) if value is MISSING else holder.update({name: value})
        save_state(run / STATE, tensors, changed)
        began = time.process_time()
        with pytest.raises(CheckpointError) as caught:
            read_and_load(run, trainer)
        said = str(caught.value)
        assert time.process_time() - began < 5, (place, value)
        assert "\n" not in said
        assert len(said) < 1000
        assert str(run / STATE) in said or "cannot be resumed" in said, (place, value, said)


@pytest.mark.parametrize(
    "change", ["missing", "extra", "shape", "nan", "type", "best", "snapshot", "optimizer", "step"]
)
def test_a_state_with_a_wrong_tensor_is_refused(run: Path, change: str) -> None:
    tensors, facts = load_state(run / STATE)
    model = next(name for name in tensors if name.startswith("model.") and tensors[name].dim() == 2)
    if change == "missing":
        del tensors[model]
    elif change == "extra":
        tensors["model.another"] = torch.zeros(2)
    elif change == "shape":
        tensors[model] = tensors[model].t().contiguous()[:, :1].clone()
    elif change == "nan":
        tensors[model][0, 0] = math.nan
    elif change == "type":
        tensors[f"optimizer.exp_avg.{model[6:]}"] = torch.zeros(tensors[model].shape, dtype=torch.int64)
    elif change == "step":
        del tensors[f"optimizer.step.{model[6:]}"]
    elif change == "optimizer":
        tensors["optimizer.nonsense.weight"] = torch.zeros(2)
    else:
        for name in [name for name in tensors if name.startswith(f"{change}.")]:
            del tensors[name]
    save_state(run / STATE, tensors, facts)
    with pytest.raises(CheckpointError, match=r"training\.safetensors is damaged .*; start the run again"):
        resumed(run)


def test_a_state_of_another_checksum_is_refused(run: Path) -> None:
    data = bytearray((run / STATE).read_bytes())
    data[-1] ^= 1
    (run / STATE).write_bytes(data)
    with pytest.raises(CheckpointError, match="its checksum is another"):
        resumed(run)


@pytest.mark.parametrize("shards", ["../..", "/tmp", "step-5/..", "", 5, "step-4"])
def test_the_folder_of_a_state_leads_nowhere_else(run: Path, shards: object) -> None:
    tensors, facts = load_state(run / STATE)
    shapes = {name: list(value.shape) for name, value in tensors.items() if name.startswith("model.")}
    save_state(run / STATE, {}, {**facts, "shards": shards, "in_shards": shapes})
    with pytest.raises(CheckpointError, match=r"training\.safetensors is damaged"):
        resumed(run)


def test_shards_of_any_size_are_not_allocated(run: Path) -> None:
    _, facts = load_state(run / STATE)
    for name, shape in (
        ("model.head.weight", [10**6, 10**6]),
        ("model.x", []),
        ("optimizer.x.y", [1]),
        ("model.x", -1),
    ):
        save_state(run / STATE, {}, {**facts, "shards": "step-5", "in_shards": {name: shape}})
        with pytest.raises(CheckpointError, match=r"training\.safetensors is damaged"):
            resumed(run)


def test_the_scaler_of_float16_is_checked() -> None:
    scaler = Engine(device="cpu", precision="float16").scaler
    saved = scaler.state_dict()
    load_scaler_state(scaler, Node(saved, "scaler"))
    wrong: dict[str, tuple[Any, ...]] = {
        "scale": (0, -1.0, 1e39, "x", None, True),
        "growth_factor": (1.0, "x", None),
        "backoff_factor": (2.0, [], None),
        "growth_interval": (0, 10**30, 1.5, None),
        "_growth_tracker": (-1, 10**9, "x", None),
    }
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(FormatError, match=name):
                load_scaler_state(scaler, Node({**saved, name: value}, "scaler"))


# --- numbers that are not finite -------------------------------------------------------------------------------------

EXPLODING = {"lr": 1e20, "clip_norm": 0.0, "warmup": 0, "dropout": 0.0}


def no_constants(name: str) -> None:
    raise AssertionError(f"{name} stands in JSON")


def check_no_nan(directory: Path) -> None:
    for path in (*directory.glob("*.json"), *directory.glob("*.jsonl")):
        for line in path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]:
            json.loads(line, parse_constant=no_constants)
    for path in directory.glob("*.safetensors"):
        for name, value in load_file(path).items():
            assert not value.is_floating_point() or bool(value.isfinite().all()), (path, name)


@pytest.mark.parametrize("kind", ["translation", "language model", "labels"])
def test_numbers_that_are_not_finite_end_the_run(kind: str, tmp_path: Path) -> None:
    """A learning rate of 1e20 ended well, with NaN saved, and beam search then failed."""
    trainer = trainer_of(kind, tmp_path / "run", settings_of(kind, **EXPLODING, eval_steps=1), callbacks=[RunMetrics()])
    with pytest.raises(TrainingError) as caught:
        trainer.run(resume=False)
    said = str(caught.value)
    assert "\n" not in said
    assert "is not finite" in said
    assert "start again with a lower lr than 1e+20 and clip_norm=1.0" in said
    assert str(tmp_path / "run" / STATE) in said
    check_no_nan(tmp_path / "run")
    if "step" in said.split(" is not finite")[0] and "validation" not in said:
        for fact in ("epoch", "batch", "learning rate 1e+20", "gradient norm"):
            assert fact in said


def test_a_bad_step_is_left_out_and_counted_by_option(tmp_path: Path) -> None:
    """The first batches explode, the others do not: weights are those of a run without them."""

    class Spoiled(Wrapped):
        calls = 0

        def forward(self, batch: Any) -> Any:
            loss = self.inner(batch)
            self.calls += self.training
            spoils = self.training and self.calls in (2, 4)
            return loss._replace(total=loss.total * math.inf) if spoils else loss

    notes: list[str] = []

    class Notes(Callback):
        def on_note(self, message: str) -> None:
            notes.append(message)

    trainers = [
        trainer_of(
            KIND,
            tmp_path / str(skips),
            settings_of(KIND, skip_bad_steps=skips),
            callbacks=[RunMetrics(), Notes()],
            wrap=Spoiled,
        )
        for skips in (False, True)
    ]
    with pytest.raises(
        TrainingError, match=r"step 2 \(epoch 1, batch 2, .*loss inf over \d+ ids.*or leave such steps out"
    ):
        trainers[0].run(resume=False)
    assert load_state(tmp_path / "False" / STATE)[1]["state"]["step"] == 1  # the last finite one is kept
    result = trainers[1].run(resume=False)
    assert (result.finished, result.steps, trainers[1].state.skipped) == (True, 8, 2)
    assert notes[-2:] == [
        "step 2 was not finite and left out; further ones are counted",
        "2 of 8 steps were not finite and left out",
    ]
    assert read_metrics(tmp_path / "True")[-1]["skipped"] == 2
    check_no_nan(tmp_path / "True")


@pytest.mark.parametrize("kind", ["language model", "labels"])
def test_a_run_of_bad_steps_is_no_success(kind: str, tmp_path: Path) -> None:
    """It ended well, with the weights of "no step yet" and without a model."""
    settings = settings_of(kind, **EXPLODING, skip_bad_steps=True)
    for resume in (False, True):
        with pytest.raises(
            TrainingError, match="without a finite validation.*: 7 of 8 steps were not finite and left out; start"
        ):
            trainer_of(kind, tmp_path / "run", settings).run(resume=resume)
    check_no_nan(tmp_path / "run")


def test_a_weight_decay_that_takes_weights_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"start again with a lower weight_decay than 1e\+30"):
        trainer_of(KIND, tmp_path / "run", settings_of(KIND, weight_decay=1e30)).run(resume=False)


@pytest.mark.parametrize(
    "name", ["dropout", "attention_dropout", "lr", "clip_norm", "warmup", "label_smoothing", "ema"]
)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.1, 1e400])
def test_settings_that_are_no_numbers_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name}="):
        Settings().override({name: value})


@pytest.mark.parametrize("value", [0.999, 0.999999, 1, 1.0, 2])
def test_a_dropout_of_everything_is_refused(value: float) -> None:
    """It was a division by zero."""
    with pytest.raises(ConfigError, match="dropout=.* must be below 0.999"):
        Settings().override({"dropout": value})


def test_adam_does_not_divide_by_zero() -> None:
    with pytest.raises(ConfigError, match="adam_eps=0 divides by zero"):
        TrainingConfig(adam_eps=0)
    TrainingConfig(adam_eps=0, optimizer="sgd")


# --- kills, disks, locks ---------------------------------------------------------------------------------------------


def test_a_run_that_is_begun_anew_and_killed_goes_on_or_starts_clean(run: Path, tmp_path: Path) -> None:
    """ "No such file … snapshots/step-24" for ever."""
    changes = {"seed": 3, "snapshots": 2}
    expected = trainer_of(KIND, tmp_path / "whole", settings_of(KIND, **changes))
    expected.run(resume=False)
    for killed_at in (2, 5):
        with pytest.raises(Killed):
            trainer_of(KIND, run, settings_of(KIND, **changes), callbacks=[StopAt(killed_at, Killed)]).run(resume=False)
        with pytest.raises(CheckpointError, match="seed was 3, now 1") if killed_at > 2 else pytest.raises(Killed):
            trainer_of(KIND, run, callbacks=[StopAt(1, Killed)]).run(resume=True)  # the old run is over
        trainer_of(KIND, run, settings_of(KIND, **changes)).run(resume=True)
        assert final_state(run) == final_state(tmp_path / "whole")
        assert snapshot_steps(run) == snapshot_steps(tmp_path / "whole")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_full_disk_leaves_the_last_state_whole(run: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """The message had no path."""
    from bpe_transformer.training.state import state_file

    before = (run / STATE).read_bytes()

    def full(path: Path, *_: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(state_file, "write_tensors", full)
    with pytest.raises(OSError, match=os.strerror(code)) as caught:
        resumed(run)
    assert caught.value.filename == str(run / STATE)
    assert (run / STATE).read_bytes() == before
    assert not [path.name for path in run.iterdir() if path.name.startswith(".")]
    monkeypatch.undo()
    assert resumed(run).state.finished


def test_two_runs_do_not_train_into_one_folder(tmp_path: Path) -> None:
    """Both ended well, and the last one's model was there."""
    code = "import sys; from bpe_transformer.io import lock_output\nwith lock_output(sys.argv[1]): pass"
    seen: list[str] = []

    class Second(Callback):
        def on_step(self, now: Progress, model: torch.nn.Module) -> None:
            if now.step == 2:
                done = subprocess.run([sys.executable, "-c", code, tmp_path / "run"], capture_output=True, text=True)
                seen.append(done.stderr)

    assert trainer_of(KIND, tmp_path / "run", callbacks=[Second()]).run(resume=False).finished
    assert "OutputLockedError" in seen[0]
    assert "run is being written by another run" in seen[0]


# --- the memory of a GPU ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_memory_of_a_device_that_runs_out_says_what_to_lower(tmp_path: Path, training: bool) -> None:
    class Full(Wrapped):
        def forward(self, batch: Any) -> Any:
            if self.training == training:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total …")
            return self.inner(batch)

    with pytest.raises(TrainingError) as caught:
        trainer_of(KIND, tmp_path / "run", settings_of(KIND, eval_steps=8), wrap=Full).run(resume=False)
    assert str(caught.value) == (
        f"the memory of the device ran out at step {1 if training else 9} (CUDA out of memory); lower max_tokens=48 and raise "
        "accumulate=1 as much, add activation_checkpointing=True, choose precision='bfloat16'"
    )
