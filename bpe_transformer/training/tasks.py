"""What the trainer trains on: an objective with its batches, for each kind of task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from bpe_transformer.data import (
    LabelledBatch,
    PackedBlocks,
    Prepared,
    TokenBatchSampler,
    TranslationBatch,
    collate_labelled,
    collate_translation,
)
from bpe_transformer.errors import ConfigError
from bpe_transformer.training.config import Settings
from bpe_transformer.training.objectives.masking import Masking
from bpe_transformer.training.objectives.objective import (
    CausalLM,
    Classification,
    MaskedBatch,
    MaskedLM,
    PackedBatch,
    Seq2Seq,
)


class Task(Protocol):
    """An objective with its data. Batches are named by the row numbers in them, so that a run can be resumed anywhere."""

    @property
    def objective(self) -> nn.Module:
        """What is trained: `forward` takes a batch and gives a `LossSum`; `model` is the model in it."""

    def plan(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch in order: a pure function of the seed and `epoch` (from 0)."""

    def batch(self, rows: Sequence[int], epoch: int) -> Any:
        """A training batch, a named tuple of tensors on the CPU."""

    def validation_batches(self) -> Iterator[Any]:
        """The validation set, batch by batch."""


class BucketedTask:
    """Rows in length buckets, padded: what translation and classification share."""

    objective: nn.Module

    def __init__(self, train: Prepared, validation: Prepared, settings: Settings, task: str) -> None:
        _check(train, validation, task)
        training = settings.training
        self._train, self._validation = train.dataset, validation.dataset
        self._sampler = TokenBatchSampler(train.lengths, max_tokens=training.max_tokens, seed=training.seed)
        lengths = validation.lengths
        shown = max(1, int(np.searchsorted(lengths[:, -1].cumsum(), training.eval_tokens, side="right")))
        self._checks = list(
            TokenBatchSampler(
                lengths[:shown], max_tokens=max(training.max_tokens, int(lengths.max())), seed=0, shuffle=False
            )
        )

    def plan(self, epoch: int) -> list[list[int]]:
        self._sampler.set_epoch(epoch)
        return list(self._sampler)

    def batch(self, rows: Sequence[int], epoch: int) -> Any:
        return self._collate(self._train, rows)

    def validation_batches(self) -> Iterator[Any]:
        for rows in self._checks:
            yield self._collate(self._validation, rows)

    def _collate(self, dataset: Any, rows: Sequence[int]) -> Any:
        raise NotImplementedError


class TranslationTask(BucketedTask):
    """Pairs in length buckets; every target id after bos is predicted."""

    def __init__(
        self, model: nn.Module, train: Prepared, validation: Prepared, settings: Settings, dtype: torch.dtype
    ) -> None:
        super().__init__(train, validation, settings, "translation")
        self.objective = Seq2Seq(model, label_smoothing=settings.training.label_smoothing, dtype=dtype)
        self._pad_id = self.objective.model.config.pad_id

    def _collate(self, dataset: Any, rows: Sequence[int]) -> TranslationBatch:
        columns = dataset[list(rows)]
        pairs = zip(columns["src_ids"], columns["tgt_ids"], strict=True)
        return collate_translation([{"src_ids": src, "tgt_ids": tgt} for src, tgt in pairs], self._pad_id)


class ClassificationTask(BucketedTask):
    """Texts in length buckets; the label of each is predicted."""

    def __init__(self, model: nn.Module, train: Prepared, validation: Prepared, settings: Settings) -> None:
        super().__init__(train, validation, settings, "classification")
        self.objective = Classification(model, label_smoothing=settings.training.label_smoothing)
        self._pad_id = self.objective.model.pad_id

    def _collate(self, dataset: Any, rows: Sequence[int]) -> LabelledBatch:
        columns = dataset[list(rows)]
        pairs = zip(columns["ids"], columns["label"], strict=True)
        return collate_labelled([{"ids": ids, "label": label} for ids, label in pairs], self._pad_id)


class PackedTask:
    """Documents end to end in windows: what causal and masked language models share.

    block_len: ids from one window to the next; a window holds one more.
    """

    objective: nn.Module

    def __init__(self, train: Prepared, validation: Prepared, settings: Settings, block_len: int) -> None:
        _check(train, validation, "language-model")
        training = settings.training
        self._seed = training.seed
        self._rows = max(1, training.max_tokens // block_len)
        self._train = PackedBlocks(train.dataset, block_len)
        self._validation = PackedBlocks(validation.dataset, block_len)
        self._checks = range(min(len(self._validation), max(1, training.eval_tokens // block_len)))

    def plan(self, epoch: int) -> list[list[int]]:
        order = np.random.Generator(np.random.PCG64([self._seed, epoch])).permutation(len(self._train)).tolist()
        return [order[start : start + self._rows] for start in range(0, len(order), self._rows)]

    def batch(self, rows: Sequence[int], epoch: int) -> Any:
        return self._batch(self._train, rows, epoch)

    def validation_batches(self) -> Iterator[Any]:
        for start in range(0, len(self._checks), self._rows):
            yield self._batch(self._validation, self._checks[start : start + self._rows], 0)

    def _batch(self, blocks: PackedBlocks, rows: Sequence[int], epoch: int) -> Any:
        raise NotImplementedError


class LanguageModelTask(PackedTask):
    """Windows of `max_len` ids; every id but the first of a window is predicted from those before it."""

    def __init__(
        self, model: nn.Module, train: Prepared, validation: Prepared, settings: Settings, dtype: torch.dtype
    ) -> None:
        super().__init__(train, validation, settings, settings.model.max_len)
        self.objective = CausalLM(model, label_smoothing=settings.training.label_smoothing, dtype=dtype)

    def _batch(self, blocks: PackedBlocks, rows: Sequence[int], epoch: int) -> PackedBatch:
        return PackedBatch(blocks.batch(rows))


class MaskedLanguageModelTask(PackedTask):
    """Windows of `max_len` ids; those that the objective hides are predicted from all others."""

    def __init__(
        self,
        model: nn.Module,
        train: Prepared,
        validation: Prepared,
        settings: Settings,
        dtype: torch.dtype,
        *,
        masking: Masking,
    ) -> None:
        super().__init__(train, validation, settings, settings.model.max_len - 1)
        training = settings.training
        self.objective = MaskedLM(
            model,
            masking=masking,
            seed=training.seed,
            share=training.mask_share,
            label_smoothing=training.label_smoothing,
            dtype=dtype,
        )

    def _batch(self, blocks: PackedBlocks, rows: Sequence[int], epoch: int) -> MaskedBatch:
        return MaskedBatch(blocks.batch(rows), torch.tensor(rows), torch.tensor(epoch))


def _check(train: Prepared, validation: Prepared, task: str) -> None:
    for prepared in (train, validation):
        if prepared.task != task:
            raise ConfigError(f"rows prepared for {prepared.task} cannot train a {task} model; prepare them for {task}")
