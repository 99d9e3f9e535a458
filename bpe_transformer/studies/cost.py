"""The study `cost`: time and memory of a recurrent layer and of attention by length and width, beside the paper's table.

Attention is the function that table 1 of Vaswani et al. 2017 counts, softmax(QKᵀ / √d) V with one head and without the
projections around it: written out (`attend`), and in one kernel that never holds all weights (`fused_attend`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from bpe_transformer.models.checked import option
from bpe_transformer.models.layers import RecurrentStack
from bpe_transformer.models.layers.attention import attend, fused_attend
from bpe_transformer.studies.base.measured import cpu_seconds, peak_bytes
from bpe_transformer.studies.base.statistics import crossing, fitted_exponent
from bpe_transformer.studies.base.study import Progress, Result, StudySettings, faults_of_sizes, no_progress
from bpe_transformer.studies.base.training import seeded
from bpe_transformer.training.engine import keep_freed_memory

FITTED = 4  # the largest sizes, through which an exponent is fitted: below them what a call costs anyway shows


@dataclass(frozen=True, kw_only=True)
class Settings(StudySettings):
    """The sizes: lengths at one width, widths at one length."""

    STUDY: ClassVar[str] = "cost"
    LENGTHENED: ClassVar[str] = "repeats"

    lengths: tuple[int, ...] = option((128, 256, 512, 1024, 2048), unit="positions", meaning="lengths to measure")
    widths: tuple[int, ...] = option((32, 64, 128, 256, 512), unit="features", meaning="widths to measure")
    width: int = option(64, unit="features", meaning="width at which lengths are measured", low=1)
    length: int = option(256, unit="positions", meaning="length at which widths are measured", low=1)
    batch: int = option(4, unit="rows", meaning="rows of a batch", low=1)
    repeats: int = option(7, unit="measurements", meaning="of which the fastest counts", low=1)

    def contradictions(self) -> list[str]:
        found = super().contradictions()
        return found + faults_of_sizes("lengths", self.lengths, 1, 2) + faults_of_sizes("widths", self.widths, 1, 2)

    @property
    def work(self) -> float:
        sizes = [(length, self.width) for length in self.lengths] + [(self.length, width) for width in self.widths]
        # attention's n² d and the layer's n d²; what is measured once, for the memory, takes as long as two repeats
        return self.batch * (self.repeats + 4) * sum(n * n * d + 4 * n * d * d for n, d in sizes)


@dataclass(frozen=True, slots=True)
class Layer:
    """A kind of layer and what table 1 of Vaswani et al. 2017 says of it, with n positions and d features.

    sequential, path: whether the sequential operations, and the longest path between two positions, grow with n.
    """

    name: str
    complexity: str
    sequential: bool
    path: bool

    def steps(self, length: int) -> int:
        """Sequential operations at a length, up to a constant factor."""
        return length if self.sequential else 1

    def longest_path(self, length: int) -> int:
        """Steps between two positions at most, up to a constant factor."""
        return length if self.path else 1


LAYERS = (
    Layer("recurrent (LSTM)", "n · d²", sequential=True, path=True),
    Layer("explicit attention", "n² · d", sequential=False, path=False),
    Layer("fused attention", "n² · d", sequential=False, path=False),
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One layer at one size. forward, backward: CPU seconds. memory: bytes at most in both, the inputs left out."""

    layer: str
    length: int
    width: int
    forward: float
    backward: float
    memory: int

    @property
    def seconds(self) -> float:
        """Forward and backward."""
        return self.forward + self.backward


@dataclass(frozen=True, slots=True)
class Exponents:
    """b of cost ≈ a · size^b for one layer, over the largest sizes. size: "length" or "width"."""

    layer: str
    size: str
    forward: float
    backward: float
    memory: float


@dataclass(frozen=True, kw_only=True)
class CostStudy(Result):
    """What the layers cost.

    by_length, by_width: of every layer, in the order of `LAYERS`, at every size.
    """

    settings: Settings
    by_length: tuple[Measurement, ...]
    by_width: tuple[Measurement, ...]

    def of(self, layer: str, size: str) -> list[Measurement]:
        """The measurements of a layer by "length" or by "width"."""
        return [found for found in (self.by_length if size == "length" else self.by_width) if found.layer == layer]

    @property
    def exponents(self) -> tuple[Exponents, ...]:
        """Of every layer by length, then by width."""
        return tuple(
            _exponents(layer.name, size, self.of(layer.name, size)) for size in ("length", "width") for layer in LAYERS
        )

    def dearer_from(self, layer: str) -> int | None:
        """The length from which on a layer takes longer than the recurrent one; None: not at the longest."""
        recurrent = self.of(LAYERS[0].name, "length")
        own = self.of(layer, "length")
        longer = [one.seconds > other.seconds for one, other in zip(own, recurrent, strict=True)]
        found: int | None = crossing([one.length for one in own], longer)
        return found

    def answer(self) -> str:
        """The exponents of forward and backward together, and from which length on attention takes longer."""
        parts = []
        for layer in LAYERS:
            (n, by_n), (d, by_d) = (
                (name, fitted_exponent(*_sizes_and_seconds(self.of(layer.name, size), size)))
                for name, size in (("n", "length"), ("d", "width"))
            )
            parts.append(f"{layer.name} {n}^{by_n:.2f} and {d}^{by_d:.2f}")
        dearer = "; ".join(
            f"{layer.name} takes longer than the recurrent layer {_from(self.dearer_from(layer.name))}"
            for layer in LAYERS[1:]
        )
        return f"Time grows as: {', '.join(parts)}. At width {self.settings.width}, {dearer}."

    def as_dict(self) -> dict[str, Any]:
        longest = self.settings.lengths[-1]
        return {
            **self.facts(),
            "answer": self.answer(),
            "layers": [
                {
                    "name": layer.name,
                    "complexity": layer.complexity,
                    "sequential_steps": layer.steps(longest),
                    "longest_path": layer.longest_path(longest),
                    "dearer_from": self.dearer_from(layer.name),
                }
                for layer in LAYERS
            ],
            "exponents": [asdict(found) for found in self.exponents],
            "by_length": [asdict(found) for found in self.by_length],
            "by_width": [asdict(found) for found in self.by_width],
        }


def run_study(settings: Settings, progress: Progress = no_progress) -> CostStudy:
    """Measures every layer at every size, with as many threads as torch has."""
    sizes = [(length, settings.width) for length in settings.lengths]
    split = len(sizes)
    sizes += [(settings.length, width) for width in settings.widths]
    costs = [length * (length + width) * width for length, width in sizes]
    found: list[Measurement] = []
    keep_freed_memory()  # as in a training run: else large tensors pay for fresh pages, and short rows do not
    with seeded(settings.seed):
        for place, (length, width) in enumerate(sizes):
            for layer in LAYERS:
                progress(sum(costs[:place]) / sum(costs), f"{layer.name}, length {length}, width {width}")
                found.append(_measure(layer.name, length, width, settings))
    progress(1.0, "measured")
    border = split * len(LAYERS)
    return CostStudy(settings=settings, by_length=tuple(found[:border]), by_width=tuple(found[border:]))


def _measure(layer: str, length: int, width: int, settings: Settings) -> Measurement:
    forward, inputs = _layer(layer, length, width, settings.batch)
    output = forward()
    gradient = torch.randn_like(output)

    def backward(of: Tensor) -> None:
        torch.autograd.grad(of, inputs, gradient, retain_graph=True)

    return Measurement(
        layer,
        length,
        width,
        cpu_seconds(forward, settings.repeats),
        cpu_seconds(lambda: backward(output), settings.repeats),
        peak_bytes(lambda: backward(forward())),
    )


def _layer(layer: str, length: int, width: int, batch: int) -> tuple[Callable[[], Tensor], Sequence[Tensor]]:
    """The forward pass of a layer, and what its gradient is taken of."""
    if layer == LAYERS[0].name:
        stack = RecurrentStack("lstm", width, width, 1)
        x = torch.randn(batch, length, width, requires_grad=True)
        return lambda: stack(x)[0], (x, *stack.parameters())
    q, k, v = (torch.randn(batch, 1, length, width, requires_grad=True) for _ in range(3))
    if layer == LAYERS[1].name:
        return lambda: attend(q, k, v, None, dropout=0.0)[0], (q, k, v)
    return lambda: fused_attend(q, k, v, None, causal=False, dropout=0.0), (q, k, v)


def _exponents(layer: str, size: str, found: Sequence[Measurement]) -> Exponents:
    largest = found[-FITTED:]
    sizes = [getattr(one, size) for one in largest]
    return Exponents(
        layer,
        size,
        *(
            fitted_exponent(sizes, [getattr(one, name) for one in largest])
            for name in ("forward", "backward", "memory")
        ),
    )


def _sizes_and_seconds(found: Sequence[Measurement], size: str) -> tuple[list[float], list[float]]:
    """Of the largest sizes."""
    return [getattr(one, size) for one in found[-FITTED:]], [one.seconds for one in found[-FITTED:]]


def _from(length: int | None) -> str:
    return "at no length measured" if length is None else f"at {length:,} positions and more"
