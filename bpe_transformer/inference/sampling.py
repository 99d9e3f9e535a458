"""Sampling: each next id is drawn from the model's distribution, cut by temperature, top-k and top-p."""

from __future__ import annotations

import torch
from torch import Tensor

from bpe_transformer.errors import ConfigError
from bpe_transformer.inference.decoding_session import DecodingSession, write_until_eos


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
) -> list[list[int]]:
    """Draws each next id from the distribution that `filter_logits` leaves. The same seed draws the same ids."""
    generator = torch.Generator(device=start.device).manual_seed(seed)

    def draw(logits: Tensor) -> Tensor:
        kept = filter_logits(logits, temperature=temperature, top_k=top_k, top_p=top_p)
        return torch.multinomial(kept.softmax(dim=-1), 1, generator=generator)[:, 0]

    return write_until_eos(session, start, draw, eos_id=eos_id, limits=limits)


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
