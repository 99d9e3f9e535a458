"""The best of many scores, found by the maxima of short blocks: exact, and several times faster than sorting rows."""

from __future__ import annotations

import torch
from torch import Tensor

_BLOCK = 32  # scores of which the maximum is taken first


def top_scores(scores: Tensor, totals: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` best of totals (A, K) + scores (A · K, V) in every sentence: sums and indices into K · V, (A, count).

    Best first. Where there are fewer, -inf and index 0 take the places. A block that holds one of the best is among the
    `count` blocks with the highest maxima.
    """
    sentences, beams = totals.shape
    vocab_size = scores.size(-1)
    whole = vocab_size // _BLOCK * _BLOCK
    if whole < 4 * count * _BLOCK // beams or whole < 8 * _BLOCK:
        found, index = _first(totals[:, :, None] + scores.view(sentences, beams, -1), count)
        return found, index
    blocks = scores[:, :whole].view(sentences, beams, -1, _BLOCK)
    maxima = totals[:, :, None] + blocks.amax(dim=-1)  # (A, K, V / block)
    _, chosen = _first(maxima, count)
    beam = chosen // blocks.size(2)
    places = (beam * vocab_size + chosen % blocks.size(2) * _BLOCK)[:, :, None]
    places = places + torch.arange(_BLOCK, device=scores.device)  # (A, count, block): indices into K · V
    inner = scores.view(sentences, -1).gather(1, places.flatten(1)).view(places.shape)
    sums, places = (inner + totals.gather(1, beam)[:, :, None]).flatten(1), places.flatten(1)
    if whole < vocab_size:
        rest = totals[:, :, None] + scores[:, whole:].view(sentences, beams, -1)
        starts = torch.arange(beams, device=scores.device)[:, None] * vocab_size
        indices = (starts + torch.arange(whole, vocab_size, device=scores.device)).flatten()
        sums = torch.cat((sums, rest.flatten(1)), dim=1)
        places = torch.cat((places, indices.expand(sentences, -1)), dim=1)
    found, index = sums.topk(count, dim=1)
    return found, places.gather(1, index)


def highest(logits: Tensor) -> Tensor:
    """The index of the highest of every row (R, V) -> (R,); of equal ones the first."""
    rows, vocab_size = logits.shape
    whole = vocab_size // _BLOCK * _BLOCK
    if whole < 8 * _BLOCK or logits.device.type != "cpu":
        return logits.argmax(dim=-1)
    maxima = logits[:, :whole].view(rows, -1, _BLOCK).amax(dim=-1)
    if whole < vocab_size:
        maxima = torch.cat((maxima, logits[:, whole:].amax(dim=-1, keepdim=True)), dim=1)
    block = maxima.argmax(dim=-1, keepdim=True)
    places = (block * _BLOCK + torch.arange(_BLOCK, device=logits.device)).clamp(max=vocab_size - 1)
    return places.gather(1, logits.gather(1, places).argmax(dim=-1, keepdim=True))[:, 0]


def _first(sums: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The best of (A, …) by rows, filled up with -inf at index 0 where there are fewer than `count`."""
    flat = sums.flatten(1)
    found, index = flat.topk(min(count, flat.size(1)), dim=1)
    missing = count - found.size(1)
    if missing > 0:
        found = torch.nn.functional.pad(found, (0, missing), value=float("-inf"))
        index = torch.nn.functional.pad(index, (0, missing))
    return found, index
