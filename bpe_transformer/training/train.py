"""From prepared rows to a trained checkpoint: one call a task."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import torch
from torch import nn

from bpe_transformer.data import TaskColumns
from bpe_transformer.errors import ConfigError, DigestMismatchError
from bpe_transformer.ledger import Ledger
from bpe_transformer.models.registry import FAMILIES
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.callbacks import Callback, Progress, ProgressFunction, RunResult
from bpe_transformer.training.checkpoint import CheckpointInfo, build_model, check_model_fits, set_weights
from bpe_transformer.training.config import Settings
from bpe_transformer.training.engine import Engine
from bpe_transformer.training.loggers import RunMetrics
from bpe_transformer.training.pretrained.carry_over import InitialWeights
from bpe_transformer.training.run_record import RunRecord, data_facts, stores_of
from bpe_transformer.training.tasks import Rows, Task, classification_task, language_model_task, translation_task
from bpe_transformer.training.trainer import Trainer
from bpe_transformer.training.trainer.faults import device_memory_named

if TYPE_CHECKING:
    from typing_extensions import Unpack


class RunOptions(TypedDict, total=False):
    """What every kind of training takes besides its rows, by keyword.

    corpus, split, validation_split: what the data is called, kept in the checkpoint. A run goes on with the same only.
    resume: go on where the run in the directory stopped.
    progress: called with the figures of every step. callbacks: receive these and more.
    initial: gives the weights to start from, such as `from_run(directory)` of `training.pretrained`; None: drawn.
    score: of a model, by decoded rows, for `patience_metric`; larger is better.
    """

    corpus: str
    split: str
    validation_split: str
    resume: bool
    progress: Callable[[Progress], None] | None
    callbacks: Sequence[Callback]
    initial: InitialWeights | None
    score: Callable[[nn.Module], float] | None


def train_translation(
    train: Rows,
    validation: Rows,
    tokenizer: Tokenizer,
    *,
    settings: Settings,
    directory: str | os.PathLike[str],
    src: str = "src",
    tgt: str = "tgt",
    **options: Unpack[RunOptions],
) -> RunResult:
    """Trains an encoder-decoder of `settings.family` and leaves a checkpoint in `directory`; `load_translator` reads it.

    src, tgt: what the columns are called, kept in the checkpoint. The other options are those of `RunOptions`.
    Ctrl-C ends it after the running step, resumable; `RunResult.finished` says so.

    Raises:
        DigestMismatchError: the rows were prepared with another tokenizer.
        CheckpointError: `resume`, and there is nothing to resume or it was run with other settings or data.
        TrainingError: numbers that are not finite, or the memory of the device ran out.
    """
    info = _info(("translation",), (train, validation), tokenizer, settings, (src, tgt), options)
    engine = _engine(settings, "translation")
    task = translation_task(_model(info, tokenizer, options), train, validation, settings, tokenizer, engine.dtype)
    return _run(task, engine, info, tokenizer, directory, options, (train, validation))


def train_language_model(
    train: Rows,
    validation: Rows,
    tokenizer: Tokenizer,
    *,
    settings: Settings,
    directory: str | os.PathLike[str],
    column: str = "text",
    **options: Unpack[RunOptions],
) -> RunResult:
    """Trains a language model, masked or not, and leaves a checkpoint in `directory`.

    `settings.family` decides which; a masked one needs a tokenizer with a mask token. Otherwise as `train_translation`.
    """
    tasks = ("language-model", "masked-language-model")
    info = _info(tasks, (train, validation), tokenizer, settings, (column,), options)
    engine = _engine(settings, "language-model")
    task = language_model_task(_model(info, tokenizer, options), train, validation, settings, tokenizer, engine.dtype)
    return _run(task, engine, info, tokenizer, directory, options, (train, validation))


def train_classifier(
    train: Rows,
    validation: Rows,
    tokenizer: Tokenizer,
    *,
    settings: Settings,
    directory: str | os.PathLike[str],
    column: str = "text",
    label: str = "label",
    **options: Unpack[RunOptions],
) -> RunResult:
    """Trains a classifier on the trunk of `settings.family` (bert or gpt) and leaves a checkpoint in `directory`.

    The names of the labels are those of `train`. Otherwise as `train_translation`.

    Raises:
        ConfigError: the labels of `validation` are others, or a family without a trunk to classify on.
    """
    if train.labels != validation.labels:
        raise ConfigError(
            "training and validation rows have labels of their own; prepare the validation rows with the labels of the "
            "training rows: prepare_classification(…, labels=train.labels)"
        )
    columns = (column, label)
    info = _info(("classification",), (train, validation), tokenizer, settings, columns, options, train.labels)
    engine = _engine(settings, "classification")
    task = classification_task(_model(info, tokenizer, options), train, validation, settings, tokenizer)
    return _run(task, engine, info, tokenizer, directory, options, (train, validation))


def train_model(
    train: Rows,
    validation: Rows,
    tokenizer: Tokenizer,
    columns: TaskColumns,
    *,
    settings: Settings,
    directory: str | os.PathLike[str],
    **options: Unpack[RunOptions],
) -> RunResult:
    """`train_translation`, `train_classifier` or `train_language_model`, as `columns` say."""
    rows: tuple[Any, ...] = (train, validation, tokenizer)
    common: dict[str, Any] = {"settings": settings, "directory": directory, **options}
    if columns.task == "classification":
        column, label = columns.columns
        return train_classifier(*rows, column=column, label=label, **common)
    if columns.task == "translation":
        src, tgt = columns.columns
        return train_translation(*rows, src=src, tgt=tgt, **common)
    (column,) = columns.columns
    return train_language_model(*rows, column=column, **common)


def _engine(settings: Settings, task: str) -> Engine:
    training = settings.training
    return Engine(
        device=training.device,
        precision=training.precision,
        compile=training.compile,
        shard=training.shard,
        activation_checkpointing=training.activation_checkpointing,
        shapes_repeat=task == "language-model" and training.pack != "none",
    )


def _model(info: CheckpointInfo, tokenizer: Tokenizer, options: RunOptions) -> nn.Module:
    check_model_fits(info)
    model, initial = build_model(info), options.get("initial")
    if initial is not None:  # a run that goes on replaces them by its own
        set_weights(model, initial(info, tokenizer), source="the run to start from")
    return model


def _run(
    task: Task,
    engine: Engine,
    info: CheckpointInfo,
    tokenizer: Tokenizer,
    directory: str | os.PathLike[str],
    options: RunOptions,
    rows: tuple[Rows, Rows],
) -> RunResult:
    progress = options.get("progress")
    callbacks = [*options.get("callbacks", ()), *([] if progress is None else [ProgressFunction(progress)])]
    if not any(isinstance(callback, RunMetrics) for callback in callbacks):
        callbacks.append(RunMetrics())
    if not any(isinstance(callback, RunRecord) for callback in callbacks):
        corpus, split = options.get("corpus", ""), options.get("split", "")
        callbacks.append(RunRecord(data_facts(*rows, corpus=corpus, columns=info.columns, split=split)))
    with device_memory_named(info.settings):  # the weights move there
        trainer = Trainer(
            task,
            engine,
            info,
            tokenizer,
            Path(directory),
            data={"split": options.get("split", ""), "validation split": options.get("validation_split", "")},
            callbacks=callbacks,
            score=options.get("score"),
        )
    return trainer.run(resume=options.get("resume", False))


def _ledger(rows: Rows) -> Ledger:
    """What was kept and lost of the rows, of each corpus of a mixture."""
    return Ledger(tuple(stage for store in stores_of(rows) for stage in store.ledger.stages))


def _info(
    tasks: tuple[str, ...],
    prepared: tuple[Rows, ...],
    tokenizer: Tokenizer,
    settings: Settings,
    columns: tuple[str, ...],
    options: RunOptions,
    labels: tuple[str, ...] = (),
) -> CheckpointInfo:
    if not set(tasks) & set(FAMILIES[settings.family].tasks):
        fitting = " or ".join(family.name for family in FAMILIES.values() if set(tasks) & set(family.tasks))
        raise ConfigError(
            f"family={settings.family!r} is trained for {settings.task}, and this trains for {' or '.join(tasks)}; "
            f"choose family {fitting}"
        )
    for rows in prepared:
        if rows.digest != tokenizer.digest:
            raise DigestMismatchError(
                f"the rows were prepared with the tokenizer {rows.digest[:12]}…, not with {tokenizer.digest[:12]}…; "
                "prepare them again, or train with the tokenizer they belong to"
            )
    torch.manual_seed(settings.training.seed)  # of the initial weights
    return CheckpointInfo.of(
        tokenizer,
        columns,
        settings,
        corpus=options.get("corpus", ""),
        labels=labels,
        ledgers=dict(zip(("training", "validation"), map(_ledger, prepared), strict=True)),
    )
