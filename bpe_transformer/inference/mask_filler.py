"""A trained masked language model that fills gaps in texts and says how many it fills right."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast, overload

import torch

from bpe_transformer.data import FlatRows, MaskedBatches, SpecialIds
from bpe_transformer.data.batches import IGNORED, Pack, on_device, pad
from bpe_transformer.errors import CheckpointError, ConfigError, refuse_one_string
from bpe_transformer.inference.attention_weights import AttentionWeights, weights_of_row
from bpe_transformer.inference.batches import length_batches, text_list
from bpe_transformer.inference.missing_tokens import ids_without_token
from bpe_transformer.io.printable import times
from bpe_transformer.models import MaskedLanguageModel
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import CheckpointInfo, load_checkpoint
from bpe_transformer.training.objectives.masking import Masking
from bpe_transformer.training.objectives.objective import MaskedLM

_SPACES = (b" ", "\u2581".encode())  # as tokens by themselves; U+2581 is the space of SentencePiece


class MaskedScore(NamedTuple):
    """How a model fills hidden ids: their negative log-likelihood in nats, how many it had right, and of how many."""

    negative_log_likelihood: float
    num_right: int
    num_masked: int

    @property
    def accuracy(self) -> float:
        """0 to 1."""
        return self.num_right / max(self.num_masked, 1)


class FilledMask(NamedTuple):
    """A token for a gap, by its bytes, and its probability there among all tokens that are text."""

    token: bytes
    probability: float


class FilledText(NamedTuple):
    """A text with its gaps filled, and for every gap the most probable tokens, best first."""

    text: str
    masks: tuple[tuple[FilledMask, ...], ...]


class MaskFiller:
    """A masked language model with its tokenizer."""

    def __init__(self, model: MaskedLanguageModel, tokenizer: Tokenizer, info: CheckpointInfo) -> None:
        self.model, self.tokenizer, self.info = model, tokenizer, info
        self.special = SpecialIds.of(tokenizer)
        self.missing = list(ids_without_token(tokenizer, info.vocab_size))
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

    @overload
    def fill(self, texts: str) -> str: ...  # type: ignore[overload-overlap]  # a str is not meant as a sequence
    @overload
    def fill(self, texts: Sequence[str]) -> list[str]: ...

    def fill(self, texts: str | Sequence[str]) -> str | list[str]:
        """A text, or each of a list, with every mask token replaced by the most probable token there, all at once.

        Raises `ConfigError`, with the row, when there is none, or the text is longer than the model's max_len.
        """
        filled = [found.text for found in self.candidates(text_list(texts), limit=1)]
        return filled[0] if isinstance(texts, str) else filled

    @overload
    def candidates(  # type: ignore[overload-overlap]  # a str is not meant as a sequence
        self, texts: str, *, limit: int = 5
    ) -> FilledText: ...
    @overload
    def candidates(
        self, texts: Sequence[str], *, limit: int = 5, row_numbers: Sequence[int] | None = None
    ) -> list[FilledText]: ...

    @torch.inference_mode()
    def candidates(
        self, texts: str | Sequence[str], *, limit: int = 5, row_numbers: Sequence[int] | None = None
    ) -> FilledText | list[FilledText]:
        """The `limit` most probable tokens for every mask token of a text, or of each of a list; otherwise as `fill`.

        row_numbers: of the texts, for messages; None: from 1.
        """
        if limit < 1:
            raise ConfigError(f"{limit} candidates a gap were asked for; ask for at least 1")
        given = text_list(texts)
        numbers = row_numbers or range(1, len(given) + 1)
        rows = [self._masked(row, text) for row, text in zip(numbers, given, strict=True)]
        found: list[FilledText | None] = [None] * len(rows)
        for batch in length_batches([len(ids) for ids in rows], self.info.settings.decoding.batch_tokens):
            logits = self.model(pad([rows[row] for row in batch], self.special.pad).to(self.device)).float()
            for row, one in zip(batch, logits, strict=True):
                found[row] = self._filled(rows[row], one, limit)
        results = [one for one in found if one is not None]
        return results[0] if isinstance(texts, str) else results

    def _masked(self, row: int, text: str) -> list[int]:
        """The ids of a text that holds a mask token."""
        mask = str(self.tokenizer.roles.mask)
        ids = self._bounded(self.tokenizer.encode(text, allowed_special={mask}, disallowed_special=()), row)
        if self._objective.mask_id not in ids:
            raise ConfigError(
                f"row {row:,} has no {mask}, so there is nothing to fill; write one where a token is missing"
            )
        return ids

    def _filled(self, ids: list[int], logits: torch.Tensor, limit: int) -> FilledText:
        """logits (T, V) of ids (T,), padding after them"""
        places = [place for place, id in enumerate(ids) if id == self._objective.mask_id]
        chosen = logits[places]
        chosen[:, self._objective.special.to(self.device)] = float("-inf")  # a gap is filled with text
        chosen[:, self.missing] = float("-inf")
        best = chosen.softmax(dim=-1).topk(min(limit, chosen.size(-1)), dim=-1)
        masks, tokens_of = [], self.tokenizer.model.tokens
        filled = list(ids)
        doubled: set[int] = set()  # places of spaces before gaps whose tokens begin with one
        for place, values, tokens in zip(places, best.values.tolist(), best.indices.tolist(), strict=True):
            filled[place] = tokens[0]
            if tokens_of[ids[place - 1]] in _SPACES and tokens_of[tokens[0]].startswith(_SPACES):
                doubled.add(place - 1)
            masks.append(tuple(FilledMask(tokens_of[id], p) for id, p in zip(tokens, values, strict=True)))
        return FilledText(
            self.tokenizer.decode([id for place, id in enumerate(filled) if place and place not in doubled]),
            tuple(masks),
        )

    @torch.inference_mode()
    def score(self, texts: Sequence[str], *, progress: Callable[[int, int], None] | None = None) -> MaskedScore:
        """How the model fills ids hidden as in training, the same ones every time.

        Texts are packed into windows of max_len ids as in training. `progress` hears of the windows read.
        """
        refuse_one_string(texts=texts)
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
        return weights_of_row(weights, self.tokenizer, src_ids=ids, tgt_ids=ids, end_id=self.special.eos)

    def _bounded(self, ids: Sequence[int], row: int = 1) -> list[int]:
        """The ids as a document: after </s>, as in training."""
        framed, max_len = [self.special.eos, *ids], self.info.settings.model.max_len
        if len(framed) > max_len:
            raise ConfigError(
                f"row {row:,}: a text of {times(len(framed), 'id')} is longer than max_len={max_len}; shorten it"
            )
        return framed


def load_mask_filler(directory: str | os.PathLike[str], tokenizer: Tokenizer | None = None) -> MaskFiller:
    """Raises `CheckpointError` (missing, damaged, not a masked language model) or `DigestMismatchError`."""
    model, info, tokenizer = load_checkpoint(directory, tokenizer)
    if not isinstance(model, MaskedLanguageModel):
        raise CheckpointError(f"{directory} holds a {info.kind}, which fills no gaps; train one with family bert")
    return MaskFiller(model, tokenizer, info)
