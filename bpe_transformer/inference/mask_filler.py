"""A trained masked language model that fills gaps in texts and says how many it fills right."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch

from bpe_transformer.data import FlatRows, MaskedBatches, SpecialIds
from bpe_transformer.data.batches import IGNORED, Pack, on_device
from bpe_transformer.errors import CheckpointError, ConfigError
from bpe_transformer.inference.attention_weights import AttentionWeights, token_bytes, weights_of_row
from bpe_transformer.models import MaskedLanguageModel
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import CheckpointInfo, load_checkpoint
from bpe_transformer.training.objectives.masking import Masking
from bpe_transformer.training.objectives.objective import MaskedLM


class MaskedScore(NamedTuple):
    """How a model fills hidden ids: their negative log-likelihood in nats, how many it had right, and of how many."""

    negative_log_likelihood: float
    num_right: int
    num_masked: int

    @property
    def accuracy(self) -> float:
        """0 to 1."""
        return self.num_right / max(self.num_masked, 1)


class MaskFiller:
    """A masked language model with its tokenizer."""

    def __init__(self, model: MaskedLanguageModel, tokenizer: Tokenizer, info: CheckpointInfo) -> None:
        self.model, self.tokenizer, self.info = model, tokenizer, info
        self.special = SpecialIds.of(tokenizer)
        training = info.settings.training
        self._objective = MaskedLM(
            model,
            masking=Masking.of(tokenizer, whole_words=training.whole_words),
            seed=training.seed,
            share=training.mask_share,
        ).eval()

    @property
    def device(self) -> torch.device:
        """Where the model is; move it with `model.to`."""
        return self.model.head.weight.device

    @torch.inference_mode()
    def fill(self, text: str) -> str:
        """The text with every mask token replaced by the most probable token there, all at once.

        Raises `ConfigError` when there is none, or the text is longer than the model's max_len.
        """
        mask_id, mask = self._objective.mask_id, str(self.tokenizer.roles.mask)
        ids = self._bounded(self.tokenizer.encode(text, allowed_special={mask}))
        if mask_id not in ids:
            raise ConfigError(
                f"the text has no {mask}, so there is nothing to fill; write one where a token is missing"
            )
        logits = self.model(torch.tensor([ids], device=self.device))[0]
        logits[:, self._objective.special.to(self.device)] = float("-inf")  # a gap is filled with text
        best = logits.argmax(dim=-1).tolist()
        filled = [best[place] if id == mask_id else id for place, id in enumerate(ids)]
        return self.tokenizer.decode(filled[1:])

    @torch.inference_mode()
    def score(self, texts: Sequence[str], *, progress: Callable[[int, int], None] | None = None) -> MaskedScore:
        """How the model fills ids hidden as in training, the same ones every time.

        Texts are packed into windows of max_len ids as in training. `progress` hears of the windows read.
        """
        training = self.info.settings.training
        encoded = self.tokenizer.encode_batch(list(texts), disallowed_special=())
        source = MaskedBatches(
            FlatRows.of([*ids.tolist(), self.special.eos] for ids in encoded),
            length=self.info.settings.model.max_len,
            max_tokens=training.max_tokens,
            seed=training.seed,
            pack=cast(Pack, training.pack),
            cross_documents=training.cross_documents,
            start_id=self.special.eos,
            pad_id=self.special.pad,
            shuffle=False,
        )
        objective = self._objective.to(self.device)
        loss, right, masked, done, total = 0.0, 0, 0, 0, sum(map(len, source.plan(0)))
        for plain in source.batches(0):
            batch = on_device(plain, self.device)
            hidden, targets = objective.masked(batch)
            chosen = targets != IGNORED
            logits = self.model.head(objective.states(hidden, batch)[chosen])
            wanted = targets[chosen]
            loss += float(torch.nn.functional.cross_entropy(logits.float(), wanted, reduction="sum"))
            right, masked = right + int((logits.argmax(dim=-1) == wanted).sum()), masked + wanted.numel()
            done += len(batch.ids)
            if progress is not None:
                progress(done, total)
        return MaskedScore(loss, right, masked)

    @torch.inference_mode()
    def attention(self, text: str) -> AttentionWeights:
        """The weights while reading `text`."""
        ids = self._bounded(self.tokenizer.encode_ordinary(text))
        weights = self.model.attention(torch.tensor([ids], device=self.device))
        tokens = token_bytes(self.tokenizer, ids)
        end_token = self.tokenizer.token_bytes(self.special.eos)
        return weights_of_row(weights, src_tokens=tokens, tgt_tokens=tokens, end_token=end_token)

    def _bounded(self, ids: Sequence[int]) -> list[int]:
        """The ids as a document: after </s>, as in training."""
        framed, max_len = [self.special.eos, *ids], self.info.settings.model.max_len
        if len(framed) > max_len:
            raise ConfigError(f"a text of {len(framed)} ids is longer than max_len={max_len}; shorten it")
        return framed


def load_mask_filler(directory: str | os.PathLike[str], tokenizer: Tokenizer | None = None) -> MaskFiller:
    """Raises `CheckpointError` (missing, damaged, not a masked language model) or `DigestMismatchError`."""
    model, info, tokenizer = load_checkpoint(directory, tokenizer)
    if not isinstance(model, MaskedLanguageModel):
        raise CheckpointError(f"{directory} holds a {info.kind}, which fills no gaps; train one with family bert")
    return MaskFiller(model, tokenizer, info)
