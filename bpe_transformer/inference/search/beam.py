"""Beam search with length normalization."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from bpe_transformer.errors import ConfigError
from bpe_transformer.inference.options import Finish
from bpe_transformer.inference.search.constraints import NONE, Constraints
from bpe_transformer.inference.search.decoding_session import DecodingSession
from bpe_transformer.inference.search.top_scores import top_scores

_LEAVE = 0.3  # share of the sentences that have ended at which the others move together


class Hypothesis(NamedTuple):
    """Ids without eos, their log-probability (nats, eos included), and the score after length normalization.

    token_log_probabilities: of every id and the eos. finish: "ended" by itself, "limit" when only the limit on its
    length ended it.
    """

    ids: list[int]
    log_probability: float
    score: float
    token_log_probabilities: tuple[float, ...] = ()
    finish: Finish = "ended"


def length_normalizer(length: int, length_penalty: float) -> float:
    """((5 + length) / 6) ** length_penalty, what a log-probability is divided by (GNMT, Wu et al. 2016, equation 14)."""
    return float(((5 + length) / 6) ** length_penalty)


@torch.inference_mode()
def beam_search(
    session: DecodingSession,
    start: Tensor,
    *,
    eos_id: int,
    limits: Tensor,
    beam: int,
    length_penalty: float,
    constraints: Constraints = NONE,
    n_best: int | None = None,
) -> list[list[Hypothesis]]:
    """The best hypotheses of every row of start (B,), best first, at most `n_best` each (None: `beam`).

    A sentence keeps its `beam` most probable unfinished prefixes. One that ends among the `beam` best candidates of
    its step becomes a hypothesis, scored by log-probability / `length_normalizer` (length_penalty=0: none). The
    sentence is done when it has `beam` of them and no prefix, scored at its present length, is above the best: counting
    alone would end a sentence on early, improbable ends. After `limits` (B,) ids only eos may follow. beam=1 is greedy
    search. Without length normalization a prefix only falls, so that a sentence is done as soon as `n_best` hypotheses
    are above it.

    Log-probabilities are the model's; with a repetition penalty, those of the logits that it changed.
    Raises `ConfigError` for a beam below 1, or a length penalty that is not a finite number from 0 to 20.
    """
    if beam < 1:
        raise ConfigError(f"beam={beam} must be at least 1")
    if not 0 <= length_penalty < 20:
        raise ConfigError(f"length_penalty={length_penalty} must be a number from 0 and below 20; 0 is none")
    n_best = beam if n_best is None else n_best
    enough = n_best if length_penalty == 0 else beam
    finished: list[list[Hypothesis]] = [[] for _ in range(start.size(0))]
    state = _Beams(session, start, limits)
    while state.sentences:
        length = state.length + 1  # of what is written after this step, and of a hypothesis with its eos
        divisor = length_normalizer(length, length_penalty)
        found = _candidates(state, beam, eos_id, constraints)
        for row, rank in torch.nonzero(found.ends[:, :beam] & found.totals[:, :beam].isfinite()).tolist():
            finished[state.sentences[row]].append(state.hypothesis(found, row, rank, divisor))
        best = found.ends.int().argsort(dim=1, stable=True)[:, :beam]  # the first `beam` that go on
        best_totals = found.totals.gather(1, best[:, :1])[:, 0].tolist()
        ended = [
            length > state.limits[row]
            or best_totals[row] == -math.inf
            or _done(finished[sentence], enough, n_best if length_penalty == 0 else 1, best_totals[row] / divisor)
            for row, sentence in enumerate(state.sentences)
        ]
        state.advance(session, found, best, ended)
    return [sorted(hypotheses, key=lambda h: -h.score)[:n_best] for hypotheses in finished]


def _done(finished: list[Hypothesis], enough: int, rank: int, best_unfinished: float) -> bool:
    """Whether there are enough hypotheses, of which the one of this rank (from 1) is above every unfinished prefix."""
    if len(finished) < enough:
        return False
    return sorted((hypothesis.score for hypothesis in finished), reverse=True)[rank - 1] >= best_unfinished


class _Candidates(NamedTuple):
    """The 2K best continuations of every sentence, best first, each (A, 2K).

    totals: log-probability of the whole; parents: the beam that it continues; ids: its next id; log_probabilities: of
    that id; ends: whether it is eos; by_limit: whether eos is there only because nothing else may follow.
    """

    totals: Tensor
    parents: Tensor
    ids: Tensor
    log_probabilities: Tensor
    ends: Tensor
    by_limit: Tensor


class _Beams:
    """Unfinished prefixes: A sentences of K beams each; one beam before the first step.

    Sentences that have ended stay until a good share has, since to move the others costs as much as a step.
    """

    def __init__(self, session: DecodingSession, start: Tensor, limits: Tensor) -> None:
        self.session = session
        rows = start.size(0)
        self.sentences = list(range(rows))  # the numbers of those that are there
        self.ended = [False] * rows
        self.limits: list[int] = limits.tolist()
        self.length = 0
        self.last = start  # (A · K,)
        self.totals = torch.zeros(rows, 1, device=start.device)  # log-probabilities (A, K)
        room = max(self.limits, default=0) + 2
        self.ids = torch.zeros(rows, 1, room, dtype=torch.long, device=start.device)
        self.log_probabilities = torch.zeros(rows, 1, room, device=start.device)

    @property
    def written(self) -> Tensor:
        """(A · K, length)"""
        return self.ids[:, :, : self.length].flatten(0, 1)

    def hypothesis(self, found: _Candidates, row: int, rank: int, divisor: float) -> Hypothesis:
        """The candidate `rank` of a row, which ends."""
        parent = int(found.parents[row, rank])
        total = float(found.totals[row, rank])
        steps = [
            *self.log_probabilities[row, parent, : self.length].tolist(),
            float(found.log_probabilities[row, rank]),
        ]
        finish: Finish = "limit" if found.by_limit[row, rank] else "ended"
        return Hypothesis(self.ids[row, parent, : self.length].tolist(), total, total / divisor, tuple(steps), finish)

    def advance(self, session: DecodingSession, found: _Candidates, best: Tensor, ended: Sequence[bool]) -> None:
        """Goes on with the candidates `best` (A, K) of every sentence; those that have `ended` leave sooner or later."""
        self.ended = [before or now for before, now in zip(self.ended, ended, strict=True)]
        rows, beams = best.size(0), self.ids.size(1)
        parents, ids = found.parents.gather(1, best), found.ids.gather(1, best)
        totals, gained = found.totals.gather(1, best), found.log_probabilities.gather(1, best)
        kept = torch.arange(rows, device=best.device)
        if self.ended.count(True) > _LEAVE * rows:
            going = [row for row, over in enumerate(self.ended) if not over]
            kept = torch.tensor(going, dtype=torch.long, device=best.device)
            self.sentences, self.limits = ([held[row] for row in going] for held in (self.sentences, self.limits))
            self.ended = [False] * len(going)
            parents, ids, totals, gained = (part[kept] for part in (parents, ids, totals, gained))
        if not self.sentences:
            return
        origin = (kept[:, None] * beams + parents).flatten()
        session.select(origin, kept)
        for name, new in (("ids", ids), ("log_probabilities", gained)):
            held = getattr(self, name).flatten(0, 1).index_select(0, origin).view(*ids.shape, -1)
            held[:, :, self.length] = new
            setattr(self, name, held)
        # prefixes of a sentence that has ended have no candidates any more
        over = torch.tensor(self.ended, device=best.device)
        self.totals = totals.masked_fill(over[:, None], float("-inf")) if any(self.ended) else totals
        self.last, self.length = ids.flatten(), self.length + 1


def _candidates(state: _Beams, beam: int, eos_id: int, constraints: Constraints) -> _Candidates:
    """2K of them, because at most K (one a beam) end, so that K are left to go on."""
    logits = constraints.penalized(state.session.step(state.last).float(), state.written)
    scores = logits.log_softmax(dim=-1)  # (A · K, V)
    last_chance = [row for row, limit in enumerate(state.limits) if limit <= state.length]
    by_limit = torch.zeros(scores.size(0), dtype=torch.bool, device=scores.device)
    constraints.forbid(scores, state.written, state.sentences)
    beams = state.totals.size(1)
    if last_chance:
        rows = (torch.tensor(last_chance, device=scores.device)[:, None] * beams).add(
            torch.arange(beams, device=scores.device)
        )
        rows = rows.flatten()
        by_limit[rows] = scores[rows].argmax(dim=-1) != eos_id
        only = torch.full_like(scores[rows], float("-inf"))
        only[:, eos_id] = scores[rows, eos_id]
        scores[rows] = only
    totals, index = top_scores(scores, state.totals, 2 * beam)
    vocab_size = scores.size(-1)
    parents, ids = index // vocab_size, index % vocab_size
    origin = torch.arange(len(parents), device=parents.device)[:, None] * beams + parents
    return _Candidates(totals, parents, ids, scores[origin, ids], ids == eos_id, by_limit[origin])
