"""Greedy search."""

from __future__ import annotations

import torch
from torch import Tensor

from bpe_transformer.inference.search.constraints import NONE, Constraints
from bpe_transformer.inference.search.decoding_session import DecodingSession
from bpe_transformer.inference.search.stepwise import Written, write_until_eos
from bpe_transformer.inference.search.top_scores import highest


@torch.inference_mode()
def greedy_search(
    session: DecodingSession, start: Tensor, *, eos_id: int, limits: Tensor, constraints: Constraints = NONE
) -> list[Written]:
    """The most probable next id, again and again, until eos or `limits` (B,) ids. start: (B,)."""
    return write_until_eos(
        session,
        start,
        lambda logits, rows, step: highest(logits),
        eos_id=eos_id,
        limits=limits,
        constraints=constraints,
    )
