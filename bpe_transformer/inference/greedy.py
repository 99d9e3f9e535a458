"""Greedy search."""

from __future__ import annotations

import torch
from torch import Tensor

from bpe_transformer.inference.decoding_session import DecodingSession, write_until_eos


@torch.inference_mode()
def greedy_search(session: DecodingSession, start: Tensor, *, eos_id: int, limits: Tensor) -> list[list[int]]:
    """The most probable next id, again and again, until eos or `limits` (B,) ids. start: (B,)."""
    return write_until_eos(session, start, lambda logits: logits.argmax(dim=-1), eos_id=eos_id, limits=limits)
