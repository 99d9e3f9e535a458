"""From prepared rows to a trained checkpoint: one call a task."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from bpe_transformer.data import SpecialIds, TaskColumns, TokenStore
from bpe_transformer.errors import ConfigError, DigestMismatchError
from bpe_transformer.models.registry import FAMILIES
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.callbacks import Callback, Progress, ProgressFunction, RunResult
from bpe_transformer.training.checkpoint import CheckpointInfo, build_model
from bpe_transformer.training.config import Settings
from bpe_transformer.training.engine import Engine
from bpe_transformer.training.tasks import classification_task, language_model_task, translation_task
from bpe_transformer.training.trainer import Trainer


def train_translation(
    train: TokenStore,
    validation: TokenStore,
    tokenizer: Tokenizer,
    *,
    settings: Settings,
    directory: str | os.PathLike[str],
    src: str = "src",
    tgt: str = "tgt",
    corpus: str = "",
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    callbacks: Sequence[Callback] = (),
) -> RunResult:
    """Trains an encoder-decoder of `settings.family` and leaves a checkpoint in `directory`; `load_translator` reads it.

    src, tgt, corpus: what the columns and the corpus are called, kept in the checkpoint.
    Ctrl-C ends it after the running step, resumable; `RunResult.finished` says so.

    Raises:
        DigestMismatchError: the rows were prepared with another tokenizer.
        CheckpointError: `resume`, and there is nothing to resume or it was run with other settings.
    """
    info = _info(("translation",), (train, validation), tokenizer, settings, (src, tgt), corpus)
    engine = _engine(settings)
    task = translation_task(build_model(info), train, validation, settings, engine.dtype)
    return Trainer(task, engine, info, tokenizer, Path(directory), callbacks=_all(callbacks, progress)).run(
        resume=resume
    )


def train_language_model(
    train: TokenStore,
    validation: TokenStore,
    tokenizer: Tokenizer,
    *,
    settings: Settings,
    directory: str | os.PathLike[str],
    column: str = "text",
    corpus: str = "",
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    callbacks: Sequence[Callback] = (),
) -> RunResult:
    """Trains a language model, masked or not, and leaves a checkpoint in `directory`.

    `settings.family` decides which; a masked one needs a tokenizer with a mask token. Otherwise as `train_translation`.
    """
    info = _info(
        ("language-model", "masked-language-model"), (train, validation), tokenizer, settings, (column,), corpus
    )
    engine = _engine(settings)
    task = language_model_task(build_model(info), train, validation, settings, tokenizer, engine.dtype)
    return Trainer(task, engine, info, tokenizer, Path(directory), callbacks=_all(callbacks, progress)).run(
        resume=resume
    )


def _all(callbacks: Sequence[Callback], progress: Callable[[Progress], None] | None) -> list[Callback]:
    return [*callbacks, *([] if progress is None else [ProgressFunction(progress)])]


def train_classifier(
    train: TokenStore,
    validation: TokenStore,
    tokenizer: Tokenizer,
    *,
    settings: Settings,
    directory: str | os.PathLike[str],
    column: str = "text",
    label: str = "label",
    corpus: str = "",
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    callbacks: Sequence[Callback] = (),
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
    info = _info(("classification",), (train, validation), tokenizer, settings, (column, label), corpus, train.labels)
    engine = _engine(settings)
    task = classification_task(build_model(info), train, validation, settings)
    return Trainer(task, engine, info, tokenizer, Path(directory), callbacks=_all(callbacks, progress)).run(
        resume=resume
    )


def _engine(settings: Settings) -> Engine:
    training = settings.training
    return Engine(device=training.device, precision=training.precision, compile=training.compile)


def train_model(
    train: TokenStore,
    validation: TokenStore,
    tokenizer: Tokenizer,
    columns: TaskColumns,
    *,
    settings: Settings,
    directory: str | os.PathLike[str],
    corpus: str = "",
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    callbacks: Sequence[Callback] = (),
) -> RunResult:
    """`train_translation`, `train_classifier` or `train_language_model`, as `columns` say."""
    if columns.task == "classification":
        column, label = columns.columns
        return train_classifier(
            train,
            validation,
            tokenizer,
            settings=settings,
            directory=directory,
            column=column,
            label=label,
            corpus=corpus,
            resume=resume,
            progress=progress,
            callbacks=callbacks,
        )
    if columns.task == "translation":
        src, tgt = columns.columns
        return train_translation(
            train,
            validation,
            tokenizer,
            settings=settings,
            directory=directory,
            src=src,
            tgt=tgt,
            corpus=corpus,
            resume=resume,
            progress=progress,
            callbacks=callbacks,
        )
    (column,) = columns.columns
    return train_language_model(
        train,
        validation,
        tokenizer,
        settings=settings,
        directory=directory,
        column=column,
        corpus=corpus,
        resume=resume,
        progress=progress,
        callbacks=callbacks,
    )


def _info(
    tasks: tuple[str, ...],
    prepared: tuple[TokenStore, ...],
    tokenizer: Tokenizer,
    settings: Settings,
    columns: tuple[str, ...],
    corpus: str,
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
    return CheckpointInfo(
        digest=tokenizer.digest,
        vocab_size=tokenizer.vocab_size,
        pad_id=SpecialIds.of(tokenizer).pad,
        columns=columns,
        corpus=corpus,
        settings=settings,
        labels=labels,
    )
