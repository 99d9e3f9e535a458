"""What the trainer trains on: batches and their loss, for translation and for language modelling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from torch import Tensor

from bpe_transformer.data import PackedBlocks, Prepared, TokenBatchSampler, TranslationBatch, collate_translation
from bpe_transformer.errors import ConfigError
from bpe_transformer.models import LanguageModel, TranslationModel
from bpe_transformer.training.config import Settings
from bpe_transformer.training.losses import projected_cross_entropy
from bpe_transformer.training.precision import product_dtype


class Loss(NamedTuple):
    """Cross-entropy summed over `ids` predicted ids, nats."""

    total: Tensor
    ids: int


class Task(Protocol):
    """A model with its data. Batches are named by the row numbers in them, so that a run can be taken up anywhere."""

    model: Any

    def plan(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch in order: a pure function of the seed and `epoch` (from 0)."""

    def loss(self, rows: Sequence[int]) -> Loss:
        """The smoothed loss of a training batch."""

    def validation_losses(self) -> Iterator[Loss]:
        """The plain loss of the validation set, batch by batch."""


class TranslationTask:
    """Pairs in length buckets; the loss is that of every target id after bos."""

    def __init__(self, model: TranslationModel, train: Prepared, validation: Prepared, settings: Settings) -> None:
        _check(train, validation, "translation")
        training = settings.training
        self.model = model
        self._train, self._validation = train.dataset, validation.dataset
        self._smoothing = training.label_smoothing
        self._dtype = product_dtype(training.precision)
        self._sampler = TokenBatchSampler(train.lengths, max_tokens=training.max_tokens, seed=training.seed)
        lengths = validation.lengths
        shown = max(1, int(np.searchsorted(lengths[:, 1].cumsum(), training.eval_tokens, side="right")))
        self._checks = list(
            TokenBatchSampler(
                lengths[:shown], max_tokens=max(training.max_tokens, int(lengths.max())), seed=0, shuffle=False
            )
        )

    def plan(self, epoch: int) -> list[list[int]]:
        self._sampler.set_epoch(epoch)
        return list(self._sampler)

    def loss(self, rows: Sequence[int]) -> Loss:
        return self._loss(self._batch(self._train, rows), self._smoothing)

    def validation_losses(self) -> Iterator[Loss]:
        for rows in self._checks:
            yield self._loss(self._batch(self._validation, rows), 0.0)

    def _batch(self, dataset: Any, rows: Sequence[int]) -> TranslationBatch:
        columns = dataset[list(rows)]
        pairs = zip(columns["src_ids"], columns["tgt_ids"], strict=True)
        return collate_translation([{"src_ids": src, "tgt_ids": tgt} for src, tgt in pairs], self.model.pad_id)

    def _loss(self, batch: TranslationBatch, smoothing: float) -> Loss:
        memory, mask = self.model.encode(batch.src)
        states = self.model.decode(batch.tgt[:, :-1], memory, mask)
        wanted = batch.tgt[:, 1:]
        real = wanted != self.model.pad_id  # padding is left out before the projection, the costliest layer
        total = projected_cross_entropy(
            states[real], self.model.output_weight, wanted[real], smoothing=smoothing, dtype=self._dtype
        )
        return Loss(total, int(real.sum()))


class LanguageModelTask:
    """Documents end to end in windows of `max_len` ids; the loss is that of every id but the first of a window."""

    def __init__(self, model: LanguageModel, train: Prepared, validation: Prepared, settings: Settings) -> None:
        _check(train, validation, "language-model")
        training = settings.training
        self.model = model
        self._smoothing = training.label_smoothing
        self._dtype = product_dtype(training.precision)
        self._seed = training.seed
        block_len = settings.model.max_len
        self._rows = max(1, training.max_tokens // block_len)
        self._train = PackedBlocks(train.dataset, block_len)
        self._validation = PackedBlocks(validation.dataset, block_len)
        self._checks = range(min(len(self._validation), max(1, training.eval_tokens // block_len)))

    def plan(self, epoch: int) -> list[list[int]]:
        order = np.random.Generator(np.random.PCG64([self._seed, epoch])).permutation(len(self._train)).tolist()
        return [order[start : start + self._rows] for start in range(0, len(order), self._rows)]

    def loss(self, rows: Sequence[int]) -> Loss:
        return self._loss(self._train.batch(rows), self._smoothing)

    def validation_losses(self) -> Iterator[Loss]:
        for start in range(0, len(self._checks), self._rows):
            yield self._loss(self._validation.batch(self._checks[start : start + self._rows]), 0.0)

    def _loss(self, blocks: Tensor, smoothing: float) -> Loss:
        states = self.model.states(blocks[:, :-1])
        wanted = blocks[:, 1:].reshape(-1)
        total = projected_cross_entropy(
            states.flatten(0, 1), self.model.output_weight, wanted, smoothing=smoothing, dtype=self._dtype
        )
        return Loss(total, wanted.numel())


def _check(train: Prepared, validation: Prepared, task: str) -> None:
    for prepared in (train, validation):
        if prepared.task != task:
            raise ConfigError(f"rows prepared for {prepared.task} cannot train a {task} model; prepare them for {task}")
