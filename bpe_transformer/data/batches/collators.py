"""Rows of ids as padded tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bpe_transformer.data.batches.token_rows import Ids


def pad(rows: Sequence[Sequence[int] | Ids], pad_id: int) -> torch.Tensor:
    """The rows as one tensor, (B, longest) int64, with `pad_id` after the end of each row.

    >>> pad([[1, 2], [1, 7, 2]], 0)
    tensor([[1, 2, 0],
            [1, 7, 2]])
    """
    padded = np.full((len(rows), max(map(len, rows), default=0)), pad_id, dtype=np.int64)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return torch.from_numpy(padded)
