from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.data import TokenStore
from bpe_transformer.errors import CheckpointError, DigestMismatchError
from bpe_transformer.evaluation import exact_match
from bpe_transformer.inference import load_text_generator, load_translator
from bpe_transformer.inspection.curves import run_curves
from bpe_transformer.training import Progress, RunResult, Settings, train_language_model, train_translation
from bpe_transformer.training.loggers import read_metrics
from bpe_transformer.training.state import snapshot_steps
from bpe_transformer.training.trainer import trainer

Train = Callable[..., RunResult]


@pytest.fixture(scope="module")
def copied(
    pairs: TokenStore, tokenizer: Tokenizer, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, RunResult, list[Progress]]:
    """A run long enough to learn the copy task."""
    seen: list[Progress] = []
    directory = tmp_path_factory.mktemp("run") / "copy"
    outcome = train_translation(
        pairs, pairs, tokenizer, settings=settings.override({"epochs": 100}), directory=directory, progress=seen.append
    )
    return directory, outcome, seen


def test_the_copy_task_is_learned_completely(copied: Any, copies: Any) -> None:
    directory, outcome, _ = copied
    assert outcome.finished
    assert outcome.validation_loss < 0.02
    translator = load_translator(directory)
    texts = list(copies["src"])
    for beam in (1, 3):
        assert exact_match(translator.translate(texts, beam=beam), texts).share == 1.0


def test_progress_tells_the_truth(copied: Any) -> None:
    _, outcome, seen = copied
    assert [now.step for now in seen] == list(range(1, outcome.steps + 1))
    assert seen[-1].share == 1.0
    assert all(before.share <= after.share for before, after in zip(seen, seen[1:], strict=False))
    assert sum(now.validation_loss is not None for now in seen) == 100 == len(outcome.history)
    assert seen[-1].loss < seen[0].loss / 10
    assert all(now.ids_per_second > 0 for now in seen)


def test_the_validation_that_chooses_the_weights_is_logged(train: Train, tmp_path: Path) -> None:
    outcome = train(tmp_path / "run", steps=11, eval_steps=4, average_last=3)
    lines = read_metrics(tmp_path / "run")
    checked = [line for line in lines if "validation_loss" in line]
    assert [(line["step"], line.get("weights")) for line in checked] == [
        *[(4, None), (8, None), (11, None)],
        (11, "average of the last 3"),
    ]
    assert outcome.validation_loss == min(line["validation_loss"] for line in checked)
    (curve,) = run_curves([tmp_path / "run"]).runs
    assert curve.best is not None
    assert curve.best[1] == outcome.validation_loss


def test_a_language_model_logs_bits_a_byte(
    lines: TokenStore, tokenizer: Tokenizer, settings: Settings, tmp_path: Path
) -> None:
    quick = settings.override({"family": "gpt", "steps": 2, "eval_tokens": 10**6})
    outcome = train_language_model(lines, lines, tokenizer, settings=quick, directory=tmp_path / "run", column="src")
    size = lines.ledger.kept.bytes
    predicted = lines.num_ids  # every id and the end of every document
    assert outcome.validation_loss is not None
    assert outcome.validation_bits_per_byte == pytest.approx(outcome.validation_loss * predicted / size / math.log(2))
    (curve,) = run_curves([tmp_path / "run"]).runs
    assert curve.best_bits_per_byte == pytest.approx(outcome.validation_bits_per_byte)


def test_a_translator_keeps_order_lines_and_batches_apart(copied: Any, copies: Any) -> None:
    translator = load_translator(copied[0])
    known = max(copies["src"], key=len)
    texts = ["lower low", "", "newest", "   ", known]
    done: list[tuple[int, int]] = []
    assert translator.translate(texts, progress=lambda *now: done.append(now)) == [
        "lower low",
        "",
        "newest",
        "",
        known,
    ]
    assert done[-1] == (5, 5)
    assert translator.translate(texts, batch_tokens=1) == translator.translate(texts)
    assert translator.translate([]) == []


def test_attention_belongs_to_the_tokens(copied: Any) -> None:
    translator = load_translator(copied[0])
    own, given = translator.attention("lower 새"), translator.attention("lower 새", "newest")
    assert own.src_tokens[-1] == b"</s>"
    assert own.tgt_tokens[0] == b"<s>"
    assert b"".join(own.src_tokens[:-1]).decode() == "lower 새"
    assert b"".join(given.tgt_tokens[1:]) == b"newest"
    s, t = len(given.src_tokens), len(given.tgt_tokens)
    assert given.encoder is not None
    assert given.cross is not None
    assert (given.encoder.shape, given.decoder.shape, given.cross.shape) == ((1, 2, s, s), (1, 2, t, t), (1, 2, t, s))


def test_the_same_seed_gives_the_same_weights(train: Train, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(tmp_path / name, seed=seed, dropout=0.1, epochs=1)
    one, same, other = (load_file(tmp_path / name / "model.safetensors") for name in "abc")
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("stop_at", [1, 7, 15])
def test_a_stopped_and_resumed_run_ends_like_one_that_never_stopped(train: Train, tmp_path: Path, stop_at: int) -> None:
    settings = {"dropout": 0.1, "epochs": 4, "eval_steps": 5}
    whole = train(tmp_path / "whole", **settings)

    def stop(now: Progress) -> None:
        if now.step == stop_at:
            raise KeyboardInterrupt

    stopped = train(tmp_path / "parts", progress=stop, **settings)
    assert (stopped.finished, stopped.steps) == (False, stop_at)
    resumed = train(tmp_path / "parts", resume=True, **settings)
    assert resumed.finished
    assert resumed.steps == whole.steps > stop_at
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert whole.history == resumed.history


def test_ctrl_c_lets_the_step_end(train: Train, tmp_path: Path) -> None:
    def press(now: Progress) -> None:
        if now.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    outcome = train(tmp_path / "run", progress=press)
    assert (outcome.finished, outcome.steps) == (False, 3)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert (tmp_path / "run" / "training.safetensors").exists()


def test_a_killed_run_goes_on_from_its_last_validation(train: Train, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(now: Progress) -> None:
        if now.step == 8:
            raise Killed

    with pytest.raises(Killed):
        train(tmp_path / "parts", progress=kill, eval_steps=5)
    assert train(tmp_path / "parts", resume=True, eval_steps=5).finished
    train(tmp_path / "whole", eval_steps=5)
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_finished_run_goes_on_for_more_epochs(train: Train, tmp_path: Path) -> None:
    first = train(tmp_path / "run", epochs=1, schedule="inverse-sqrt")
    more = train(tmp_path / "run", epochs=2, schedule="inverse-sqrt", resume=True)
    assert (first.epochs, more.epochs) == (1, 2)
    assert more.steps > first.steps


def test_a_new_run_in_an_old_folder_starts_clean(train: Train, tmp_path: Path) -> None:
    train(tmp_path / "run", seed=9, epochs=3)
    train(tmp_path / "run", epochs=2)
    train(tmp_path / "fresh", epochs=2)
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("run", "fresh"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_resuming_what_cannot_be_resumed_is_refused(train: Train, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing to resume"):
        train(tmp_path / "run", resume=True)
    train(tmp_path / "run", epochs=1)
    with pytest.raises(CheckpointError, match=r"n_layers was 1, now 2; max_tokens was 300, now 200"):
        train(tmp_path / "run", resume=True, n_layers=2, max_tokens=200)


def test_the_clock_ends_a_run(train: Train, tmp_path: Path) -> None:
    outcome = train(tmp_path / "run", epochs=10_000, minutes=0.02, eval_steps=50)
    assert outcome.finished
    assert 1.2 <= outcome.seconds < 10
    assert load_translator(tmp_path / "run").info.result["steps"] <= outcome.steps


def test_a_run_validates_by_the_clock(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    seconds = SimpleNamespace(monotonic=lambda: 0.25 * next(clock))
    monkeypatch.setattr("bpe_transformer.training.trainer.trainer.time", seconds)
    steps = [entry["step"] for entry in train(tmp_path / "a", eval_minutes=0.05, steps=12, epochs=None).history]
    assert 3 <= len(steps) < 12
    assert steps[-1] == 12
    assert (
        len({later - earlier for earlier, later in itertools.pairwise(steps[:-1])}) == 1
    )  # an even pace, and no epochs
    both = train(tmp_path / "b", eval_minutes=0.05, eval_steps=6, steps=12, epochs=None).history
    assert {6, 12} < {entry["step"] for entry in both}


def test_the_average_of_the_last_validations_is_one(train: Train, tmp_path: Path) -> None:
    outcome = train(tmp_path / "run", epochs=3, lr=0.02, schedule="inverse-sqrt", average_last=2)
    steps = [entry["step"] for entry in outcome.history]
    state = load_file(tmp_path / "run" / "training.safetensors")
    assert {int(name.split(".")[1]) for name in state if name.startswith("snapshot.")} == set(steps[-2:])
    final = load_file(tmp_path / "run" / "model.safetensors")
    parts = [{name: state[f"snapshot.{step}.{name}"] for name in final} for step in steps[-2:]]
    if outcome.chosen == "average of the last 2":
        for name in final:
            torch.testing.assert_close(final[name], (parts[0][name] + parts[1][name]) / 2)
    else:
        best = min(outcome.history, key=lambda entry: entry["validation_loss"])
        assert outcome.chosen == f"step {best['step']}"
        assert outcome.validation_loss == best["validation_loss"]


def test_rows_of_another_tokenizer_are_refused(pairs: TokenStore, settings: Settings, tmp_path: Path) -> None:
    other = learn_bpe(PretokenCounts.from_words({"low": 5}), 260, special_tokens=["<pad>", "<s>", "</s>"])
    with pytest.raises(DigestMismatchError, match="prepare them again"):
        train_translation(pairs, pairs, other, settings=settings, directory=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_with_another_tokenizer_is_refused(copied: Any, tmp_path: Path) -> None:
    other = learn_bpe(PretokenCounts.from_words({"low": 5}), 260, special_tokens=["<pad>", "<s>", "</s>"])
    with pytest.raises(DigestMismatchError, match="was trained with the tokenizer"):
        load_translator(copied[0], other)
    copy = tmp_path / "copy"
    shutil.copytree(copied[0], copy)
    other.save(copy)
    with pytest.raises(DigestMismatchError, match="use the tokenizer.json"):
        load_translator(copy)


def test_damaged_and_missing_checkpoints_say_so(copied: Any, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no trained model"):
        load_translator(tmp_path)
    with pytest.raises(CheckpointError, match="holds a translation model"):
        load_text_generator(copied[0])
    for name, content in (("config.json", "{"), ("config.json", "[]"), ("model.safetensors", "no tensors")):
        copy = tmp_path / f"{name}-{len(content)}"
        shutil.copytree(copied[0], copy)
        (copy / name).write_text(content)
        with pytest.raises(CheckpointError, match="damaged"):
            load_translator(copy)
    (copy / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="missing"):
        load_translator(copy)
    copy = tmp_path / "other-shape"
    shutil.copytree(copied[0], copy)
    card = json.loads((copy / "config.json").read_text())
    card["settings"]["model"]["d_ff"] = 128
    (copy / "config.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match="does not fit the model"):
        load_translator(copy)


def test_nothing_half_written_is_left(copied: Any) -> None:
    names = {path.name for path in copied[0].iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "training.safetensors"} <= names
    assert not [name for name in names if name.endswith(".part")]
    modes = {(copied[0] / name).stat().st_mode & 0o777 for name in names}
    assert len(modes) == 1  # the weights are as readable as the rest


def test_a_language_model_learns_scores_and_writes(
    lines: TokenStore, tokenizer: Tokenizer, settings: Settings, copies: Any, tmp_path: Path
) -> None:
    outcome = train_language_model(
        lines,
        lines,
        tokenizer,
        settings=settings.override({"family": "gpt", "epochs": 40, "max_len": 32, "max_tokens": 128}),
        directory=tmp_path / "run",
        column="src",
    )
    model = load_text_generator(tmp_path / "run")
    texts = list(copies["src"])
    loss, ids = model.negative_log_likelihood(texts)
    assert ids == sum(len(tokenizer.encode(text)) + 1 for text in texts)
    assert loss / ids == pytest.approx(outcome.validation_loss, rel=0.1)
    assert loss / ids < 2.0  # a uniform guess is ln 290 = 5.7
    written = model.generate("low", num_samples=3, max_new=8, seed=2)
    assert written == model.generate("low", num_samples=3, max_new=8, seed=2)
    assert written != model.generate("low", num_samples=3, max_new=8, seed=3)
    bold = model.generate("low", temperature=0, max_new=8)
    assert bold == model.generate("low", temperature=0, max_new=8, seed=5)
    assert model.attention("lower low").decoder.shape[:2] == (1, 2)
    assert model.attention("lower low").cross is None


def test_bfloat16_trains_too(train: Train, tmp_path: Path) -> None:
    outcome = train(tmp_path / "run", precision="bfloat16", epochs=6)
    assert outcome.history[-1]["validation_loss"] < outcome.history[0]["validation_loss"]
    assert load_file(tmp_path / "run" / "model.safetensors")["encoder_norm.weight"].dtype == torch.float32


@pytest.mark.parametrize("end", [{"minutes": 5e-3}, {"patience": 1, "lr": 1e-9}])
def test_the_end_of_a_run_is_kept_whatever_ends_it(end: dict[str, Any], train: Train, tmp_path: Path) -> None:
    options = {"snapshots": 2, "average_last": 1, "eval_steps": 1, "epochs": 500, **end}
    outcome = train(tmp_path / "run", **options)
    assert outcome.ended_by == next(iter(end))
    assert outcome.steps < 1000
    assert set(snapshot_steps(tmp_path / "run")) == {0, outcome.steps}
    train(tmp_path / "run", resume=True, **options)
    assert set(snapshot_steps(tmp_path / "run")) == {0, outcome.steps}


def test_what_the_tokens_of_a_validation_are_worth_is_counted_once(
    lines: TokenStore, tokenizer: Tokenizer, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Any] = []
    monkeypatch.setattr(trainer, "mean_bytes", lambda *given: counted.append(given))
    quick = settings.override({"family": "gpt", "steps": 3, "eval_steps": 1, "eval_tokens": 100})
    train_language_model(lines, lines, tokenizer, settings=quick, directory=tmp_path / "run", column="src")
    assert len(counted) == 1
