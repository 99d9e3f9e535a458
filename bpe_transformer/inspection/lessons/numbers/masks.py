"""The lesson `masks`: padding, no peeking ahead, both together, and two equal ways of hiding a word."""

from __future__ import annotations

import torch

from bpe_transformer.inspection.lessons.lesson import Matrix, Step
from bpe_transformer.inspection.lessons.numbers.given import given_numbers
from bpe_transformer.inspection.lessons.request import Request
from bpe_transformer.inspection.lessons.writer import Writer
from bpe_transformer.models.layers import attend, causal_mask, padding_mask, scaled_scores

_PAD = "<pad>"
_KEPT = 2  # words of the shorter sentence


def masks_lesson(writer: Writer, request: Request) -> tuple[str, tuple[Step, ...]]:
    """Where the numbers come from, and the steps."""
    given = given_numbers(request.text)
    words, length = given.words, len(given.words)
    kept = min(_KEPT, length)
    short = (*words[:kept], *[_PAD] * (length - kept))
    ids = torch.tensor([range(1, length + 1), [*range(1, kept + 1), *[0] * (length - kept)]])
    padding, causal = padding_mask(ids, 0), causal_mask(length)
    both = padding & causal
    scores = scaled_scores(given.q, given.k)
    visible = both[1]
    hidden = scores.masked_fill(~visible, -torch.inf)
    q, k, v = (part[None, None] for part in given[1:])
    _, masked = attend(q, k, v, visible[None, None], dropout=0.0)
    _, full = attend(q, k, v, None, dropout=0.0)
    before, after = masked[0, 0], full[0, 0] * visible
    renormalised = after / after.sum(dim=1, keepdim=True)
    difference = float((before - renormalised).abs().max())
    steps = (
        writer.step(
            "padding",
            Matrix.of(
                f"{writer.label('padding_mask')} {tuple(padding.shape)}",
                padding[:, 0].float(),
                [" ".join(words), " ".join(short)],
                digits=0,
            ),
            shape=tuple(padding.shape),
        ),
        writer.step(
            "peek",
            Matrix.of(f"{writer.label('peek_mask')} {tuple(causal.shape)}", causal[0].float(), words, words, digits=0),
            shape=tuple(causal.shape),
        ),
        writer.step(
            "both",
            Matrix.of(f"{writer.label('both_masks')} {tuple(both.shape)}", visible.float(), short, short, digits=0),
            shape=tuple(both.shape),
        ),
        writer.step(
            "infinity",
            Matrix.of("Q Kᵀ / √d_k", hidden, short, short),
            Matrix.of("softmax", before, short, short, digits=3),
            leak=float((scores.masked_fill(~visible, 0.0).softmax(dim=1) * ~visible)[0].sum()),
        ),
        writer.step(
            "zeroing",
            Matrix.of(writer.label("zeroed"), after, short, short, digits=3),
            Matrix.of(writer.label("renormalised"), renormalised, short, short, digits=3),
            worked=(_worked_row(after[1].tolist(), renormalised[1].tolist()),) if length > 1 else (),
            row_sum=float(after[0].sum()),
            difference=difference,
        ),
    )
    return writer.label("basis_given"), steps


def _worked_row(zeroed: list[float], renormalised: list[float]) -> str:
    kept = [value for value in zeroed if value]
    total = " + ".join(f"{value:.3f}" for value in kept)
    return f"{kept[0]:.3f} / ({total}) = {renormalised[0]:.3f}"
