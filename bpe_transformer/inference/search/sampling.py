"""Sampling: each next id is drawn from the model's distribution, cut by temperature, top-k, top-p and min-p."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from bpe_transformer.errors import ConfigError
from bpe_transformer.inference.search.constraints import NONE, Constraints
from bpe_transformer.inference.search.decoding_session import DecodingSession
from bpe_transformer.inference.search.stepwise import Written, write_until_eos
from bpe_transformer.inference.search.top_scores import highest
from bpe_transformer.training.objectives.random_draws import counter_uniform

_COLDEST = 1e-6  # below this temperature a draw is the most probable id


@torch.inference_mode()
def sample(
    session: DecodingSession,
    start: Tensor,
    *,
    eos_id: int,
    limits: Tensor,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int,
    min_p: float = 0.0,
    streams: Tensor | None = None,
    constraints: Constraints = NONE,
    stops: Callable[[int, int], bool] | None = None,
) -> list[Written]:
    """Draws each next id from the distribution that `filter_logits` leaves.

    temperature=0 takes the most probable id. A draw is a function of the seed, the row's number in
    `streams` (B,) (None: 0 to B - 1) and the step, so a text does
    not depend on what is written beside it.
    """
    streams = torch.arange(start.size(0), device=start.device) if streams is None else streams

    if not 0 <= temperature < math.inf:
        raise ConfigError(f"temperature={temperature} must be a finite number of at least 0")

    def draw(logits: Tensor, rows: Tensor, step: int) -> Tensor:
        if temperature < _COLDEST:
            return highest(logits)
        kept = filter_logits(logits, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
        mass = kept.softmax(dim=-1).double().cumsum(dim=-1)
        drawn = counter_uniform(seed, streams[rows], step).to(mass) * mass[:, -1]
        return torch.searchsorted(mass, drawn[:, None], right=True)[:, 0].clamp(max=logits.size(-1) - 1)

    return write_until_eos(session, start, draw, eos_id=eos_id, limits=limits, constraints=constraints, stops=stops)


def filter_logits(logits: Tensor, *, temperature: float, top_k: int, top_p: float, min_p: float = 0.0) -> Tensor:
    """Logits (B, V) below their maximum, divided by `temperature` (> 0), with -inf for what is cut.

    top_k keeps the k most probable ids (0: all). top_p keeps the fewest most probable ids that together have at least
    this probability (1.0: all), the nucleus of Holtzman et al. 2020, counted after top_k. min_p keeps the ids with at
    least this share of the highest probability (0: all; Nguyen et al. 2024, section 3).
    Raises `ConfigError` with every value that is out of range.
    """
    problems = []
    if not 0 < temperature < math.inf:
        problems.append(
            f"temperature={temperature} must be above 0 and finite (for the most probable ids use greedy search)"
        )
    if top_k < 0:
        problems.append(f"top_k={top_k} must be at least 0 (0 keeps all ids)")
    if not 0 < top_p <= 1:
        problems.append(f"top_p={top_p} must be above 0 and at most 1")
    if not 0 <= min_p <= 1:
        problems.append(f"min_p={min_p} must be at least 0 and at most 1 (0 keeps all ids)")
    if problems:
        raise ConfigError("; ".join(problems))
    # below the maximum first, so that the coldest temperature overflows to -inf alone
    logits = (logits.float() - logits.float().amax(dim=-1, keepdim=True)) / max(temperature, _COLDEST)
    if 0 < top_k < logits.size(-1):
        logits = logits.masked_fill(logits < logits.topk(top_k).values[:, -1:], float("-inf"))
    if top_p < 1:
        ordered, order = logits.softmax(dim=-1).sort(dim=-1, descending=True)
        beyond = ordered.cumsum(dim=-1) - ordered >= top_p  # the ids before this one already suffice
        logits = logits.masked_fill(torch.zeros_like(beyond).scatter(-1, order, beyond), float("-inf"))
    if min_p > 0:
        logits = logits.masked_fill(logits < math.log(min_p), float("-inf"))  # the highest logit is 0
    return logits
