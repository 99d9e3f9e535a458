"""What the trainer trains on: an objective with its batches, for each kind of task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from bpe_transformer.data import (
    BatchSource,
    LabelledBatches,
    MaskedBatches,
    PackedBatches,
    PairBatches,
    SpecialIds,
    TokenRows,
    TokenStore,
)
from bpe_transformer.data.batches import (
    BackgroundBatches,
    ChainedBatches,
    EpochBatches,
    MixedBatches,
    MixedStores,
    Pack,
    ResampledRows,
    sample_within,
)
from bpe_transformer.errors import ConfigError
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.config import Settings
from bpe_transformer.training.engine import find_device
from bpe_transformer.training.objectives.masking import Masking
from bpe_transformer.training.objectives.objective import CausalLM, Classification, MaskedLM, Seq2Seq

Rows = TokenStore | MixedStores


@dataclass(frozen=True)
class Task:
    """An objective with its data.

    Attributes:
        objective: what is trained: `forward` takes a batch and gives a `LossSum`; `model` is the model in it.
        train: the batches of every epoch.
        validation: those of epoch 0 are what the model is validated on.
    """

    objective: nn.Module
    train: BatchSource[Any]
    validation: BatchSource[Any]


def task_of(
    model: nn.Module, train: Rows, validation: Rows, settings: Settings, tokenizer: Tokenizer, dtype: torch.dtype
) -> Task:
    """The task that the rows were prepared for."""
    if train.task == "translation":
        return translation_task(model, train, validation, settings, tokenizer, dtype)
    if train.task == "classification":
        return classification_task(model, train, validation, settings, tokenizer)
    return language_model_task(model, train, validation, settings, tokenizer, dtype)


def translation_task(
    model: nn.Module, train: Rows, validation: Rows, settings: Settings, tokenizer: Tokenizer, dtype: torch.dtype
) -> Task:
    """Pairs in length buckets; every target id after bos is predicted."""
    _check(train, validation, "translation")
    objective = Seq2Seq(
        model, label_smoothing=settings.training.label_smoothing, dtype=dtype, r_drop=settings.training.r_drop
    )
    return _task(objective, train, validation, settings, tokenizer)


def classification_task(
    model: nn.Module, train: Rows, validation: Rows, settings: Settings, tokenizer: Tokenizer
) -> Task:
    """Texts in length buckets; the label of each is predicted."""
    _check(train, validation, "classification")
    objective = Classification(
        model, label_smoothing=settings.training.label_smoothing, r_drop=settings.training.r_drop
    )
    return _task(objective, train, validation, settings, tokenizer)


def language_model_task(
    model: nn.Module, train: Rows, validation: Rows, settings: Settings, tokenizer: Tokenizer, dtype: torch.dtype
) -> Task:
    """Documents in windows of `max_len`: every id is predicted from those before it, or from all around if masked."""
    _check(train, validation, "language-model")
    training = settings.training
    if settings.task != "masked-language-model":
        causal = CausalLM(model, label_smoothing=training.label_smoothing, dtype=dtype, r_drop=training.r_drop)
        return _task(causal, train, validation, settings, tokenizer)
    masked = MaskedLM(
        model,
        masking=Masking.of(tokenizer, whole_words=training.whole_words),
        seed=training.seed,
        share=training.mask_share,
        label_smoothing=training.label_smoothing,
        dtype=dtype,
        r_drop=training.r_drop,
    )
    return _task(masked, train, validation, settings, tokenizer)


def _task(objective: nn.Module, train: Rows, validation: Rows, settings: Settings, tokenizer: Tokenizer) -> Task:
    made = training_source(train, settings, tokenizer)
    pin = find_device(settings.training.device).type == "cuda"
    return Task(objective, BackgroundBatches(made, pin=pin), _validation_source(validation, settings, tokenizer))


def training_source(train: Rows, settings: Settings, tokenizer: Tokenizer) -> BatchSource[Any]:
    """The batches of every epoch. Raises `ConfigError` when a corpus of a mixture has too small a weight."""
    if isinstance(train, MixedStores):
        sources = [training_source(store, settings, tokenizer) for store in train.stores]
        return MixedBatches(sources, train.weights_for([source.num_batches(0) for source in sources]))
    training = settings.training
    plain = [train.column(name) for name in train.columns]
    source = _source(plain, train, settings, tokenizer)
    if not training.bpe_dropout:
        return source
    longest = None if train.task == "language-model" else min(settings.model.max_len, training.max_tokens)
    resampled = [
        ResampledRows(
            rows,
            tokenizer,
            framed=(len(train.facts.ends[name][0]), len(train.facts.ends[name][1])),
            dropout=training.bpe_dropout,
            seed=training.seed + number,
            max_len=longest,
        )
        for number, (name, rows) in enumerate(zip(train.columns, plain, strict=True))
    ]
    return EpochBatches(
        lambda epoch: _source([rows.at(epoch) for rows in resampled], train, settings, tokenizer),
        {**source.facts(), "bpe_dropout": training.bpe_dropout},
    )


def _validation_source(validation: Rows, settings: Settings, tokenizer: Tokenizer) -> BatchSource[Any]:
    """Rows or windows drawn by the seed, of about eval_tokens ids (of each corpus as many); always the same batches."""
    stores = validation.stores if isinstance(validation, MixedStores) else (validation,)
    limit, sources = max(1, settings.training.eval_tokens // len(stores)), []
    for store in stores:
        shown, longest = store, 0
        if store.task != "language-model":
            lengths = store.lengths
            drawn = sample_within(lengths[:, -1], limit, settings.training.seed)
            shown, longest = store.select(drawn), int(lengths[drawn].max())
        columns = [shown.column(name) for name in shown.columns]
        sources.append(_source(columns, shown, settings, tokenizer, shuffle=False, limit=limit, longest=longest))
    return sources[0] if len(sources) == 1 else ChainedBatches(sources)


def _source(
    rows: Sequence[TokenRows],
    store: TokenStore,
    settings: Settings,
    tokenizer: Tokenizer,
    *,
    shuffle: bool = True,
    limit: int | None = None,
    longest: int = 0,
) -> BatchSource[Any]:
    """The batches of the columns of a store, for what these are; `longest` is an id row that has to fit a batch."""
    training, special = settings.training, SpecialIds.of(tokenizer)
    if store.task != "language-model":
        bound = max(training.max_tokens, longest)
        if store.task == "translation":
            return PairBatches(
                rows[0], rows[1], pad_id=special.pad, max_tokens=bound, seed=training.seed, shuffle=shuffle
            )
        labels = store.values("label")
        return LabelledBatches(
            rows[0], labels, pad_id=special.pad, max_tokens=bound, seed=training.seed, shuffle=shuffle
        )
    kind = MaskedBatches if settings.task == "masked-language-model" else PackedBatches
    return kind(
        rows[0],
        length=settings.model.max_len,
        max_tokens=training.max_tokens,
        seed=training.seed,
        pack=cast(Pack, training.pack),
        cross_documents=training.cross_documents,
        start_id=special.eos,
        pad_id=special.pad,
        shuffle=shuffle,
        limit=limit,
    )


def _check(train: Rows, validation: Rows, task: str) -> None:
    for prepared in (train, validation):
        if prepared.task != task:
            raise ConfigError(f"rows prepared for {prepared.task} cannot train a {task} model; prepare them for {task}")
