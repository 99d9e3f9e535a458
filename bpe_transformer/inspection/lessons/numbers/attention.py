"""The lesson `attention`: dot products, scaling, softmax and the weighted mean, on given numbers or the reader's."""

from __future__ import annotations

import torch
from torch import Tensor

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.lessons.lesson import Matrix, Step, Table
from bpe_transformer.inspection.lessons.numbers.given import Given, given_numbers, product, short
from bpe_transformer.inspection.lessons.request import Request, read_matrix
from bpe_transformer.inspection.lessons.writer import Writer
from bpe_transformer.io.printable import times
from bpe_transformer.models.layers import DotAttention, attend, scaled_scores

DRAWS = 10_000
_SEED = 0
_WIDTHS = (4, 64, 512)  # features of a query whose products are drawn
_LONGEST_SUM = 6  # terms that are written out


def attention_lesson(writer: Writer, request: Request) -> tuple[str, tuple[Step, ...]]:
    """Where the numbers come from, and the steps."""
    given = _given(request)
    q, k, v = (part[None, None] for part in given[1:])
    dots = DotAttention(d_query=given.q.size(1), d_memory=given.k.size(1)).scores(given.q[None], given.k[None])[0]
    scores = scaled_scores(given.q, given.k)
    attended, weights = (part[0, 0] for part in attend(q, k, v, None, dropout=0.0))
    plus, minus = torch.tensor([1.0, -1.0]).softmax(0).tolist()
    words = given.words
    first, d_k = words[0], given.q.size(1)
    steps = [_words_step(writer, given)]
    dot = float(dots[0, 0])
    steps.append(
        writer.step(
            "dot",
            Matrix.of("Q Kᵀ", dots, words, words),
            worked=(_worked_dot(first, given, dot),),
            word=first,
            count=len(words),
        )
    )
    if request.given == ():
        steps.append(writer.step("post", dot=dot))
    if len(words) > 1:
        steps.append(_roles_step(writer, given, dots))
    steps.append(_variance_step(writer))
    steps.append(
        writer.step(
            "scale",
            Matrix.of(f"Q Kᵀ / √{d_k}", scores, words, words),
            worked=(f"{dot:.2f} / √{d_k} = {dot:.2f} / {d_k**0.5:.2f} = {float(scores[0, 0]):.2f}",),
            d_k=d_k,
        )
    )
    steps.append(
        writer.step(
            "softmax",
            Matrix.of("softmax(Q Kᵀ / √d_k)", weights, words, words, digits=3),
            worked=(*_worked_softmax(scores[0], weights[0]), f"e^1 / (e^1 + e^−1) = {plus:.3f}"),
            word=first,
            plus=plus,
            minus=minus,
        )
    )
    steps.append(
        writer.step(
            "mean",
            Matrix.of("softmax(Q Kᵀ / √d_k) V", attended, words, digits=3),
            worked=(_worked_mean(weights[0], given.v[:, 0], float(attended[0, 0])),),
            word=first,
            low=float(given.v[:, 0].min()),
            high=float(given.v[:, 0].max()),
            result=float(attended[0, 0]),
        )
    )
    return writer.label("basis_files" if request.q else "basis_given"), tuple(steps)


def _given(request: Request) -> Given:
    """The reader's matrices, or the given ones. Raises `ConfigError` for matrices that do not fit together."""
    if not (request.q or request.k or request.v):
        return given_numbers(request.text)
    if not (request.q and request.k and request.v):
        missing = [f"{name}=…" for name in "qkv" if getattr(request, name) is None]
        raise ConfigError(f"attention needs queries, keys and values; give {' and '.join(missing)} too")
    q, k, v = (read_matrix(path) for path in (request.q, request.k, request.v))
    if not (q.shape == k.shape and len(k) == len(v)):
        shapes = ", ".join(f"{name} {tuple(part.shape)}" for name, part in zip("QKV", (q, k, v), strict=True))
        raise ConfigError(f"{shapes} do not fit: Q and K need one shape (words, d_k), and V as many rows")
    if request.text is None:
        return Given(tuple(str(number + 1) for number in range(len(q))), q, k, v)
    words = tuple(request.text.split())
    if len(words) != len(q):
        raise ConfigError(
            f"the text has {times(len(words), 'word')} and the matrices {times(len(q), 'row')}; make them equal"
        )
    return Given(words, q, k, v)


def _words_step(writer: Writer, given: Given) -> Step:
    figures = [Matrix.of(name, part, given.words) for name, part in zip("QKV", given[1:], strict=True)]
    return writer.step("words", *figures, words=" ".join(given.words), count=len(given.words), d_k=given.q.size(1))


def _roles_step(writer: Writer, given: Given, dots: Tensor) -> Step:
    """What the first and the last word find in each other, and what they would with one vector for both roles."""
    first, last = given.words[0], given.words[-1]
    asked, back = float(dots[0, -1]), float(dots[-1, 0])
    same = float(given.q[0] @ given.q[-1])
    worked = (
        f"{first} → {last}: q·k = {_terms(given.q[0], given.k[-1])} = {asked:.2f}",
        f"{last} → {first}: q·k = {_terms(given.q[-1], given.k[0])} = {back:.2f}",
        f"{first} → {last}: q·q = {_terms(given.q[0], given.q[-1])} = {same:.2f}",
    )
    return writer.step("roles", worked=worked, first=first, last=last, asked=asked, back=back, same=same)


def _variance_step(writer: Writer) -> Step:
    """The variance of dot products of random vectors, before and after the scaling."""
    generator = torch.Generator().manual_seed(_SEED)
    rows, worked = [], []
    for width in _WIDTHS:
        q, k = torch.randn(2, DRAWS, 1, width, generator=generator)
        plain = DotAttention(d_query=width, d_memory=width).scores(q, k).flatten()
        scaled = scaled_scores(q, k).flatten()
        rows.append(
            (str(width), f"{float(plain.var()):.1f}", f"{float(plain.std()):.2f}", f"{float(scaled.var()):.2f}")
        )
    gap = torch.tensor([0.0, 1.0])
    for width in _WIDTHS:
        largest = float((gap * width**0.5).softmax(0)[1])
        worked.append(f"softmax(0, √{width}) = ({1 - largest:.3f}, {largest:.3f})")
    names = ("d_k", *(writer.label(name) for name in ("variance", "deviation", "scaled_variance")))
    table = Table(writer.label("draw", draws=DRAWS), names, tuple(rows))
    return writer.step("variance", table, worked=tuple(worked), draws=DRAWS)


def _worked_dot(word: str, given: Given, dot: float) -> str:
    return f"{word}·{word} = {_terms(given.q[0], given.k[0])} = {dot:.2f}"


def _terms(left: Tensor, right: Tensor) -> str:
    """A dot product written out, the first terms of a long one."""
    a, b = left.tolist(), right.tolist()
    return product(a, b) if len(a) <= _LONGEST_SUM else f"{product(a[:3], b[:3])} + …"


def _worked_softmax(scores: Tensor, weights: Tensor) -> tuple[str, ...]:
    powers = scores.exp()
    names = " + ".join(f"e^{short(score)}" for score in scores.tolist()[:_LONGEST_SUM])
    more = " + …" if len(scores) > _LONGEST_SUM else ""
    return (
        f"{names}{more} = {float(powers.sum()):.3f}",
        f"e^{short(float(scores[0]))} / {float(powers.sum()):.3f} = {float(powers[0]):.3f} / {float(powers.sum()):.3f}"
        f" = {float(weights[0]):.3f}",
    )


def _worked_mean(weights: Tensor, values: Tensor, result: float) -> str:
    pairs = list(zip(weights.tolist(), values.tolist(), strict=True))
    terms = " + ".join(f"{weight:.3f}×{short(value)}" for weight, value in pairs[:_LONGEST_SUM])
    return f"{terms}{' + …' if len(pairs) > _LONGEST_SUM else ''} = {result:.3f}"
