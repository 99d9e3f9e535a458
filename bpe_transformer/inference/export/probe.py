"""The batch by which an export is judged, what the model here makes of it, and the judgement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bpe_transformer.data.batches import pad
from bpe_transformer.data.special_ids import SpecialIds
from bpe_transformer.errors import ConversionError
from bpe_transformer.inference.search.decoding_session import LanguageModelSession, TranslationSession
from bpe_transformer.inference.search.greedy import greedy_search
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.checkpoint import CheckpointInfo

TOLERANCE = 1e-4  # of the largest number compared, in float32
_LENGTHS = (9, 4, 7, 2, 9)  # ids a row, so that there is padding
_PROMPT = 4  # ids a prompt; prompts are of one length, since others would pad them at the left
_NEW = 12  # ids written at most


@dataclass(frozen=True)
class Exported:
    """What was written: the class or engine, the largest difference on the probe, and what differs on purpose."""

    kind: str
    difference: float
    num_rows: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Probe:
    """Rows of ids, and what the model makes of them.

    Attributes:
        rows: the ids of every row, eos last.
        targets: for a translator, what is scored after bos.
        logits: (rows, T, V), or (rows, labels) of a classifier.
        written: the greedy output of every row, without eos; empty for models that write nothing.
        limit: ids written at most.
    """

    rows: list[list[int]]
    targets: list[list[int]]
    logits: Tensor
    written: list[list[int]]
    limit: int


def probe_rows(tokenizer: Tokenizer, info: CheckpointInfo, special: SpecialIds, seed: int = 0) -> list[list[int]]:
    """Rows of ordinary ids with eos at their end, drawn with a fixed seed, of several lengths."""
    known = {*tokenizer.special_tokens.values(), special.pad, special.bos, special.eos}
    ordinary = [id for id in range(tokenizer.vocab_size) if id not in known and tokenizer.model.tokens[id]]
    draw = np.random.Generator(np.random.PCG64(seed))
    longest = info.settings.model.max_len
    return [[*draw.choice(ordinary, min(n, longest) - 1).tolist(), special.eos] for n in _LENGTHS]


@torch.inference_mode()
def make_probe(model: Any, info: CheckpointInfo, tokenizer: Tokenizer) -> Probe:
    """The probe of a model in evaluation mode, on the CPU in float32."""
    special = SpecialIds.of(tokenizer)
    rows = probe_rows(tokenizer, info, special)
    limit = max(1, min(_NEW, info.settings.model.max_len - max(map(len, rows))))
    batch = pad(rows, special.pad)
    if info.task == "translation":
        targets = probe_rows(tokenizer, info, special, seed=1)
        logits = model(batch, pad([[special.bos, *row[:-1]] for row in targets], special.pad))
        session = TranslationSession(model, batch)
        start = torch.full((len(rows),), special.bos)
        limits = torch.full((len(rows),), limit)
        written = [found.ids for found in greedy_search(session, start, eos_id=special.eos, limits=limits)]
        return Probe(rows, targets, logits, written, limit)
    logits = model(batch)
    if info.task != "language-model":
        return Probe(rows, [], logits, [], limit)
    written = _continued(model, prompts_of(rows, special), special, limit)
    return Probe(rows, [], logits, written, limit)


def prompts_of(rows: list[list[int]], special: SpecialIds) -> list[list[int]]:
    """The beginnings of rows as prompts of one length, after eos as documents are."""
    return [[special.eos, *row[:-1]][:_PROMPT] for row in rows if len(row) >= _PROMPT]


def _continued(model: nn.Module, prompts: list[list[int]], special: SpecialIds, limit: int) -> list[list[int]]:
    if not prompts:
        return []
    session = LanguageModelSession(model, prompts)  # type: ignore[arg-type]
    limits = torch.full((len(prompts),), limit)
    return [one.ids for one in greedy_search(session, session.start, eos_id=special.eos, limits=limits)]


def largest_difference(ours: Tensor, theirs: Tensor, what: str, engine: str) -> float:
    """The largest difference of two tensors, relative to the largest number in ours (1 at least).

    Raises `ConversionError` when it is above `TOLERANCE`, or not a number.
    """
    found = float((ours - theirs).abs().max()) / max(1.0, float(ours.abs().max()))
    if not found <= TOLERANCE:
        raise ConversionError(
            f"{engine} gives other {what} for a probe (they differ by {found:.1e} where {TOLERANCE:.0e} is allowed); "
            "nothing was written, please report this"
        )
    return found


def check_equal(ours: list[list[int]], theirs: list[list[int]], engine: str) -> None:
    """`ConversionError` unless both wrote the same ids."""
    for row, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        if mine != other:
            raise ConversionError(
                f"{engine} writes {other} where {mine} is written here (probe row {row}); nothing was written, "
                "please report this"
            )
