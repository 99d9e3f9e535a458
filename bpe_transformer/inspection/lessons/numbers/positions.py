"""The lesson `positions`: a set without them; sinusoids, learned vectors and rotations."""

from __future__ import annotations

import torch
from torch import Tensor

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.lessons.lesson import Curves, Matrix, Step, Table
from bpe_transformer.inspection.lessons.numbers.given import given_numbers
from bpe_transformer.inspection.lessons.request import Request
from bpe_transformer.inspection.lessons.writer import Writer
from bpe_transformer.models.layers import (
    LearnedPositions,
    MultiHeadAttention,
    RotaryPositions,
    SinusoidalPositions,
    sinusoids,
)

_WIDTH, _LENGTH = 16, 40
_PAIRS = (0, 4, 8)  # features whose curves are drawn: fast to slow
_DISTANCES = (0, 1, 2, 4, 8, 16, 32)
_PICTURED = 24  # positions in the picture
_PLACES = (0, 3, 7)  # from where a distance is measured


def positions_lesson(writer: Writer, request: Request) -> tuple[str, tuple[Step, ...]]:
    """Where the numbers come from, and the steps."""
    words = given_numbers(request.text).words
    if len(words) < 2:
        raise ConfigError("an order takes at least two words; give a longer text")
    steps = (*_order_steps(writer, words), *_sinusoid_steps(writer), _learned_step(writer), _rotary_step(writer))
    return writer.label("basis_given"), steps


def _order_steps(writer: Writer, words: tuple[str, ...]) -> tuple[Step, ...]:
    layer = MultiHeadAttention(d_model=_WIDTH, n_heads=2).eval()
    x = torch.randn(1, len(words), _WIDTH)
    turned = torch.arange(len(words)).flip(0)
    without = float((layer(x)[0][:, turned] - layer(x[:, turned])[0]).abs().max())
    added = SinusoidalPositions(d_model=_WIDTH, max_len=_LENGTH)(torch.arange(len(words)), len(words))
    with_them = float((layer(x + added)[0][:, turned] - layer(x[:, turned] + added)[0]).abs().max())
    order, reverse = " ".join(words), " ".join(reversed(words))
    return (
        writer.step(
            "set",
            Matrix.of(writer.label("outputs"), layer(x)[0][0, :, :4], words),
            difference=without,
            words=order,
            turned=reverse,
        ),
        writer.step("order", difference=with_them, words=order, turned=reverse),
    )


def _sinusoid_steps(writer: Writer) -> tuple[Step, ...]:
    table = sinusoids(_LENGTH, _WIDTH)
    lines = tuple(
        (f"sin, 2i = {feature}", tuple((float(pos), float(table[pos, feature])) for pos in range(_LENGTH)))
        for feature in _PAIRS
    )
    curves = Curves(writer.label("curves"), writer.label("position"), writer.label("value"), lines)
    angle = 1 / 10000 ** (2 / _WIDTH)
    worked = (
        f"PE(1, 0) = sin(1 / 10000^(0/{_WIDTH})) = sin(1) = {float(table[1, 0]):.3f}",
        f"PE(1, 1) = cos(1) = {float(table[1, 1]):.3f}",
        f"PE(1, 2) = sin(1 / 10000^(2/{_WIDTH})) = sin({angle:.3f}) = {float(table[1, 2]):.3f}",
    )
    picture = Matrix.of(writer.label("picture"), table[:_PICTURED], [str(pos) for pos in range(_PICTURED)], shaded=True)
    products = table @ table.T
    rows = tuple(
        (str(distance), *(f"{float(products[place, place + distance]):.2f}" for place in _PLACES))
        for distance in _DISTANCES
    )
    names = (writer.label("distance"), *(writer.label("from_place", place=place) for place in _PLACES))
    return (
        writer.step("curves", curves, worked=worked),
        writer.step("picture", picture, width=_WIDTH),
        writer.step(
            "distance",
            Table(writer.label("products"), names, rows),
            half=_WIDTH // 2,
            zero=float(products[0, 0]),
            near=3 * 5,
            far=13 * 15,
            two=_one_product(products, (3, 5), (13, 15)),
        ),
    )


def _one_product(products: Tensor, *pairs: tuple[int, int]) -> float:
    """The dot product of the vectors of each of these pairs of positions, which is one number."""
    found = [float(products[pair]) for pair in pairs]
    assert max(found) - min(found) < 1e-4, found
    return found[0]


def _learned_step(writer: Writer) -> Step:
    learned = LearnedPositions(d_model=_WIDTH, max_len=_LENGTH)
    try:
        learned(torch.arange(1), _LENGTH + 1)
        refusal = ""
    except ConfigError as problem:
        refusal = str(problem)
    count = sum(parameter.numel() for parameter in learned.parameters())
    return writer.step("learned", max_len=_LENGTH, width=_WIDTH, count=count, beyond=_LENGTH + 1, worked=(refusal,))


def _rotary_step(writer: Writer) -> Step:
    rope = RotaryPositions(head_dim=4, max_len=64)
    q, k = torch.randn(2, 1, 1, 1, 4)
    rows = []
    for distance in (0, 1, 2, 8):
        scores = [_turned(rope, q, place + distance) @ _turned(rope, k, place) for place in (0, 5, 20)]
        rows.append((str(distance), *(f"{float(score):.3f}" for score in scores)))
    names = (writer.label("distance"), *(writer.label("from_place", place=place) for place in (0, 5, 20)))
    return writer.step("rotary", Table(writer.label("turned_products"), names, tuple(rows)))


def _turned(rope: RotaryPositions, x: Tensor, place: int) -> Tensor:
    """A vector (1, 1, 1, D) turned as at `place`: (D,)"""
    turned: Tensor = rope(x, torch.tensor([place]), place + 1)
    return turned.flatten()
