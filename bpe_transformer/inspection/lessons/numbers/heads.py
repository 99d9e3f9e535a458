"""The lesson `heads`: how d_model features are shared among heads, and what two heads can that one cannot."""

from __future__ import annotations

import torch
from torch import Tensor

from bpe_transformer.inspection.lessons.lesson import Matrix, Step, Table
from bpe_transformer.inspection.lessons.numbers.run_settings import transformer_options
from bpe_transformer.inspection.lessons.request import Request
from bpe_transformer.inspection.lessons.writer import Writer
from bpe_transformer.models.layers import MultiHeadAttention, attend

D_MODEL, N_HEADS = 512, 8  # of the base model of Vaswani et al. 2017
_ROWS, _LENGTH = 2, 6
_SENTENCES = (("dog", "bites", "man"), ("man", "bites", "dog"))
_VECTORS = {"dog": (1.0, 0.0), "bites": (0.0, 0.0), "man": (0.0, 1.0)}
_SURE = 100.0  # a product so large that the softmax leaves nothing for the other words


def heads_lesson(writer: Writer, request: Request) -> tuple[str, tuple[Step, ...]]:
    """Where the numbers come from, and the steps."""
    d_model, n_heads = D_MODEL, N_HEADS
    basis = writer.label("basis_given")
    if request.run is not None:
        options = transformer_options(request.run)
        d_model, n_heads, basis = options.d_model, options.n_heads, writer.label("basis_run", run=request.run)
    layer = MultiHeadAttention(d_model=d_model, n_heads=n_heads).eval()
    x = torch.randn(_ROWS, _LENGTH, d_model, generator=torch.Generator().manual_seed(0))
    steps = (
        _shapes_step(writer, layer, x),
        _one_step(writer),
        _two_steps(writer),
        _cost_step(writer, d_model, n_heads),
    )
    return basis, steps


def _shapes_step(writer: Writer, layer: MultiHeadAttention, x: Tensor) -> Step:
    q, k, v = layer.project(x, torch.arange(_LENGTH), _LENGTH)
    attended, weights = attend(q, k, v, None, dropout=0.0)
    joined = layer.join_heads(attended)
    found = (
        ("x", "(B, L, d_model)", x),
        (writer.label("split"), "(B, L, H, d_k)", q.transpose(1, 2)),
        (writer.label("turned"), "(B, H, L, d_k)", q),
        (writer.label("weights"), "(B, H, L, L)", weights),
        (writer.label("attended"), "(B, H, L, d_k)", attended),
        (writer.label("joined"), "(B, L, d_model)", joined),
    )
    table = Table(
        writer.label("shapes"),
        (writer.label("what"), writer.label("letters"), writer.label("sizes")),
        tuple((name, letters, str(tuple(part.shape))) for name, letters, part in found),
    )
    same = bool((layer.join_heads(layer.split_heads(x)) == x).all())
    d_k = layer.head_dim
    worked = (f"d_k = d_model / H = {layer.d_model} / {layer.n_heads} = {d_k}",)
    told = writer.label("yes" if same else "no")
    return writer.step("shapes", table, worked=worked, heads=layer.n_heads, d_model=layer.d_model, d_k=d_k, same=told)


def _one_step(writer: Writer) -> Step:
    """One head of `bites` that sees both neighbours: the same output for both sentences."""
    rows = [_looking(sentence, [(1.0, 0.0, 1.0)])[0] for sentence in _SENTENCES]
    figures = Matrix.of(
        writer.label("one"), torch.stack(rows), [" ".join(words) for words in _SENTENCES], ("dog", "man")
    )
    same = writer.label("yes" if torch.equal(rows[0], rows[1]) else "no")
    return writer.step("one", figures, worked=("½·(1, 0) + ½·(0, 1) = ½·(0, 1) + ½·(1, 0) = (½, ½)",), same=same)


def _two_steps(writer: Writer) -> Step:
    """Two heads of `bites`, one for each neighbour: outputs that differ."""
    rows = [_looking(sentence, [(1.0, 0.0, 0.0), (0.0, 0.0, 1.0)]).flatten() for sentence in _SENTENCES]
    names = [f"{writer.label('head')} {head}: {word}" for head in (1, 2) for word in ("dog", "man")]
    figure = Matrix.of(writer.label("two"), torch.stack(rows), [" ".join(words) for words in _SENTENCES], names)
    return writer.step("two", figure)


def _looking(sentence: tuple[str, ...], wanted: list[tuple[float, ...]]) -> Tensor:
    """What each head of the word in the middle brings (H, 2), when its query asks for the places in `wanted`."""
    keys = torch.eye(3)  # a key tells only where a word stands
    values = torch.tensor([_VECTORS[word] for word in sentence])
    heads = len(wanted)
    q = (torch.tensor(wanted) * _SURE)[None, :, None]  # (1, H, 1, 3)
    attended, _ = attend(q, keys.expand(1, heads, 3, 3), values.expand(1, heads, 3, 2), None, dropout=0.0)
    return attended[0, :, 0]


def _cost_step(writer: Writer, d_model: int, n_heads: int) -> Step:
    counts = [
        sum(parameter.numel() for parameter in MultiHeadAttention(d_model=d_model, n_heads=heads).parameters())
        for heads in (1, n_heads)
    ]
    same = writer.label("yes" if counts[0] == counts[1] else "no")
    worked = (f"4 · ({d_model}² + {d_model}) = {counts[1]:,}",)
    return writer.step("cost", worked=worked, heads=n_heads, count=counts[1], same=same)
