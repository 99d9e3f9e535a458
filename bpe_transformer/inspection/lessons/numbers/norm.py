"""The lesson `norm`: the residual sum, layer norm, and where the norm stands."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.lessons.lesson import Matrix, Step, Table
from bpe_transformer.inspection.lessons.numbers.given import short
from bpe_transformer.inspection.lessons.request import Request
from bpe_transformer.inspection.lessons.writer import Writer
from bpe_transformer.models.layers import FeedForward, LayerNorm, MultiHeadAttention, TransformerLayer

_NUMBERS = (1.0, 2.0, 3.0, 6.0)
_GAIN, _BIAS = 2.0, 3.0
_WIDTH, _LENGTH, _LAYERS = 64, 8, 6


def norm_lesson(writer: Writer, request: Request) -> tuple[str, tuple[Step, ...]]:
    """Where the numbers come from, and the steps."""
    x = torch.tensor(_numbers(request.text))
    mean, variance = float(x.mean()), float(x.var(unbiased=False))
    norm = LayerNorm(len(x), eps=0.0)
    normed = norm(x)
    nn.init.constant_(norm.weight, _GAIN)
    nn.init.constant_(norm.bias, _BIAS)
    y = norm(x)
    values = [short(value) for value in x.tolist()]
    squares = " + ".join(f"({value}−{short(mean)})²" for value in values)
    steps = (
        writer.step("residual", Table(writer.label("ways"), *_gradients(writer))),
        writer.step(
            "normed",
            Matrix.of("x", x, ("x",)),
            Matrix.of("(x − mean) / √variance", normed, ("x̂",), digits=3),
            worked=(
                f"mean = ({' + '.join(values)}) / {len(x)} = {short(mean)}",
                f"variance = ({squares}) / {len(x)} = {short(variance)}",
                f"x̂₁ = ({values[0]} − {short(mean)}) / √{short(variance)} = {float(normed[0]):.3f}",
            ),
            mean=abs(float(normed.mean())),
            variance=float(normed.var(unbiased=False)),
        ),
        writer.step(
            "gain",
            Matrix.of("y = 2·x̂ + 3", y, ("y",), digits=3),
            worked=(
                f"mean(y) = 2·0 + 3 = {float(y.mean()):.2f}",
                f"variance(y) = 2²·1 = {float(y.var(unbiased=False)):.2f}",
            ),
        ),
        _places_step(writer),
    )
    return writer.label("basis_given"), steps


def _numbers(text: str | None) -> list[float]:
    """The given numbers, or those in `text`. Raises `ConfigError` for something else, and for equal numbers."""
    if text is None:
        return list(_NUMBERS)
    try:
        found = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        raise ConfigError(f"text={text!r} holds something that is no number; give numbers, such as '1 2 3 6'") from None
    if len(set(found)) < 2 or not torch.tensor(found).isfinite().all():
        raise ConfigError(
            f"text={text!r} needs at least two different finite numbers, since equal ones have no variance"
        )
    return found


@torch.enable_grad()
def _gradients(writer: Writer) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """How much of a change of the input arrives behind layers that each pass a tenth of it on, without and with x."""
    rows = []
    for layers in (1, 6, 12):
        plain, summed = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
        a, b = plain, summed
        for _ in range(layers):
            a, b = 0.1 * a, b + 0.1 * b
        (through,), (beside,) = torch.autograd.grad(a, plain), torch.autograd.grad(b, summed)
        rows.append((str(layers), f"{float(through):.0e}", f"{float(beside):.2f}"))
    return (writer.label("layers"), "f(f(…f(x)))", "x + f(x)"), tuple(rows)


def _places_step(writer: Writer) -> Step:
    """The spread of the states behind every layer, with the norm after and before the sublayer."""
    columns = []
    for place in ("post", "pre"):
        torch.manual_seed(0)
        layers = [_layer(place) for _ in range(_LAYERS)]
        x = torch.randn(1, _LENGTH, _WIDTH)
        columns.append(_spreads(layers, x))
    rows = tuple(
        (str(layer), f"{post:.2f}", f"{pre:.2f}") for layer, (post, pre) in enumerate(zip(*columns, strict=True))
    )
    table = Table(writer.label("spread"), (writer.label("layers"), "norm(x + f(x))", "x + f(norm(x))"), rows)
    return writer.step("places", table, last=columns[1][-1])


def _layer(place: str) -> TransformerLayer:
    return TransformerLayer(
        attention=MultiHeadAttention(d_model=_WIDTH, n_heads=4),
        feed_forward=FeedForward(d_model=_WIDTH, d_ff=4 * _WIDTH),
        norm=partial(LayerNorm, _WIDTH),
        norm_place=place,
    ).eval()


def _spreads(layers: list[TransformerLayer], x: Tensor) -> list[float]:
    found = [float(x.std(dim=-1, unbiased=False).mean())]
    for layer in layers:
        x = layer(x)[0]
        found.append(float(x.std(dim=-1, unbiased=False).mean()))
    return found
