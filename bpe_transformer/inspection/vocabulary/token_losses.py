"""The loss of every id of a trained model on some texts: how often it was to be predicted, and what that cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from bpe_transformer.data import SpecialIds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bpe_transformer.tokenizer import Tokenizer
    from bpe_transformer.training import CheckpointInfo

_BATCH = 4096  # ids, padding included
_GAPS = 7  # a masked language model finds every seventh id, in seven passes all of them


@dataclass(frozen=True, eq=False)
class TokenLosses:
    """counts: predictions of each id, (vocab_size,) int64. totals: their cross-entropy, nats, (vocab_size,) float64."""

    counts: NDArray[np.int64]
    totals: NDArray[np.float64]


@torch.inference_mode()
def token_losses(
    model: Any,
    tokenizer: Tokenizer,
    info: CheckpointInfo,
    rows: Iterable[Sequence[str]],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> TokenLosses:
    """Of `rows`, which hold the columns of `info`: source and target, or a text.

    A language model reads windows of max_len ids, every id predicted from those before it in its window; a translator writes the
    target; of a masked language model's ids every seventh is hidden, in seven passes each of them once. `progress` hears of the
    rows done and all rows.
    """
    model.eval()
    size = info.vocab_size
    counts, totals = torch.zeros(size, dtype=torch.int64), torch.zeros(size, dtype=torch.float64)
    device = model.head.weight.device
    for states, targets in _predictions(model, tokenizer, info, rows, device, progress):
        for part, wanted in zip(torch.split(states, 512), torch.split(targets, 512), strict=True):
            logits = model.head(part).float()
            losses = torch.nn.functional.cross_entropy(logits, wanted, reduction="none").double().cpu()
            totals.index_add_(0, wanted.cpu(), losses)
            counts += torch.bincount(wanted.cpu(), minlength=size)
    return TokenLosses(counts.numpy(), totals.numpy())


def _predictions(
    model: Any,
    tokenizer: Tokenizer,
    info: CheckpointInfo,
    rows: Iterable[Sequence[str]],
    device: torch.device,
    progress: Callable[[int, int], None] | None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """States (N, C) and the ids to be predicted from them (N,)."""
    special = SpecialIds.of(tokenizer)
    encoded = [_encoded(tokenizer, row, info.settings.model.max_len) for row in rows]
    done = 0
    for batch in _batches(encoded):
        if info.task == "translation":
            src = _padded([[*row[0], special.eos] for row in batch], special.pad).to(device)
            tgt = _padded([[special.bos, *row[1], special.eos] for row in batch], special.pad).to(device)
            states = model.decode(tgt[:, :-1], model.encode(src))
            yield _real(states, tgt[:, 1:], special.pad)
        elif info.task == "language-model":
            ids = _padded([[special.eos, *row[0], special.eos] for row in batch], special.pad).to(device)
            yield _real(model.states(ids[:, :-1]), ids[:, 1:], special.pad)
        else:
            ids = _padded([[special.eos, *row[0]] for row in batch], special.pad).to(device)
            yield from _hidden(model, tokenizer, ids, special)
        done += len(batch)
        if progress is not None:
            progress(min(done, len(encoded)), len(encoded))


def _hidden(model: Any, tokenizer: Tokenizer, ids: Tensor, special: SpecialIds) -> Iterator[tuple[Tensor, Tensor]]:
    mask = tokenizer.special_tokens[str(tokenizer.roles.mask)]
    places = torch.arange(ids.size(1), device=ids.device)[None].expand_as(ids)
    for gap in range(_GAPS):
        chosen = (places % _GAPS == gap) & (places > 0) & (ids != special.pad)
        if bool(chosen.any()):
            yield model.states(ids.masked_fill(chosen, mask))[chosen], ids[chosen]


def _real(states: Tensor, targets: Tensor, pad: int) -> tuple[Tensor, Tensor]:
    real = targets != pad
    return states[real], targets[real]


def _encoded(tokenizer: Tokenizer, row: Sequence[str], max_len: int) -> list[list[list[int]]]:
    """The columns of a row as ids; a text alone is cut into as many windows as it needs."""
    columns = [list(tokenizer.encode_ordinary(text)) for text in row]
    longest = max(1, max_len - 2)  # room for what frames them
    if len(columns) == 1:
        (ids,) = columns
        return [[ids[start : start + longest]] for start in range(0, max(len(ids), 1), longest)]
    return [[ids[:longest] for ids in columns]]


def _batches(rows: Sequence[list[list[list[int]]]]) -> Iterator[list[list[list[int]]]]:
    """Windows of similar length together, `_BATCH` ids at most."""
    windows = sorted((window for row in rows for window in row), key=lambda window: max(map(len, window)))
    batch: list[list[list[int]]] = []
    for window in windows:
        if batch and (max(map(len, window)) + 2) * (len(batch) + 1) > _BATCH:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def _padded(rows: Sequence[Sequence[int]], pad: int) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows])
