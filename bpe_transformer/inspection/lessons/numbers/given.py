"""The numbers that the lessons begin with: four words, each with a query, a key and a value of four features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from bpe_transformer.errors import ConfigError
from bpe_transformer.io.printable import times

WORDS = ("I", "love", "play", "game")
_MOST_WORDS = 12
_FIRST = {"Q": (0.1, 0.2, 0.3, 0.4), "K": (0.5, 0.6, 0.7, 0.8), "V": (0.9, 1.0, 1.1, 1.2)}  # of the first word


class Given(NamedTuple):
    """L words and their queries (L, d_k), keys (L, d_k) and values (L, d_v)."""

    words: tuple[str, ...]
    q: Tensor
    k: Tensor
    v: Tensor


def given_numbers(text: str | None = None) -> Given:
    """The numbers of the four words, or of the words of `text`: each word adds 0.1 to those before it.

    Raises `ConfigError` for a text without words, or of more than fit on a screen.
    """
    words = WORDS if text is None else tuple(text.split())
    if not 1 <= len(words) <= _MOST_WORDS:
        raise ConfigError(
            f"the text has {times(len(words), 'word')}; give 1 to {_MOST_WORDS}, so that the matrices can be read"
        )
    added = torch.arange(len(words), dtype=torch.float32)[:, None] / 10
    q, k, v = (torch.tensor(first) + added for first in _FIRST.values())
    return Given(words, q, k, v)


def product(left: Sequence[float], right: Sequence[float]) -> str:
    """A dot product written out.

    >>> product([0.1, 0.2], [0.5, 0.6])
    '0.1×0.5 + 0.2×0.6'
    """
    return " + ".join(f"{short(a)}×{short(b)}" for a, b in zip(left, right, strict=True))


def short(value: float) -> str:
    """A number with two digits after the point at most.

    >>> short(0.10000000149), short(-0.001), short(1.25)
    ('0.1', '0', '1.25')
    """
    written = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written
