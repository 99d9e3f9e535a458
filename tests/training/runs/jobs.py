"""Tiny training runs for tests, and processes to run them in: forked from one that has imported all that they need.

A run here takes a few milliseconds a step. Processes are forked by the standard library's fork server, so that none of
them imports torch again.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.data import FlatRows, LabelledBatches, MaskedBatches, PackedBatches, PairBatches, SpecialIds
from bpe_transformer.data.batches import BackgroundBatches, EpochBatches, MixedBatches, ResampledRows
from bpe_transformer.training import (
    CausalLM,
    CheckpointInfo,
    Classification,
    Engine,
    MaskedLM,
    RunResult,
    Seq2Seq,
    Settings,
)
from bpe_transformer.training.callbacks import Callback, Progress
from bpe_transformer.training.checkpoint import build_model
from bpe_transformer.training.objectives.masking import Masking
from bpe_transformer.training.state import STATE, load_state
from bpe_transformer.training.tasks import Task
from bpe_transformer.training.trainer import Trainer

KINDS = {
    "translation": "transformer",
    "recurrent": "bahdanau",
    "language model": "gpt",
    "masked": "bert",
    "labels": "bert",
    "mixture": "gpt",
}
SHAPE = {"d_model": 8, "n_layers": 1, "max_len": 12}
TINY = {
    **SHAPE,
    "dropout": 0.1,
    "max_tokens": 48,
    "lr": 5e-3,
    "warmup": 3,
    "steps": 8,
    "eval_steps": 4,
    "save_steps": 3,
    "average_last": 2,
    "device": "cpu",
}


def _tokenizer() -> Tokenizer:
    counts = PretokenCounts.from_words({"low": 5, "lower": 2, "newest": 6, "widest": 3})
    return learn_bpe(counts, 22, unit="char", special_tokens=["<pad>", "<s>", "</s>", "<mask>"])


TOKENIZER = _tokenizer()
SPECIAL = SpecialIds.of(TOKENIZER)


def settings_of(kind: str, **changes: Any) -> Settings:
    """The settings of a tiny run."""
    family = KINDS[kind]
    heads = {} if family == "bahdanau" else {"n_heads": 2, "d_ff": 8}
    return Settings().override({"family": family}, {**TINY, **heads, **changes})


def rows_of(number: int, seed: int = 0) -> list[list[int]]:
    """Rows of 2 to 8 ordinary ids."""
    draw = random.Random(seed)
    ordinary = sorted(set(range(TOKENIZER.vocab_size)) - set(TOKENIZER.special_tokens.values()))
    return [draw.choices(ordinary, k=draw.randint(2, 8)) for _ in range(number)]


def task_of(kind: str, settings: Settings, info: CheckpointInfo, rows: list[list[int]]) -> Task:
    """The task of a kind on rows, which are also validated on."""
    model, training = build_model(info), settings.training
    common: dict[str, Any] = {"pad_id": SPECIAL.pad, "max_tokens": training.max_tokens, "seed": training.seed}
    smoothing, flat = training.label_smoothing, FlatRows.of([[*row, SPECIAL.eos] for row in rows])
    if kind in ("translation", "recurrent"):
        tgt = FlatRows.of([[SPECIAL.bos, *row[::-1], SPECIAL.eos] for row in rows])
        sources = [PairBatches(flat, tgt, shuffle=shuffle, **common) for shuffle in (True, False)]
        return Task(Seq2Seq(model, label_smoothing=smoothing, r_drop=training.r_drop), *sources)
    if kind == "labels":
        labels = np.array([row[0] % 2 for row in rows])
        labelled = [LabelledBatches(flat, labels, shuffle=shuffle, **common) for shuffle in (True, False)]
        return Task(Classification(model, label_smoothing=smoothing), *labelled)
    windows: dict[str, Any] = {"length": settings.model.max_len, "pack": "best-fit", "cross_documents": False}
    windows |= {"start_id": SPECIAL.eos, **common}
    if kind == "masked":
        objective = MaskedLM(
            model, masking=Masking.of(TOKENIZER), seed=training.seed, share=0.3, label_smoothing=smoothing
        )
        return Task(objective, *(MaskedBatches(flat, shuffle=shuffle, **windows) for shuffle in (True, False)))
    if kind == "mixture":
        return Task(
            CausalLM(model), BackgroundBatches(_mixture(flat, windows)), PackedBatches(flat, shuffle=False, **windows)
        )
    packed = [PackedBatches(flat, shuffle=shuffle, **windows) for shuffle in (True, False)]
    return Task(CausalLM(model, label_smoothing=smoothing, r_drop=training.r_drop), *packed)


def _mixture(rows: FlatRows, windows: dict[str, Any]) -> MixedBatches[Any]:
    """Windows of these rows, of others that are segmented anew in every epoch, and of single rows: each packed otherwise."""
    texts = TOKENIZER.encode_batch(["lowlowernewest", "widestlow", "newest"] * 3).tolist()
    plain = FlatRows.of([[*ids, SPECIAL.eos] for ids in texts])
    resampled = ResampledRows(plain, TOKENIZER, framed=(0, 1), dropout=0.3, seed=2)
    other = {**windows, "pack": "concat", "seed": 2}
    changing = EpochBatches(lambda epoch: PackedBatches(resampled.at(epoch), **other), resampled.facts)
    alone = PackedBatches(plain, **{**windows, "pack": "none", "seed": 3})
    return MixedBatches([PackedBatches(rows, **windows), changing, alone], (0.5, 0.3, 0.2))


def trainer_of(
    kind: str,
    directory: Path,
    settings: Settings | None = None,
    *,
    rows: list[list[int]] | None = None,
    callbacks: Sequence[Callback] = (),
    score: Callable[[torch.nn.Module], float] | None = None,
    data: Mapping[str, str] | None = None,
    facts: Mapping[str, Any] | None = None,
    wrap: Callable[[torch.nn.Module], torch.nn.Module] = lambda objective: objective,
) -> Trainer:
    """A trainer of a tiny run. data, facts: of the corpus and of the checkpoint, in place of the usual ones."""
    torch.set_num_threads(1)
    settings = settings or settings_of(kind)
    training = settings.training
    torch.manual_seed(training.seed)
    info = CheckpointInfo(
        digest=TOKENIZER.digest,
        vocab_size=TOKENIZER.vocab_size,
        pad_id=SPECIAL.pad,
        columns={"translation": ("src", "tgt"), "recurrent": ("src", "tgt"), "labels": ("text", "label")}.get(
            kind, ("text",)
        ),
        corpus="tiny",
        settings=settings,
        labels=("even", "odd") if kind == "labels" else (),
    )
    info = replace(info, **(facts or {}))
    task = task_of(kind, settings, info, rows or rows_of(24))
    task = replace(task, objective=wrap(task.objective))
    engine = Engine(
        device="cpu",
        precision=training.precision,
        compile=training.compile,
        shard=training.shard,
        activation_checkpointing=training.activation_checkpointing,
    )
    return Trainer(
        task,
        engine,
        info,
        TOKENIZER,
        directory,
        callbacks=callbacks,
        score=score,
        data={"split": "train", **(data or {})},
    )


class StepLog(Callback):
    """Appends the number of every step to a file, and notes apart."""

    def __init__(self, path: Path) -> None:
        self.path, self.notes = path, []  # type: ignore[var-annotated]

    def on_step(self, now: Progress, model: torch.nn.Module) -> None:
        with self.path.open("a") as file:
            file.write(f"{now.step}\n")

    def on_note(self, message: str) -> None:
        self.notes.append(message)


def train_counted(kind: str, directory: Path, kill_at: int | None, changes: Mapping[str, Any]) -> None:
    """A run that goes on if it can, and kills its process at call number `kill_at`; else it writes how many there were."""
    calls = 0
    os.fsync = lambda fd: None  # a process that is killed leaves to the system what it has written

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    trainer = trainer_of(
        kind, directory, settings_of(kind, **changes), callbacks=[StepLog(directory.with_suffix(".log"))]
    )
    trainer.run(resume=(directory / STATE).exists())
    sys.setprofile(None)
    directory.with_suffix(".calls").write_text(str(calls))


def final_state(directory: Path) -> tuple[bytes, dict[str, bytes], dict[str, Any]]:
    """All that a run leaves: its model, every tensor of its state, and its facts, but for what the clock decides."""
    tensors, facts = load_state(directory / STATE)
    for place, name in ((facts["state"], "seconds"), (facts["state"]["best"], "seconds")):
        del place[name]
    facts["state"]["means"] = facts["state"]["means"][:2]
    facts["settings"]["training"].pop("shard")
    model = (directory / "model.safetensors").read_bytes()
    return model, {name: value.numpy().tobytes() for name, value in tensors.items()}, facts


def train_in_group(rank: int, world_size: int, store: Path, name: str, arguments: Sequence[Any]) -> None:
    """One of several processes that train together: calls the function `name` of this module."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world_size)
    globals()[name](*arguments)
    torch.distributed.destroy_process_group()


def train_and_log(kind: str, directory: Path, resume: bool, changes: Mapping[str, Any]) -> None:
    """A run whose losses, validations and gradient norms are written beside its directory by the first process."""
    seen: list[Any] = []

    class Figures(Callback):
        def on_step(self, now: Progress, model: torch.nn.Module) -> None:
            seen.append((now.step, now.loss, now.gradient_norm, now.validation_loss))

    trainer = trainer_of(kind, directory, settings_of(kind, **changes), callbacks=[Figures()])
    result: RunResult = trainer.run(resume=resume)
    if trainer.engine.processes.is_first:
        directory.with_suffix(".json").write_text(json.dumps({"figures": seen, "steps": result.steps}))


def fork_server() -> Any:
    """A context whose processes are forked with this module imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.runs.warm"])
    return context


def together(context: Any, world_size: int, folder: Path, name: str, *arguments: Any) -> None:
    """Runs a function of this module in several processes at once."""
    store = folder / f"store-{len(list(folder.iterdir()))}"
    jobs = [
        context.Process(target=train_in_group, args=(rank, world_size, store, name, arguments))
        for rank in range(world_size)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0] * world_size
