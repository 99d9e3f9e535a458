"""The validation of weights: the plain loss, the share of right labels, and a score of decoded rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from bpe_transformer.data import BatchSource, PackedBatch
from bpe_transformer.data.batches.batch import IGNORED
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.engine import Engine


@dataclass(frozen=True)
class Validation:
    """Figures of a validation.

    loss: nats per token (or per label). accuracy: of labels, score: of decoded rows, 0 to 1. bits_per_byte: of a language
    model, by the bytes of the tokens that it predicted, which compares under any tokenizer.
    """

    loss: float
    accuracy: float | None = None
    score: float | None = None
    bits_per_byte: float | None = None

    @property
    def is_finite(self) -> bool:
        """Whether the loss is a finite number."""
        return math.isfinite(self.loss)

    def figure(self, metric: str) -> float | None:
        """What to compare by `metric`, larger is better; None where it is not finite or was not computed."""
        found = {"loss": -self.loss, "accuracy": self.accuracy}.get(metric, self.score)
        return found if found is not None and math.isfinite(found) else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, where no NaN stands."""
        facts: dict[str, Any] = {"validation_loss": self.loss if self.is_finite else None}
        if self.accuracy is not None:
            facts["validation_accuracy"] = self.accuracy
        if self.score is not None:
            facts["score"] = self.score
        if self.bits_per_byte is not None and self.is_finite:
            facts["validation_bits_per_byte"] = self.bits_per_byte
        return facts


def validate(
    objective: nn.Module,
    source: BatchSource[Any],
    engine: Engine,
    model: nn.Module,
    score: Callable[[nn.Module], float] | None,
    bytes_per_token: float | None = None,
) -> Validation:
    """The plain loss over all batches of `source`, each process a share of them, and the score of the model.

    bytes_per_token: of the source, as `mean_bytes` gives them; None: bits per byte are not asked for.
    """
    objective.eval()
    processes = engine.processes
    total, count, right, labels = 0.0, 0, 0, 0
    with torch.no_grad(), engine.autocast():
        for batch in source.batches(0, rank=processes.rank, world_size=processes.world_size):
            loss = objective(engine.move(batch))
            total, count = total + float(loss.total), count + int(loss.count)
            if loss.num_right is not None:
                right, labels = right + int(loss.num_right), labels + int(loss.count)
    if processes.are_several:
        sums = processes.sum(torch.tensor([total, count, right, labels], dtype=torch.float64, device=engine.device))
        total, count, right, labels = float(sums[0]), int(sums[1]), int(sums[2]), int(sums[3])
    scored = None
    if score is not None:
        model.eval()
        scored = processes.share(score(model) if processes.is_first else None)
    loss = total / max(count, 1)
    bits = None if bytes_per_token is None else loss / math.log(2) / bytes_per_token
    return Validation(loss, right / labels if labels else None, scored, bits)


def mean_bytes(source: BatchSource[PackedBatch], tokenizer: Tokenizer) -> float | None:
    """The mean bytes of the tokens that a language model predicts in the batches of `source`; None: they have no bytes.

    Special tokens, which stand for no text, are predicted too and have none.
    """
    sizes = torch.tensor([len(token) for token in tokenizer.model.decoded_bytes])
    sizes[list(tokenizer.special_tokens.values())] = 0
    total = count = 0
    for batch in source.batches(0):
        targets = batch.targets[batch.targets != IGNORED]
        total, count = total + int(sizes[targets].sum()), count + len(targets)
    return total / count if total else None
