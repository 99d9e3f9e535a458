"""Which tensor of ours is which of another library, and the changes of form on the way, in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from bpe_transformer.errors import ConversionError

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Entry:
    """One tensor of ours, and one or several of theirs.

    Attributes:
        theirs: several: ours is theirs one below the other (queries, keys and values in one matrix).
        sizes: rows of each of several.
        transposed: theirs is the transpose of ours (GPT-2's Conv1D).
        reads, writes: the columns, or the rows, are features of the residual stream, which may be permuted.
        zeros: shape of theirs that is filled with zeros where our model has no such tensor.
    """

    ours: str
    theirs: tuple[str, ...]
    sizes: tuple[int, ...] = ()
    transposed: bool = False
    reads: bool = False
    writes: bool = False
    zeros: tuple[int, ...] = ()


def to_theirs(entries: Iterable[Entry], weights: Mapping[str, Tensor], order: Tensor | None = None) -> Weights:
    """Their tensors. order: (C,), which feature of our residual stream each of theirs is; None: they are the same."""
    found: Weights = {}
    for entry in entries:
        lacking = bool(entry.zeros) and entry.ours not in weights
        value = torch.zeros(entry.zeros) if lacking else weights[entry.ours]
        if order is not None and entry.reads:
            value = value[:, order]
        if order is not None and entry.writes:
            value = value[order]
        parts = torch.split(value, list(entry.sizes)) if entry.sizes else (value,)
        for name, part in zip(entry.theirs, parts, strict=True):
            found[name] = (part.t() if entry.transposed else part).contiguous()
    return found


def to_ours(entries: Iterable[Entry], weights: Mapping[str, Tensor], order: Tensor | None = None) -> Weights:
    """Our tensors, in float32; the inverse of `to_theirs`. Raises `ConversionError` when one of theirs is missing."""
    inverse = None if order is None else order.argsort()
    found: Weights = {}
    for entry in entries:
        missing = [name for name in entry.theirs if name not in weights]
        if missing:
            raise ConversionError(f"the weights lack {missing[0]}; take the files of a whole model")
        parts = [weights[name].t() if entry.transposed else weights[name] for name in entry.theirs]
        value = torch.cat(parts) if len(parts) > 1 else parts[0]
        if inverse is not None and entry.writes:
            value = value[inverse]
        if inverse is not None and entry.reads:
            value = value[:, inverse]
        found[entry.ours] = value.float().contiguous()
    return found


def linear(
    ours: str,
    theirs: str,
    *,
    bias: bool = True,
    size: int = 0,
    transposed: bool = False,
    reads: bool = False,
    writes: bool = False,
) -> list[Entry]:
    """Weight and, with `bias`, bias of a linear map; `size`: outputs, for zeros where ours has no bias."""
    entries = [Entry(f"{ours}.weight", (f"{theirs}.weight",), transposed=transposed, reads=reads, writes=writes)]
    if bias:
        entries.append(Entry(f"{ours}.bias", (f"{theirs}.bias",), writes=writes, zeros=(size,) if size else ()))
    return entries


def norm(ours: str, theirs: str, *, bias: bool = True, size: int = 0) -> list[Entry]:
    """Gain and, with `bias`, bias of a norm over the residual stream."""
    entries = [Entry(f"{ours}.weight", (f"{theirs}.weight",), writes=True)]
    if bias:
        zeros = (size,) if size else ()
        entries.append(Entry(f"{ours}.bias", (f"{theirs}.bias",), writes=True, zeros=zeros))
    return entries


def projections(
    ours: str, theirs: tuple[str, str, str], *, sizes: tuple[int, int, int], bias: bool = True, zeros: bool = False
) -> list[Entry]:
    """Our one input projection of an attention and their three, to queries, keys and values."""
    entries = [Entry(f"{ours}.weight", tuple(f"{name}.weight" for name in theirs), sizes=sizes, reads=True)]
    if bias:
        filled = (sum(sizes),) if zeros else ()
        entries.append(Entry(f"{ours}.bias", tuple(f"{name}.bias" for name in theirs), sizes=sizes, zeros=filled))
    return entries
