"""A trained model under a pruned vocabulary: the rows of its embeddings and of its head that the kept ids need."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from bpe_transformer.errors import CheckpointError
from bpe_transformer.models.registry import FAMILIES
from bpe_transformer.training.checkpoint import (
    CheckpointInfo,
    build_model,
    load_checkpoint,
    save_checkpoint,
    set_weights,
    weights_of,
)

if TYPE_CHECKING:
    from bpe_transformer.tokenizer.tokenizer import Pruned

_PROBE = 64  # ids that logits are compared on
_TOLERANCE = 1e-3  # of logits: a smaller matrix product may add in another order


def prune_checkpoint(run: str | os.PathLike[str], output: str | os.PathLike[str], pruned: Pruned) -> CheckpointInfo:
    """Writes the model in `run` to `output` with the vocabulary that `Tokenizer.prune` left of its tokenizer.

    On texts of kept tokens the logits are the same as before, which is checked before anything is written; probabilities
    rise a little, since dropped ids no longer have a share.

    Raises:
        CheckpointError: `run` holds no trained model, or not one of this tokenizer.
    """
    model, info, tokenizer = load_checkpoint(run)
    if len(pruned.new_ids) != tokenizer.vocab_size:
        raise CheckpointError(
            f"{run} has {tokenizer.vocab_size:,} ids and the vocabulary that was pruned {len(pruned.new_ids):,}; "
            "prune the tokenizer of the run"
        )
    kept = torch.from_numpy(np.flatnonzero(pruned.new_ids >= 0))
    smaller = replace(
        info,
        digest=pruned.tokenizer.digest,
        vocab_size=pruned.tokenizer.vocab_size,
        pad_id=int(pruned.new_ids[info.pad_id]),
    )
    weights = _kept_rows(model, info, kept)
    small_model = build_model(smaller).eval()
    set_weights(small_model, weights, source=str(run))
    _check_logits(model, small_model, info, kept)
    save_checkpoint(Path(output), weights, smaller, pruned.tokenizer)
    return smaller


def _kept_rows(model: nn.Module, info: CheckpointInfo, kept: Tensor) -> Mapping[str, Tensor]:
    """The weights with only the kept ids along every dimension whose length is the vocabulary's."""
    with torch.device("meta"):  # shapes without memory
        shapes = [
            {name: tuple(value.shape) for name, value in build_model(replace(info, vocab_size=size)).named_parameters()}
            for size in (info.vocab_size, info.vocab_size + 1)
        ]
    weights = weights_of(model)
    for name, (before, after) in {name: (shape, shapes[1][name]) for name, shape in shapes[0].items()}.items():
        for dimension, (size, larger) in enumerate(zip(before, after, strict=True)):
            if size != larger:
                weights[name] = weights[name].index_select(dimension, kept)
    return {name: value.contiguous() for name, value in weights.items()}


@torch.inference_mode()
def _check_logits(before: Any, after: Any, info: CheckpointInfo, kept: Tensor) -> None:
    """Raises `CheckpointError` unless both models give equal logits for the kept ids, on a probe of them."""
    length = min(_PROBE, info.settings.model.max_len, len(kept))
    new = torch.randperm(len(kept), generator=torch.Generator().manual_seed(0))[None, :length]
    sides = 2 if info.task == FAMILIES["transformer"].task else 1
    old_logits, new_logits = before(*[kept[new]] * sides), after(*[new] * sides)
    if info.task != "classification":  # whose logits are of labels
        old_logits = old_logits[..., kept]
    if not torch.allclose(old_logits, new_logits, rtol=_TOLERANCE, atol=_TOLERANCE):
        largest = float((old_logits - new_logits).abs().max())
        raise CheckpointError(
            f"the pruned model's logits differ from the model's by up to {largest:.2g}; nothing was written: report this, "
            "and go on with the whole vocabulary"
        )
