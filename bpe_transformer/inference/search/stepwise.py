"""Writing one text a row, an id a step: what greedy search and sampling share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from bpe_transformer.inference.options import Finish
from bpe_transformer.inference.search.constraints import NONE, Constraints
from bpe_transformer.inference.search.decoding_session import DecodingSession

Choose = Callable[[Tensor, Tensor, int], Tensor]
_LEAVE = 0.3  # share of the rows that have ended at which the others move together


class Written(NamedTuple):
    """What a row wrote: ids without eos, and why it ends."""

    ids: list[int]
    finish: Finish


def write_until_eos(
    session: DecodingSession,
    start: Tensor,
    choose: Choose,
    *,
    eos_id: int,
    limits: Tensor,
    constraints: Constraints = NONE,
    stops: Callable[[int, int], bool] | None = None,
) -> list[Written]:
    """Steps until every row has ended: `choose` takes logits (R, V), the rows' numbers (R,) and the step, and gives ids.

    stops: called with a row's number and each id that it writes but eos; true ends the row with this id.
    """
    rows, device = start.size(0), start.device
    most = int(limits.max()) if rows else 0
    written = torch.full((rows, most + 1), eos_id, device=device)
    lengths, stopped = limits.clone(), torch.zeros(rows, dtype=torch.bool, device=device)
    numbers, last = torch.arange(rows, device=device), start
    over = limits <= 0
    for step in range(most):
        if over.sum() > _LEAVE * over.numel():
            kept = torch.nonzero(~over)[:, 0]
            if not kept.numel():
                break
            session.select(kept, kept)
            numbers, last, over = numbers[kept], last[kept], over[kept]
        logits = constraints.penalized(session.step(last).float(), written[numbers, :step])
        constraints.forbid(logits, written[numbers, :step], numbers.tolist())
        last = choose(logits, numbers, step)
        written[numbers, step] = last
        ends = (last == eos_id) & ~over
        lengths[numbers[ends]] = step
        over = over | ends
        if stops is not None:
            for place in torch.nonzero(~over)[:, 0].tolist():
                if stops(int(numbers[place]), int(last[place])):
                    over[place] = True
                    lengths[numbers[place]] = step + 1
                    stopped[numbers[place]] = True
        over = over | (limits[numbers] <= step + 1)
        if over.all():
            break
    ended = written.gather(1, lengths[:, None].clamp(min=0))[:, 0] == eos_id
    return [
        Written(ids[:length], "stopped" if stop else "ended" if length < limit and end else "limit")
        for ids, length, limit, stop, end in zip(
            written.tolist(), lengths.tolist(), limits.tolist(), stopped.tolist(), ended.tolist(), strict=True
        )
    ]
