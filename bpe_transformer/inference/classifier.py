"""A trained classifier, which labels texts."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple, overload

import torch
from torch import nn

from bpe_transformer.data import SpecialIds
from bpe_transformer.data.batches import pad
from bpe_transformer.errors import CheckpointError, refuse_one_string
from bpe_transformer.inference.batches import length_batches, text_list
from bpe_transformer.models import Classifier as ClassifierModel
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import CheckpointInfo, load_checkpoint


class LabelProbabilities(NamedTuple):
    """The most probable label of a text, and the probability of every label, most probable first."""

    label: str
    probabilities: dict[str, float]


class Classifier:
    """A classification model with its tokenizer; its labels are `info.labels`."""

    def __init__(self, model: nn.Module, tokenizer: Tokenizer, info: CheckpointInfo) -> None:
        self.model, self.tokenizer, self.info = model, tokenizer, info
        self.special = SpecialIds.of(tokenizer)

    @overload
    def classify(  # type: ignore[overload-overlap]  # a str is not meant as a sequence of them
        self, texts: str, *, progress: Callable[[int, int], None] | None = None
    ) -> LabelProbabilities: ...
    @overload
    def classify(
        self, texts: Sequence[str], *, progress: Callable[[int, int], None] | None = None
    ) -> list[LabelProbabilities]: ...

    def classify(
        self, texts: str | Sequence[str], *, progress: Callable[[int, int], None] | None = None
    ) -> LabelProbabilities | list[LabelProbabilities]:
        """The label of a text, or of each of a list.

        Of a text longer than the model's max_len only the beginning is read, as in training. `progress` hears of the
        texts done and of the texts in all.
        """
        rows = self.log_probabilities(text_list(texts), progress=progress).exp()
        best = rows.sort(dim=-1, descending=True, stable=True)
        found = []
        for values, order in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            named = {self.info.labels[index]: value for index, value in zip(order, values, strict=True)}
            found.append(LabelProbabilities(next(iter(named)), named))
        return found[0] if isinstance(texts, str) else found

    @torch.inference_mode()
    def log_probabilities(
        self, texts: Sequence[str], *, progress: Callable[[int, int], None] | None = None
    ) -> torch.Tensor:
        """(N, labels) float32 on the CPU: the natural logarithm of the probability of each label."""
        refuse_one_string(texts=texts)
        max_len, budget = self.info.settings.model.max_len, self.info.settings.decoding.batch_tokens
        encoded = self.tokenizer.encode_batch(list(texts), disallowed_special=())
        framed = [self.special.framed(ids.tolist(), max_len) for ids in encoded]
        found = torch.empty(len(framed), len(self.info.labels))
        done = 0
        for rows in length_batches([len(ids) for ids in framed], budget):
            ids = pad([framed[row] for row in rows], self.special.pad).to(self.device)
            found[rows] = self.model(ids).float().log_softmax(dim=-1).cpu()
            done += len(rows)
            if progress is not None:
                progress(done, len(framed))
        return found

    @property
    def longest(self) -> int:
        """How many ids of a text are read."""
        max_len = self.info.settings.model.max_len
        return max_len - len(self.special.framed([], max_len))

    @property
    def device(self) -> torch.device:
        """Where the model is; move it with `model.to`."""
        return next(self.model.parameters()).device


def load_classifier(directory: str | os.PathLike[str], tokenizer: Tokenizer | None = None) -> Classifier:
    """The classifier of a checkpoint. Raises `CheckpointError` (missing, damaged, no classifier) or `DigestMismatchError`."""
    model, info, tokenizer = load_checkpoint(directory, tokenizer)
    if not isinstance(model, ClassifierModel):
        raise CheckpointError(
            f"{directory} holds a {info.kind}, which gives no labels; train one with task='classification'"
        )
    return Classifier(model, tokenizer, info)
