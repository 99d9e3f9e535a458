"""Beam search with length normalization."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from bpe_transformer.errors import ConfigError
from bpe_transformer.inference.decoding_session import DecodingSession


class Hypothesis(NamedTuple):
    """Ids without eos, their log-probability (nats, eos included), and the score after length normalization."""

    ids: list[int]
    log_probability: float
    score: float


def length_normalizer(length: int, length_penalty: float) -> float:
    """((5 + length) / 6) ** length_penalty, what a log-probability is divided by (GNMT, Wu et al. 2016, equation 14)."""
    return float(((5 + length) / 6) ** length_penalty)


@torch.inference_mode()
def beam_search(
    session: DecodingSession, start: Tensor, *, eos_id: int, limits: Tensor, beam: int, length_penalty: float
) -> list[list[Hypothesis]]:
    """The best hypotheses of every row of start (B,), best first, at most `beam` each.

    A sentence keeps its `beam` most probable unfinished prefixes. One that ends among the `beam` best candidates of
    its step becomes a hypothesis, scored by log-probability / `length_normalizer` (length_penalty=0: none). The
    sentence is done when it has `beam` of them and no prefix, scored at its present length, is above the best: counting
    alone would end a sentence on early, improbable ends. After `limits` (B,) ids only eos may follow. beam=1 is greedy
    search.
    """
    if beam < 1:
        raise ConfigError(f"beam={beam} must be at least 1")
    finished: list[list[Hypothesis]] = [[] for _ in range(start.size(0))]
    state = _Beams.begin(session, start, beam)
    while state.active.numel():
        length = state.ids.size(2)  # of what is written after this step, and of a hypothesis with its eos
        divisor = length_normalizer(length, length_penalty)
        scores, parents, next_ids = _candidates(state, session.step(state.ids[:, :, -1].flatten()), eos_id, limits)
        ends = next_ids == eos_id
        for row, rank in torch.nonzero(ends[:, :beam] & scores[:, :beam].isfinite()).tolist():
            ids, total = state.ids[row, parents[row, rank], 1:].tolist(), float(scores[row, rank])
            finished[int(state.active[row])].append(Hypothesis(ids, total, total / divisor))
        best = ends.int().argsort(dim=1, stable=True)[:, :beam]  # the first `beam` that go on
        best_scores = (scores.gather(1, best[:, :1])[:, 0] / divisor).tolist()
        going = [
            row
            for row, sentence in enumerate(state.active.tolist())
            if length <= int(limits[sentence]) and not _done(finished[sentence], beam, best_scores[row])
        ]
        state = state.advance(
            session, torch.tensor(going, dtype=torch.long, device=best.device), best, scores, parents, next_ids
        )
    return [sorted(hypotheses, key=lambda h: -h.score)[:beam] for hypotheses in finished]


def _done(finished: list[Hypothesis], beam: int, best_unfinished: float) -> bool:
    return len(finished) >= beam and max(hypothesis.score for hypothesis in finished) >= best_unfinished


class _Beams(NamedTuple):
    """Unfinished prefixes: sentence numbers (A,), ids with the start (A, K, t), log-probabilities (A, K)."""

    active: Tensor
    ids: Tensor
    scores: Tensor

    @classmethod
    def begin(cls, session: DecodingSession, start: Tensor, beam: int) -> _Beams:
        sentences = torch.arange(start.size(0), device=start.device)
        session.select(sentences.repeat_interleave(beam), sentences)
        scores = torch.full((start.size(0), beam), float("-inf"), device=start.device)
        scores[:, 0] = 0.0  # all beams begin alike: only one may have candidates
        return cls(sentences, start[:, None, None].repeat(1, beam, 1), scores)

    def advance(
        self, session: DecodingSession, going: Tensor, best: Tensor, scores: Tensor, parents: Tensor, next_ids: Tensor
    ) -> _Beams:
        """The rows `going` (A',) of the sentences, each with its `best` (A, K) of the candidates (A, 2K)."""
        best = best[going]
        parent = parents[going].gather(1, best)
        session.select((going[:, None] * self.ids.size(1) + parent).flatten(), going)
        ids = torch.cat((self.ids[going[:, None], parent], next_ids[going].gather(1, best)[:, :, None]), dim=2)
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
