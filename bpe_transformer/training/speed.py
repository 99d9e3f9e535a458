"""How fast this machine trains a model on its data: measured by a few steps, for a run which the clock ends."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from itertools import count, islice
from time import perf_counter
from typing import Any

from bpe_transformer.data import BatchSource, TaskColumns
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import CheckpointInfo, build_model, check_model_fits
from bpe_transformer.training.config import Settings
from bpe_transformer.training.engine import Engine
from bpe_transformer.training.optimizers import build_optimizer
from bpe_transformer.training.tasks import Rows, task_of
from bpe_transformer.training.trainer.faults import device_memory_named
from bpe_transformer.training.trainer.step import TrainingStep

# steps that count, and seconds for them and for one before them, which takes longest; whichever comes first
_MOST_STEPS, _MOST_SECONDS = 6, 1.0


def seconds_per_step(settings: Settings, train: Rows, tokenizer: Tokenizer, columns: TaskColumns) -> float:
    """The time of an optimizer step with these settings; its model is thrown away, and is not compiled.

    At least one step is taken, however long it takes. Where that alone takes all the time, it is the one that counts.
    """
    info = CheckpointInfo.of(tokenizer, columns.columns, settings, labels=train.labels)
    check_model_fits(info)
    training = settings.training
    engine = Engine(device=training.device, precision=training.precision)
    task = task_of(build_model(info), train, train, settings, tokenizer, engine.dtype)
    with device_memory_named(settings):
        objective = engine.prepare(task.objective)
    named = dict(task.objective.named_parameters())
    step = TrainingStep(objective, engine, build_optimizer(named, training), named, training)
    times: list[float] = []
    with device_memory_named(settings), closing(_batches(task.train)) as batches:
        while len(times) <= _MOST_STEPS and sum(times) < _MOST_SECONDS:
            taken = list(islice(batches, training.accumulate))
            began = perf_counter()
            step.run(taken, 0.0)
            times.append(perf_counter() - began)
    counted = times[1:] or times
    return sum(counted) / len(counted)


def _batches(source: BatchSource[Any]) -> Generator[Any, None, None]:
    """One epoch after another."""
    for epoch in count():
        yield from source.batches(epoch)
