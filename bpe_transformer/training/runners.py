"""Trained models at work on text: loaded from a checkpoint directory, with their tokenizer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bpe_transformer.data import SpecialIds
from bpe_transformer.errors import CheckpointError, ConfigError
from bpe_transformer.models import (
    LanguageModel,
    LanguageModelStepper,
    TranslationModel,
    TranslationStepper,
    beam_search,
    greedy,
    sample,
)
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import ModelCard, load_checkpoint
from bpe_transformer.training.losses import projected_cross_entropy

Weights = npt.NDArray[np.float32]
Done = Callable[[int, int], None]  # (done, in all)


@dataclass(frozen=True)
class AttentionWeights:
    """All attention of one pass. Tokens are bytes; the target begins with <s> and is what attends.

    encoder: (layers, heads, S, S), None for a language model; decoder: (layers, heads, T, T);
    cross: (layers, heads, T, S), None for a language model. Row t is how target token t+1 was written.
    """

    src_tokens: tuple[bytes, ...]
    tgt_tokens: tuple[bytes, ...]
    encoder: Weights | None
    decoder: Weights
    cross: Weights | None


class Translator:
    """A translation model with its tokenizer. Decoding settings not given are those of its `config.json`."""

    def __init__(self, model: TranslationModel, tokenizer: Tokenizer, card: ModelCard) -> None:
        self.model, self.tokenizer, self.card = model, tokenizer, card
        self.special = SpecialIds.of(tokenizer)

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam: int | None = None,
        alpha: float | None = None,
        batch_tokens: int | None = None,
        progress: Done | None = None,
    ) -> list[str]:
        """One translation a text, in order; an empty text gives an empty one. Special tokens in texts are plain text.

        beam: width; 1 is greedy search. alpha: length normalisation. batch_tokens: padded source ids at a time.
        """
        decoding = self.card.settings.decoding
        beam = decoding.beam if beam is None else beam
        alpha = decoding.alpha if alpha is None else alpha
        if beam < 1:
            raise ConfigError(f"beam={beam} must be at least 1; 1 is greedy search")
        sources = [self._encode(text) for text in texts]
        translations = [""] * len(texts)
        rows = sorted((row for row, text in enumerate(texts) if text.strip()), key=lambda row: len(sources[row]))
        done = len(texts) - len(rows)
        for batch in _batches(rows, sources, batch_tokens or decoding.batch_tokens):
            written = self._write([sources[row] for row in batch], beam, alpha)
            for row, ids in zip(batch, written, strict=True):
                translations[row] = self.tokenizer.decode(ids, skip_special_tokens=True)
            done += len(batch)
            if progress is not None:
                progress(done, len(texts))
        return translations

    def attention(self, src: str, tgt: str | None = None) -> AttentionWeights:
        """The weights while writing `tgt`, or the model's own (greedy) translation when it is None."""
        src_ids = self._encode(src)
        ids = self._write([src_ids], 1, 0.0)[0] if tgt is None else self.tokenizer.encode_ordinary(tgt)
        tgt_ids = [self.special.bos, *ids]
        with torch.inference_mode():
            weights = self.model.attention(torch.tensor([src_ids]), torch.tensor([tgt_ids]))
        return AttentionWeights(
            src_tokens=_tokens(self.tokenizer, src_ids),
            tgt_tokens=_tokens(self.tokenizer, tgt_ids),
            encoder=_plain(weights.encoder),
            decoder=_plain(weights.decoder),
            cross=_plain(weights.memory),
        )

    def _encode(self, text: str) -> list[int]:
        return [*self.tokenizer.encode_ordinary(text), self.special.eos]

    def _write(self, sources: list[list[int]], beam: int, alpha: float) -> list[list[int]]:
        width = max(map(len, sources))
        src = torch.tensor([ids + [self.special.pad] * (width - len(ids)) for ids in sources])
        decoding = self.card.settings.decoding
        lengths = torch.tensor([len(ids) for ids in sources])
        limits = (lengths * decoding.limit_factor + decoding.limit_extra).long()
        if self.card.settings.model.positions == "learned":
            limits = limits.clamp(max=self.card.settings.model.max_len - 1)
        start = torch.full((len(sources),), self.special.bos)
        stepper = TranslationStepper(self.model, src)
        if beam == 1:
            return greedy(stepper, start, eos_id=self.special.eos, limits=limits)
        found = beam_search(stepper, start, eos_id=self.special.eos, limits=limits, beam=beam, alpha=alpha)
        return [hypotheses[0].ids for hypotheses in found]


class LanguageModelRunner:
    """A language model with its tokenizer. A document is taken to follow </s>, as in training."""

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, card: ModelCard) -> None:
        self.model, self.tokenizer, self.card = model, tokenizer, card
        self.special = SpecialIds.of(tokenizer)

    def generate(
        self,
        prompt: str,
        *,
        max_new: int | None = None,
        samples: int = 1,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> list[str]:
        """`samples` continuations of `prompt`, without it, of at most `max_new` ids (None: up to max_len in all).

        temperature=0 takes the most probable id each time. The same seed draws the same texts.
        Raises `ConfigError` when prompt and continuation exceed the model's max_len, or a setting is out of range.
        """
        decoding, max_len = self.card.settings.decoding, self.card.settings.model.max_len
        ids = [self.special.eos, *self.tokenizer.encode_ordinary(prompt)]
        max_new = max_len - len(ids) if max_new is None else max_new
        if max_new < 1 or samples < 1 or len(ids) + max_new > max_len:
            raise ConfigError(
                f"{samples} samples of {len(ids)} prompt ids + max_new={max_new} cannot be written with "
                f"max_len={max_len}; ask for at least 1 of each, and shorten the prompt or max_new"
            )
        temperature = decoding.temperature if temperature is None else temperature
        stepper = LanguageModelStepper(self.model, [ids] * samples)
        limits = torch.full((samples,), max_new)
        if temperature == 0:
            written = greedy(stepper, stepper.start, eos_id=self.special.eos, limits=limits)
        else:
            written = sample(
                stepper,
                stepper.start,
                eos_id=self.special.eos,
                limits=limits,
                temperature=temperature,
                top_k=decoding.top_k if top_k is None else top_k,
                top_p=decoding.top_p if top_p is None else top_p,
                seed=seed,
            )
        return [self.tokenizer.decode(ids, skip_special_tokens=True) for ids in written]

    def nats(self, texts: Sequence[str], *, progress: Done | None = None) -> tuple[float, int]:
        """Negative log-likelihood of all texts (nats, the </s> after each included) and the number of ids predicted.

        Texts are laid end to end and cut into windows of max_len ids, every id predicted once; a window sees only
        itself, so this is an upper bound of what a sliding window would give.
        """
        max_len = self.card.settings.model.max_len
        stream = [self.special.eos]
        for encoded in self.tokenizer.encode_batch(list(texts), disallowed_special=()):
            stream += [*encoded.tolist(), self.special.eos]
        total, rows = 0.0, max(1, self.card.settings.training.max_tokens // max_len)
        span = rows * max_len
        for start in range(0, len(stream) - 1, span):
            part = torch.tensor(stream[start : start + span + 1])
            whole = (len(part) - 1) // max_len * max_len
            for inputs, wanted in _windows(part, whole, max_len):
                total += self._nats(inputs, wanted)
            if progress is not None:
                progress(min(start + span, len(stream) - 1), len(stream) - 1)
        return total, len(stream) - 1

    @torch.inference_mode()
    def _nats(self, inputs: Tensor, wanted: Tensor) -> float:
        states = self.model.states(inputs).flatten(0, 1)
        weight = self.model.output_weight
        return float(projected_cross_entropy(states, weight, wanted.flatten(), smoothing=0.0, dtype=torch.float32))

    def attention(self, text: str) -> AttentionWeights:
        """The weights while reading `text`."""
        ids = [self.special.eos, *self.tokenizer.encode_ordinary(text)]
        with torch.inference_mode():
            weights = self.model.attention(torch.tensor([ids]))
        tokens = _tokens(self.tokenizer, ids)
        return AttentionWeights(tokens, tokens, None, _plain(weights), None)


def load_translator(directory: str | os.PathLike[str], tokenizer: Tokenizer | None = None) -> Translator:
    """Raises `CheckpointError` (missing, damaged, not a translation model) or `DigestMismatchError`."""
    model, card, tokenizer = load_checkpoint(directory, tokenizer)
    if not isinstance(model, TranslationModel):
        raise CheckpointError(f"{directory} holds a language model, which does not translate; use generate")
    return Translator(model, tokenizer, card)


def load_language_model(directory: str | os.PathLike[str], tokenizer: Tokenizer | None = None) -> LanguageModelRunner:
    """Raises `CheckpointError` (missing, damaged, not a language model) or `DigestMismatchError`."""
    model, card, tokenizer = load_checkpoint(directory, tokenizer)
    if not isinstance(model, LanguageModel):
        raise CheckpointError(f"{directory} holds a translation model, which does not continue texts; use translate")
    return LanguageModelRunner(model, tokenizer, card)


def _batches(rows: Sequence[int], sources: Sequence[Sequence[int]], batch_tokens: int) -> Iterator[list[int]]:
    """Rows, sorted by length, in batches of at most `batch_tokens` padded source ids (one row at least)."""
    batch: list[int] = []
    for row in rows:
        if batch and len(sources[row]) * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _windows(part: Tensor, whole: int, max_len: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets (rows, max_len) of the full windows, then those of the shorter rest."""
    if whole:
        yield part[:whole].view(-1, max_len), part[1 : whole + 1].view(-1, max_len)
    if len(part) - 1 > whole:
        yield part[None, whole:-1], part[None, whole + 1 :]


def _tokens(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[bytes, ...]:
    return tuple(tokenizer.token_bytes(id) for id in ids)


def _plain(weights: Tensor) -> Weights:
    """(layers, 1, H, T, S) -> (layers, H, T, S)"""
    array: Weights = weights[:, 0].numpy()
    return array
