"""A model and its loss as one module: batch in, summed loss and count out, everything inside `forward`.

This is what an engine moves, compiles and wraps. In evaluation mode every loss is the plain one: not smoothed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from bpe_transformer.data.batches.batch import IGNORED, LabelledBatch, MaskedBatch, PackedBatch, TranslationBatch
from bpe_transformer.errors import ConfigError
from bpe_transformer.models.layers import document_mask
from bpe_transformer.training.objectives.losses import (
    projected_cross_entropy,
    projected_divergence,
    rows_to_project,
)
from bpe_transformer.training.objectives.masking import Masking
from bpe_transformer.training.objectives.random_draws import counter_uniform


class LossSum(NamedTuple):
    """Cross-entropy summed over `count` predictions, nats, and of how many the most probable one is right; scalars.

    num_right is None where nobody counts it.
    """

    total: Tensor
    count: Tensor  # type: ignore[assignment]  # (hides tuple.count, which nobody needs here)
    num_right: Tensor | None = None


class Objective(nn.Module):
    """Base of the objectives that predict ids: the projection of the model's head and the loss in one step.

    dtype: of that projection's products.
    r_drop: weight of the divergence between the predictions under two dropout masks (Wu et al. 2021, R-Drop); 0: one
        mask. The loss in training is then the mean of both masks' losses, plus that weight times a quarter of both
        divergences: half of the paper's equation 4, which adds up two losses.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        label_smoothing: float = 0.0,
        dtype: torch.dtype = torch.float32,
        r_drop: float = 0.0,
    ) -> None:
        super().__init__()
        self.model: Any = model
        self.label_smoothing = label_smoothing
        self.dtype = dtype
        self.r_drop = r_drop

    def predicted(self, batch: Any) -> tuple[Tensor, Tensor]:
        """States for the head (B, T, C), and their targets (B, T) with `IGNORED` where nothing is predicted."""
        raise NotImplementedError

    def forward(self, batch: Any) -> LossSum:
        """The summed loss over the batch, and the predictions in it."""
        states, targets = self.predicted(batch)
        if not (self.training and self.r_drop):
            return self._loss(states, targets)
        other, _ = self.predicted(batch)
        targets = targets.flatten()
        real = targets != IGNORED
        count = real.sum()
        states, other = states.flatten(0, 1), other.flatten(0, 1)
        other = torch.where(real[:, None], other, states)  # what is not predicted does not diverge
        if not torch.compiler.is_compiling():  # as in `_loss`
            states, other, targets = states[real], other[real], targets[real]
        head = self.model.head
        states, other = head.hidden(states), head.hidden(other)
        losses = [
            projected_cross_entropy(
                found, head.weight, targets, bias=head.bias, smoothing=self.label_smoothing, dtype=self.dtype
            )
            for found in (states, other)
        ]
        divergence = projected_divergence(states, other, head.weight, bias=head.bias, dtype=self.dtype)
        return LossSum((losses[0] + losses[1]) / 2 + self.r_drop / 4 * divergence, count)

    def states(self, ids: Tensor, batch: PackedBatch | MaskedBatch) -> Tensor:
        """States (B, T, C) of `ids`, each position from its own document alone where the batch has several."""
        mask = None if batch.documents is None else document_mask(batch.documents)
        states: Tensor = self.model.states(ids, mask=mask, positions=batch.positions)
        return states

    def _loss(self, states: Tensor, targets: Tensor) -> LossSum:
        """States (B, T, C), targets (B, T) with `IGNORED` where nothing is predicted."""
        states, targets = states.flatten(0, 1), targets.flatten()
        real = targets != IGNORED
        count = real.sum()
        if not torch.compiler.is_compiling():  # whose graph wants shapes that do not depend on data
            rows = rows_to_project(real, int(count), self.dtype)
            if rows is not None:
                states, targets = states[rows], targets[rows]
        head = self.model.head
        total = projected_cross_entropy(
            head.hidden(states),
            head.weight,
            targets,
            bias=head.bias,
            smoothing=self.label_smoothing if self.training else 0.0,
            dtype=self.dtype,
        )
        return LossSum(total, count)


class Seq2Seq(Objective):
    """The target id after each of bos … (teacher forcing), for `EncoderDecoder` and `RecurrentSeq2Seq`."""

    def predicted(self, batch: TranslationBatch) -> tuple[Tensor, Tensor]:
        memory = self.model.encode(batch.src)
        states = self.model.decode(batch.tgt[:, :-1], memory)
        targets = batch.tgt[:, 1:]
        return states, targets.masked_fill(targets == self.model.config.pad_id, IGNORED)


class CausalLM(Objective):
    """The next id at every position, for `LanguageModel`."""

    def predicted(self, batch: PackedBatch) -> tuple[Tensor, Tensor]:
        return self.states(batch.ids, batch), batch.targets


class MaskedLM(Objective):
    """The ids that were hidden, for `MaskedLanguageModel` (Devlin et al. 2019, section 3.1).

    A share of the ids is chosen; of those, 80 % become the mask, 10 % any ordinary id, 10 % stay. All draws are a
    function of (seed, epoch, row, position), on any device. In evaluation mode the epoch is 0.

    Args:
        masking: which ids may be chosen, and by what they are hidden; whole words if it knows where words begin.
        share: of the ids (or words) that are chosen.
    """

    special: Tensor
    ordinary: Tensor
    word_starts: Tensor | None
    word_ends: Tensor | None

    def __init__(
        self,
        model: nn.Module,
        *,
        masking: Masking,
        seed: int,
        share: float = 0.15,
        label_smoothing: float = 0.0,
        dtype: torch.dtype = torch.float32,
        r_drop: float = 0.0,
    ) -> None:
        super().__init__(model, label_smoothing=label_smoothing, dtype=dtype, r_drop=r_drop)
        if not 0 < share < 1:
            raise ConfigError(
                f"the share of masked ids is {share}; give a number above 0 and below 1, such as BERT's 0.15"
            )
        self.mask_id, self.seed, self.share = masking.mask_id, seed, share
        special = torch.zeros(self.model.config.vocab_size, dtype=torch.bool)
        special[[masking.mask_id, *masking.special_ids]] = True
        self.register_buffer("special", special, persistent=False)
        self.register_buffer("ordinary", torch.nonzero(~special)[:, 0], persistent=False)
        self.register_buffer("word_starts", masking.word_starts, persistent=False)
        self.register_buffer("word_ends", masking.word_ends, persistent=False)

    def predicted(self, batch: MaskedBatch) -> tuple[Tensor, Tensor]:
        ids, targets = self.masked(batch)
        return self.states(ids, batch), targets

    def _words(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> the number of the word that each is of (B, T)."""
        assert self.word_starts is not None
        starts = self.word_starts[ids]
        if self.word_ends is not None:
            starts = starts | functional.pad(self.word_ends[ids[:, :-1]], (1, 0))
        return starts.cumsum(dim=1)

    def masked(self, batch: MaskedBatch) -> tuple[Tensor, Tensor]:
        """The ids with some hidden (B, T), and the targets (B, T): the hidden ids, `IGNORED` elsewhere."""
        epoch = batch.epoch if self.training else torch.zeros_like(batch.epoch)
        rows = batch.rows[:, None]
        places = torch.arange(batch.ids.size(1), device=batch.ids.device)[None]
        units = places if self.word_starts is None else self._words(batch.ids)

        def draw(stream: int, unit: Tensor) -> Tensor:
            return counter_uniform(self.seed, stream, epoch, rows, unit)

        chosen = (draw(0, units) < self.share) & ~self.special[batch.ids]
        how = draw(1, places)
        drawn = self.ordinary[(draw(2, places) * self.ordinary.numel()).long()]
        ids = torch.where(chosen & (how < 0.8), self.mask_id, batch.ids)
        ids = torch.where(chosen & (how >= 0.8) & (how < 0.9), drawn, ids)
        return ids, batch.ids.masked_fill(~chosen, IGNORED)


class Classification(nn.Module):
    """The label of every row, for `Classifier`. r_drop: as in `Objective`."""

    def __init__(self, model: nn.Module, *, label_smoothing: float = 0.0, r_drop: float = 0.0) -> None:
        super().__init__()
        self.model: Any = model
        self.label_smoothing = label_smoothing
        self.r_drop = r_drop

    def forward(self, batch: LabelledBatch) -> LossSum:
        logits = self.model(batch.ids).float()
        total = self._cross_entropy(logits, batch.labels)
        num_right = (logits.argmax(dim=-1) == batch.labels).sum()
        if self.training and self.r_drop:
            other = self.model(batch.ids).float()
            total = (total + self._cross_entropy(other, batch.labels)) / 2
            known = (batch.labels != IGNORED)[:, None]
            first, second = logits.log_softmax(dim=1), torch.where(known, other, logits).log_softmax(dim=1)
            total = total + self.r_drop / 4 * ((first.exp() - second.exp()) * (first - second)).sum()
        return LossSum(total, (batch.labels != IGNORED).sum(), num_right)

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        smoothing = self.label_smoothing if self.training else 0.0
        return functional.cross_entropy(
            logits, labels, ignore_index=IGNORED, label_smoothing=smoothing, reduction="sum"
        )
