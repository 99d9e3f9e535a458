"""Several processes equal one, and several batches equal a large one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bpe_transformer.data import FlatRows, PairBatches
from bpe_transformer.training import Engine, Seq2Seq
from bpe_transformer.training.engine import Processes
from bpe_transformer.training.optimizers import build_optimizer
from bpe_transformer.training.trainer.step import TrainingStep
from tests.training.runs.jobs import SPECIAL, fork_server, rows_of, settings_of, together, train_and_log, trainer_of

# by SGD: Adam divides what is but rounding by its own size
PLAIN: dict[str, Any] = {
    **{"dropout": 0.0, "warmup": 0, "average_last": 1, "eval_steps": 3, "steps": 6},
    **{"optimizer": "sgd", "lr": 0.1, "momentum": 0.5},
}


@pytest.mark.parametrize(
    ("kind", "precision"),
    [
        ("translation", "float32"),
        ("language model", "float32"),
        ("masked", "float32"),
        ("labels", "float32"),
        ("labels", "float16"),
    ],
)
def test_accumulated_batches_are_the_step_of_one_large_batch(kind: str, precision: str, tmp_path: Path) -> None:
    # batches of different lengths: the mean over ids is not the mean of the batches' means
    settings = settings_of(kind, dropout=0.0, label_smoothing=0.1, precision=precision, clip_norm=0.5)
    trainer = trainer_of(kind, tmp_path / "run", settings)
    batches = list(trainer.task.train.batches(0))[:3]
    before = {name: value.detach().clone() for name, value in trainer.named.items()}
    gradients = []
    for parts in ([*batches], None):
        with torch.no_grad():
            for name, value in trainer.named.items():
                value.copy_(before[name])
        engine = Engine(device="cpu", precision=precision)
        optimizer = build_optimizer(trainer.named, settings.training)
        step = TrainingStep(trainer.objective, engine, optimizer, trainer.named, settings.training)
        if parts is not None:
            figures = step.run(parts, lr=0.0)
        else:  # the loss over all of their predictions at once, by hand
            optimizer.zero_grad()
            with engine.autocast():
                losses = [trainer.objective(batch) for batch in batches]
            count = sum(int(loss.count) for loss in losses)
            total = sum((loss.total for loss in losses), torch.zeros(()))
            (total / count).backward()
            norm = torch.nn.utils.clip_grad_norm_(trainer.named.values(), 0.5)
            tolerance = 1e-6 if precision == "float32" else 1e-2
            assert figures.count == count
            assert figures.mean == pytest.approx(total.item() / count, rel=tolerance)
            assert figures.norm == pytest.approx(float(norm), rel=tolerance)
        gradients.append({name: value.grad.clone() for name, value in trainer.named.items() if value.grad is not None})
    tolerance = 1e-6 if precision == "float32" else 1e-3
    for name in gradients[0]:
        torch.testing.assert_close(gradients[0][name], gradients[1][name], rtol=1e-4, atol=tolerance)


def test_rows_in_one_batch_or_in_four_give_one_run(tmp_path: Path) -> None:
    rows = [[*row[:2], *row[:2]] for row in rows_of(32)]  # of one length, so that four small batches are one large one
    results = []
    # 5 ids of source and 6 of target a row, and a batch counts both
    for name, max_tokens, accumulate in (("large", 11 * 32, 1), ("small", 11 * 8, 4)):
        changes = {"max_tokens": max_tokens, "accumulate": accumulate, "label_smoothing": 0.1}
        trainer = trainer_of(
            "translation", tmp_path / name, settings_of("translation", **{**PLAIN, **changes}), rows=rows
        )
        results.append(trainer.run(resume=False))
        assert trainer.state.epoch == 6
    large, small = (load_file(tmp_path / name / "model.safetensors") for name in ("large", "small"))
    for name in large:
        torch.testing.assert_close(small[name], large[name], rtol=1e-4, atol=1e-5)
    for one, other in zip(results[0].history, results[1].history, strict=True):
        assert other["validation_loss"] == pytest.approx(one["validation_loss"], rel=1e-5)


@pytest.mark.parametrize("kind", ["translation", "masked"])
def test_two_processes_equal_one_and_a_run_goes_on_with_any_number(kind: str, tmp_path: Path) -> None:
    context = fork_server()
    changes = {**PLAIN, "max_tokens": 30, "accumulate": 2}
    train_and_log(kind, tmp_path / "one", False, changes)
    together(context, 2, tmp_path, "train_and_log", kind, tmp_path / "two", False, changes)
    # six rows are no multiple of the processes, so a batch has parts of different sizes, and some have none
    one, two = (json.loads((tmp_path / f"{name}.json").read_text())["figures"] for name in ("one", "two"))
    assert len(one) == len(two) == 6
    for left, right in zip(one, two, strict=True):
        assert (right[3] is None) == (left[3] is None)
        assert [x for x in right if x is not None] == pytest.approx([x for x in left if x is not None], rel=1e-6)
    first = {**changes, "steps": 3, "schedule": "constant"}
    whole = {**changes, "schedule": "constant"}
    train_and_log(kind, tmp_path / "whole", False, whole)
    train_and_log(kind, tmp_path / "parts", False, first)
    together(context, 2, tmp_path, "train_and_log", kind, tmp_path / "parts", True, whole)
    weights, parts = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.allclose(weights[name], parts[name], atol=1e-6) for name in weights)


def test_divided_weights_are_saved_by_two_resumed_by_one_and_by_two(tmp_path: Path) -> None:
    context, kind = fork_server(), "language model"
    changes = {**PLAIN, "schedule": "constant", "ema": 0.5}
    train_and_log(kind, tmp_path / "whole", False, changes)
    run, shard = tmp_path / "run", {"shard": True}
    together(context, 2, tmp_path, "train_and_log", kind, run, False, {**changes, **shard, "steps": 2})
    assert (run / "shards").is_dir()
    train_and_log(kind, run, True, {**changes, **shard, "steps": 4})
    assert not list((run / "shards").iterdir())  # one process saves no shards, and leaves none that nothing names
    together(context, 2, tmp_path, "train_and_log", kind, run, True, {**changes, **shard})
    whole, parts = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "run"))
    assert all(torch.allclose(whole[name], parts[name], atol=1e-6) for name in whole)


def test_a_batch_of_fewer_rows_than_processes_counts_once() -> None:
    rows = FlatRows.of([[5, 6, SPECIAL.eos]])
    source = PairBatches(rows, FlatRows.of([[SPECIAL.bos, 7, SPECIAL.eos]]), pad_id=SPECIAL.pad, max_tokens=9, seed=1)
    shares = [next(iter(source.batches(0, rank=rank, world_size=3))) for rank in range(3)]
    assert [int((share.tgt[:, 1:] != SPECIAL.pad).sum()) for share in shares] == [2, 0, 0]


def test_one_process_needs_no_group() -> None:
    alone = Processes()
    assert alone.is_first
    assert not alone.are_several
    assert alone.any([True, False], torch.device("cpu")) == [True, False]
    assert alone.share({"a": 1}) == {"a": 1}
    with alone.first_alone():
        alone.wait()
    assert torch.equal(alone.sum(torch.ones(2)), torch.ones(2))


def kept_bytes(module: torch.nn.Module, batch: Any) -> int:
    """Bytes of the tensors that a forward pass keeps for the backward one, weights apart."""
    weights = {value.data_ptr() for value in module.parameters()}
    sizes: dict[int, int] = {}

    def keep(value: torch.Tensor) -> torch.Tensor:
        if value.data_ptr() not in weights:
            sizes[value.data_ptr()] = value.numel() * value.element_size()
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        module(batch)
    return sum(sizes.values())


@pytest.mark.parametrize("kind", ["translation", "language model", "labels"])
def test_activation_checkpointing_changes_memory_and_no_number(kind: str, tmp_path: Path) -> None:
    results, kept = [], []
    for name, checkpointed in (("plain", False), ("checkpointed", True)):
        settings = settings_of(kind, activation_checkpointing=checkpointed, steps=3, n_layers=4)
        trainer = trainer_of(kind, tmp_path / name, settings)
        kept.append(kept_bytes(trainer.objective.train(), next(iter(trainer.task.train.batches(0)))))
        trainer.run(resume=False)
        results.append(load_file(tmp_path / name / "model.safetensors"))
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])
    assert kept[1] < kept[0] / 3


def test_r_drop_is_the_mean_of_two_masks_and_their_divergence() -> None:
    torch.manual_seed(0)
    trainer = trainer_of("translation", Path("unused"), settings_of("translation", dropout=0.3, label_smoothing=0.1))
    model, batch = trainer.model, next(iter(trainer.task.train.batches(0)))
    objective = Seq2Seq(model, label_smoothing=0.1, r_drop=2.0).train()
    torch.manual_seed(5)
    found = objective(batch)
    torch.manual_seed(5)
    states = [objective.predicted(batch) for _ in range(2)]
    real = states[0][1] != -100
    logits = [model.head(found_states)[real] for found_states, _ in states]  # type: ignore[operator]
    targets = states[0][1][real]
    losses = [torch.nn.functional.cross_entropy(part, targets, label_smoothing=0.1, reduction="sum") for part in logits]
    p, q = (part.log_softmax(dim=1) for part in logits)
    divergence = (p.exp() * (p - q)).sum() + (q.exp() * (q - p)).sum()
    torch.testing.assert_close(found.total, (losses[0] + losses[1]) / 2 + 2.0 / 4 * divergence)
    assert objective.eval()(batch).total < found.total
    found.total.backward()
    assert all(value.grad is not None for value in model.parameters())
