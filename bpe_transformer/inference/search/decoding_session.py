"""Models that write ids step by step, many rows at once: what every search here drives.

A `DecodingSession` takes the last id of every row and gives the logits of the next, and drops the rows that have ended.
Searches know neither bos nor prompt: `start` is the id to step from, and what comes back is what follows it, without
the closing `eos_id`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from bpe_transformer.errors import ConfigError
from bpe_transformer.models import EncoderDecoder, LanguageModel, RecurrentSeq2Seq


class DecodingSession(Protocol):
    """Rows being written, grouped by sentence: row r belongs to sentence r // (rows / sentences).

    Searches let rows that have ended go on for some steps, and read nothing of what they give.
    """

    def step(self, ids: Tensor) -> Tensor:
        """The last id of every row (R,) -> logits of the next (R, V)."""

    def select(self, rows: Tensor, sentences: Tensor) -> None:
        """Keeps `rows` (R',) of `sentences` (A',), in that order; both index what is there now."""


class TranslationSession:
    """Writes the translations of src (B, S): the encoder runs once, the decoder with its past cached."""

    @torch.inference_mode()
    def __init__(self, model: EncoderDecoder | RecurrentSeq2Seq, src: Tensor) -> None:
        self.model = model
        self.memory = model.encode(src)
        self.cache = model.new_cache()

    def step(self, ids: Tensor) -> Tensor:
        """ids (R,) -> logits (R, V)"""
        states = self.model.decode(ids[:, None], self.memory, cache=self.cache)
        logits: Tensor = self.model.head(states[:, -1])
        return logits

    def select(self, rows: Tensor, sentences: Tensor) -> None:
        """The beams of a sentence share its memory, so the memory moves only when sentences end."""
        self.cache.reorder(rows, sentences)
        if sentences.numel() < len(self.memory):
            self.memory = self.memory.select(sentences)


class LanguageModelSession:
    """Continues prompts of any lengths; `start` is each prompt's last id, (B,), and what comes before it is cached.

    `ConfigError` when a prompt is empty.
    """

    @torch.inference_mode()
    def __init__(self, model: LanguageModel, prompts: Sequence[Sequence[int]]) -> None:
        if not all(prompts):
            raise ConfigError("prompt of 0 ids: there is nothing to go on from; begin with at least one id")
        self.model = model
        self.cache = model.new_cache()
        device = model.head.weight.device
        width, pad_id = max(map(len, prompts)) - 1, model.config.pad_id
        self.start = torch.tensor([prompt[-1] for prompt in prompts], device=device)
        if width:
            # padded at the end: rows go on at their own lengths, and write over the padding
            before = [[*prompt[:-1], *[pad_id] * (width + 1 - len(prompt))] for prompt in prompts]
            model.states(torch.tensor(before, device=device), cache=self.cache)
            lengths = [len(prompt) - 1 for prompt in prompts]
            if min(lengths) < width:
                self.cache.trim(torch.tensor(lengths, device=device))

    def step(self, ids: Tensor) -> Tensor:
        """ids (R,) -> logits (R, V)"""
        logits: Tensor = self.model.head(self.model.states(ids[:, None], cache=self.cache)[:, -1])
        return logits

    def select(self, rows: Tensor, sentences: Tensor) -> None:
        self.cache.reorder(rows, sentences)
