"""What the trainer trains on: an objective with its batches, for each kind of task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from bpe_transformer.data import (
    BatchSource,
    LabelledBatches,
    MaskedBatches,
    PackedBatches,
    PairBatches,
    SpecialIds,
    TokenStore,
)
from bpe_transformer.data.batches import Pack
from bpe_transformer.errors import ConfigError
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.config import Settings
from bpe_transformer.training.objectives.masking import Masking
from bpe_transformer.training.objectives.objective import CausalLM, Classification, MaskedLM, Seq2Seq


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


def translation_task(
    model: nn.Module, train: TokenStore, validation: TokenStore, settings: Settings, dtype: torch.dtype
) -> Task:
    """Pairs in length buckets; every target id after bos is predicted."""
    _check(train, validation, "translation")
    training = settings.training
    objective = Seq2Seq(model, label_smoothing=training.label_smoothing, dtype=dtype, r_drop=training.r_drop)

    def source(rows: TokenStore, max_tokens: int, *, shuffle: bool) -> PairBatches:
        src, tgt = (rows.column(name) for name in ("src_ids", "tgt_ids"))
        pad_id, seed = objective.model.config.pad_id, settings.training.seed
        return PairBatches(src, tgt, pad_id=pad_id, max_tokens=max_tokens, seed=seed, shuffle=shuffle)

    shown, longest = _shown(validation, settings)
    return Task(
        objective,
        source(train, settings.training.max_tokens, shuffle=True),
        source(shown, max(settings.training.max_tokens, longest), shuffle=False),
    )


def classification_task(model: nn.Module, train: TokenStore, validation: TokenStore, settings: Settings) -> Task:
    """Texts in length buckets; the label of each is predicted."""
    _check(train, validation, "classification")
    training = settings.training
    objective = Classification(model, label_smoothing=training.label_smoothing, r_drop=training.r_drop)

    def source(rows: TokenStore, max_tokens: int, *, shuffle: bool) -> LabelledBatches:
        ids, labels = rows.column("ids"), rows.values("label")
        pad_id, seed = objective.model.pad_id, settings.training.seed
        return LabelledBatches(ids, labels, pad_id=pad_id, max_tokens=max_tokens, seed=seed, shuffle=shuffle)

    shown, longest = _shown(validation, settings)
    return Task(
        objective,
        source(train, settings.training.max_tokens, shuffle=True),
        source(shown, max(settings.training.max_tokens, longest), shuffle=False),
    )


def _shown(validation: TokenStore, settings: Settings) -> tuple[TokenStore, int]:
    """The first rows, of about eval_tokens ids, and the ids of the longest of them."""
    lengths = validation.lengths
    rows = max(1, int(np.searchsorted(lengths[:, -1].cumsum(), settings.training.eval_tokens, side="right")))
    return validation.select(np.arange(min(rows, len(validation)))), int(lengths[:rows].max())


def language_model_task(
    model: nn.Module,
    train: TokenStore,
    validation: TokenStore,
    settings: Settings,
    tokenizer: Tokenizer,
    dtype: torch.dtype,
) -> Task:
    """Documents in windows of `max_len`: every id is predicted from those before it, or from all around if masked."""
    _check(train, validation, "language-model")
    training, special = settings.training, SpecialIds.of(tokenizer)
    masked = settings.task == "masked-language-model"

    def source(rows: TokenStore, *, shuffle: bool, limit: int | None = None) -> BatchSource[Any]:
        kind = MaskedBatches if masked else PackedBatches
        return kind(
            rows.column("ids"),
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

    objective: nn.Module
    if masked:
        objective = MaskedLM(
            model,
            masking=Masking.of(tokenizer, whole_words=training.whole_words),
            seed=training.seed,
            share=training.mask_share,
            label_smoothing=training.label_smoothing,
            dtype=dtype,
            r_drop=training.r_drop,
        )
    else:
        objective = CausalLM(model, label_smoothing=training.label_smoothing, dtype=dtype, r_drop=training.r_drop)
    return Task(objective, source(train, shuffle=True), source(validation, shuffle=False, limit=training.eval_tokens))


def _check(train: TokenStore, validation: TokenStore, task: str) -> None:
    for prepared in (train, validation):
        if prepared.task != task:
            raise ConfigError(f"rows prepared for {prepared.task} cannot train a {task} model; prepare them for {task}")
