"""Writing ids with a model, many rows at once: greedy search, beam search, sampling.

All three drive a `Stepper`, which takes the last id of every row and gives the logits of the next, and forgets the rows
that have ended. They know neither bos nor prompt: `start` is the id to step from, and what comes back is what follows
it, without the closing `eos_id`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.language_model import LanguageModel
from bpe_transformer.models.translation import TranslationModel


class Hypothesis(NamedTuple):
    """Ids without eos, their log-probability (nats, eos included), and the score after length normalisation."""

    ids: list[int]
    log_probability: float
    score: float


class Stepper(Protocol):
    """Rows being written, grouped by sentence: row r belongs to sentence r // (rows / sentences)."""

    def step(self, ids: Tensor) -> Tensor:
        """The last id of every row (R,) -> logits of the next (R, V)."""

    def select(self, rows: Tensor, sentences: Tensor) -> None:
        """Goes on with `rows` (R',) of `sentences` (A',), in that order; both index what is there now."""


class TranslationStepper:
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


class LanguageModelStepper:
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


@torch.inference_mode()
def greedy(stepper: Stepper, start: Tensor, *, eos_id: int, limits: Tensor) -> list[list[int]]:
    """The most probable next id, again and again, until eos or `limits` (B,) ids. start: (B,)."""
    return _write(stepper, start, lambda logits: logits.argmax(dim=-1), eos_id=eos_id, limits=limits)


@torch.inference_mode()
def sample(
    stepper: Stepper,
    start: Tensor,
    *,
    eos_id: int,
    limits: Tensor,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int,
) -> list[list[int]]:
    """Draws each next id from the distribution that `filter_logits` leaves. The same seed draws the same ids."""
    generator = torch.Generator(device=start.device).manual_seed(seed)

    def draw(logits: Tensor) -> Tensor:
        kept = filter_logits(logits, temperature=temperature, top_k=top_k, top_p=top_p)
        return torch.multinomial(kept.softmax(dim=-1), 1, generator=generator)[:, 0]

    return _write(stepper, start, draw, eos_id=eos_id, limits=limits)


def filter_logits(logits: Tensor, *, temperature: float, top_k: int, top_p: float) -> Tensor:
    """Logits (B, V) divided by `temperature` (> 0), with -inf for what is cut.

    top_k keeps the k most probable ids (0: all). top_p keeps the fewest most probable ids that together have at least
    this probability (1.0: all), the nucleus of Holtzman et al. 2020, counted after top_k.
    Raises `ConfigError` with every value that is out of range.
    """
    problems = []
    if not temperature > 0:
        problems.append(f"temperature={temperature} must be above 0 (for the most probable ids use greedy search)")
    if top_k < 0:
        problems.append(f"top_k={top_k} must be at least 0 (0 keeps all ids)")
    if not 0 < top_p <= 1:
        problems.append(f"top_p={top_p} must be above 0 and at most 1")
    if problems:
        raise ConfigError("; ".join(problems))
    logits = logits.float() / temperature
    if 0 < top_k < logits.size(-1):
        logits = logits.masked_fill(logits < logits.topk(top_k).values[:, -1:], float("-inf"))
    if top_p < 1:
        ordered, order = logits.softmax(dim=-1).sort(dim=-1, descending=True)
        beyond = ordered.cumsum(dim=-1) - ordered >= top_p  # the ids before this one already suffice
        logits = logits.masked_fill(torch.zeros_like(beyond).scatter(-1, order, beyond), float("-inf"))
    return logits


class _Choose(Protocol):
    def __call__(self, logits: Tensor, /) -> Tensor: ...


def _write(stepper: Stepper, start: Tensor, choose: _Choose, *, eos_id: int, limits: Tensor) -> list[list[int]]:
    written: list[list[int]] = [[] for _ in range(start.size(0))]
    active = torch.nonzero(limits > 0)[:, 0]
    if active.numel() < start.size(0):
        stepper.select(active, active)
    last = start[active]
    for length in range(1, int(limits.max()) + 1):
        if not active.numel():
            break
        last = choose(stepper.step(last))
        for sentence, token in zip(active.tolist(), last.tolist(), strict=True):
            if token != eos_id:
                written[sentence].append(token)
        going = torch.nonzero((last != eos_id) & (limits[active] > length))[:, 0]
        if going.numel() < active.numel():
            stepper.select(going, going)
            active, last = active[going], last[going]
    return written


def length_penalty(length: int, alpha: float) -> float:
    """((5 + length) / 6) ** alpha, what a log-probability is divided by (GNMT, Wu et al. 2016, equation 14)."""
    return float(((5 + length) / 6) ** alpha)


@torch.inference_mode()
def beam_search(
    stepper: Stepper, start: Tensor, *, eos_id: int, limits: Tensor, beam: int, alpha: float
) -> list[list[Hypothesis]]:
    """The best hypotheses of every row of start (B,), best first, at most `beam` each.

    A sentence keeps its `beam` most probable unfinished prefixes. One that ends among the `beam` best candidates of
    its step becomes a hypothesis, scored by log-probability / `length_penalty` (alpha=0: none). The sentence is done
    when it has `beam` of them and no prefix, scored at its present length, is above the best: counting alone would end
    a sentence on early, improbable ends. After `limits` (B,) ids only eos may follow. beam=1 is greedy search.
    """
    if beam < 1:
        raise ConfigError(f"beam={beam} must be at least 1")
    finished: list[list[Hypothesis]] = [[] for _ in range(start.size(0))]
    state = _Beams.begin(stepper, start, beam)
    while state.active.numel():
        length = state.ids.size(2)  # of what is written after this step, and of a hypothesis with its eos
        penalty = length_penalty(length, alpha)
        scores, parents, tokens = _candidates(state, stepper.step(state.ids[:, :, -1].flatten()), eos_id, limits)
        ends = tokens == eos_id
        for row, rank in torch.nonzero(ends[:, :beam] & scores[:, :beam].isfinite()).tolist():
            ids, total = state.ids[row, parents[row, rank], 1:].tolist(), float(scores[row, rank])
            finished[int(state.active[row])].append(Hypothesis(ids, total, total / penalty))
        best = ends.int().argsort(dim=1, stable=True)[:, :beam]  # the first `beam` that go on
        hopes = (scores.gather(1, best[:, :1])[:, 0] / penalty).tolist()
        going = [
            row
            for row, sentence in enumerate(state.active.tolist())
            if length <= int(limits[sentence]) and not _done(finished[sentence], beam, hopes[row])
        ]
        state = state.advance(stepper, torch.tensor(going, dtype=torch.long), best, scores, parents, tokens)
    return [sorted(hypotheses, key=lambda h: -h.score)[:beam] for hypotheses in finished]


def _done(finished: list[Hypothesis], beam: int, hope: float) -> bool:
    return len(finished) >= beam and max(hypothesis.score for hypothesis in finished) >= hope


class _Beams(NamedTuple):
    """Unfinished prefixes: sentence numbers (A,), ids with the start (A, K, t), log-probabilities (A, K)."""

    active: Tensor
    ids: Tensor
    scores: Tensor

    @classmethod
    def begin(cls, stepper: Stepper, start: Tensor, beam: int) -> _Beams:
        sentences = torch.arange(start.size(0), device=start.device)
        stepper.select(sentences.repeat_interleave(beam), sentences)
        scores = torch.full((start.size(0), beam), float("-inf"), device=start.device)
        scores[:, 0] = 0.0  # all beams begin alike: only one may bring forth candidates
        return cls(sentences, start[:, None, None].repeat(1, beam, 1), scores)

    def advance(
        self, stepper: Stepper, going: Tensor, best: Tensor, scores: Tensor, parents: Tensor, tokens: Tensor
    ) -> _Beams:
        """The rows `going` (A',) of the sentences, each with its `best` (A, K) of the candidates (A, 2K)."""
        best = best[going]
        parent = parents[going].gather(1, best)
        stepper.select((going[:, None] * self.ids.size(1) + parent).flatten(), going)
        ids = torch.cat((self.ids[going[:, None], parent], tokens[going].gather(1, best)[:, :, None]), dim=2)
        return _Beams(self.active[going], ids, scores[going].gather(1, best))


def _candidates(state: _Beams, logits: Tensor, eos_id: int, limits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The 2K best continuations of every sentence, best first: log-probability, parent beam, id, each (A, 2K).

    2K, because at most K of them (one a beam) end, so that K are left to go on.
    """
    sentences, beam, length = state.ids.shape
    log_probabilities = logits.float().log_softmax(dim=-1).view(sentences, beam, -1)
    vocab_size = log_probabilities.size(-1)
    last_chance = limits[state.active] < length
    if last_chance.any():
        only_eos = torch.full((vocab_size,), float("-inf"), device=logits.device)
        only_eos[eos_id] = 0.0
        log_probabilities = torch.where(last_chance[:, None, None], log_probabilities + only_eos, log_probabilities)
    totals = (state.scores[:, :, None] + log_probabilities).flatten(1)
    scores, index = totals.topk(2 * beam, dim=1)
    return scores, index // vocab_size, index % vocab_size
