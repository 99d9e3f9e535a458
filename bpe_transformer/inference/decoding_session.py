"""Models that write ids step by step, many rows at once: what every search here drives.

A `DecodingSession` takes the last id of every row and gives the logits of the next, and drops the rows that have ended.
Searches know neither bos nor prompt: `start` is the id to step from, and what comes back is what follows it, without
the closing `eos_id`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from bpe_transformer.errors import ConfigError
from bpe_transformer.models import LanguageModel, TranslationModel


class DecodingSession(Protocol):
    """Rows being written, grouped by sentence: row r belongs to sentence r // (rows / sentences)."""

    def step(self, ids: Tensor) -> Tensor:
        """The last id of every row (R,) -> logits of the next (R, V)."""

    def select(self, rows: Tensor, sentences: Tensor) -> None:
        """Keeps `rows` (R',) of `sentences` (A',), in that order; both index what is there now."""


class TranslationSession:
    """Writes the translations of src (B, S): the encoder runs once, the decoder with its past cached."""

    @torch.inference_mode()
    def __init__(self, model: TranslationModel, src: Tensor) -> None:
        self.model = model
        self.memory, self.mask = model.encode(src)
        self.cache = model.new_cache()

    def step(self, ids: Tensor) -> Tensor:
        """ids (R,) -> logits (R, V)"""
        states = self.model.decode(ids[:, None], self.memory, self.mask, cache=self.cache)
        return self.model.project(states[:, -1])

    def select(self, rows: Tensor, sentences: Tensor) -> None:
        """The beams of a sentence share its memory, so the memory moves only when sentences end."""
        fewer = sentences.numel() < self.memory.size(0)
        self.cache.select(rows, sentences if fewer else None)
        if fewer:
            self.memory, self.mask = self.memory[sentences], self.mask[sentences]


class LanguageModelSession:
    """Continues prompts of any lengths. They are padded at the left, and `start` is each prompt's last id, (B,).

    `ConfigError` when a prompt is empty.
    """

    @torch.inference_mode()
    def __init__(self, model: LanguageModel, prompts: Sequence[Sequence[int]]) -> None:
        if not all(prompts):
            raise ConfigError("prompt of 0 ids: there is nothing to go on from; begin with at least one id")
        self.model = model
        self.cache = model.new_cache()
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts])
        self.mask = torch.tensor([[False] * (width - len(prompt)) + [True] * len(prompt) for prompt in prompts])
        self.start = ids[:, -1]
        if width > 1:
            model.states(ids[:, :-1], key_mask=self.mask[:, :-1], cache=self.cache)
        self.mask = self.mask[:, :-1]

    def step(self, ids: Tensor) -> Tensor:
        """ids (R,) -> logits (R, V)"""
        self.mask = torch.cat((self.mask, self.mask.new_ones(ids.size(0), 1)), dim=1)
        states = self.model.states(ids[:, None], key_mask=self.mask, cache=self.cache)
        return self.model.project(states[:, -1])

    def select(self, rows: Tensor, sentences: Tensor) -> None:
        """Here rows carry everything; sentences do not matter."""
        self.cache.select(rows)
        self.mask = self.mask[rows]


def write_until_eos(
    session: DecodingSession, start: Tensor, choose: Callable[[Tensor], Tensor], *, eos_id: int, limits: Tensor
) -> list[list[int]]:
    """Steps until every row has ended: `choose` takes logits (R, V) and gives the next ids (R,)."""
    written: list[list[int]] = [[] for _ in range(start.size(0))]
    active = torch.nonzero(limits > 0)[:, 0]
    if active.numel() < start.size(0):
        session.select(active, active)
    last = start[active]
    for length in range(1, int(limits.max()) + 1):
        if not active.numel():
            break
        last = choose(session.step(last))
        for sentence, token in zip(active.tolist(), last.tolist(), strict=True):
            if token != eos_id:
                written[sentence].append(token)
        going = torch.nonzero((last != eos_id) & (limits[active] > length))[:, 0]
        if going.numel() < active.numel():
            session.select(going, going)
            active, last = active[going], last[going]
    return written
