"""The study `cost`: exponents beside the table of the paper, time and memory at every size, and time over the length."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import RenderableType

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.render.elements import Column, Columns, number
from bpe_transformer.inspection.render.plots import Line, Plot
from bpe_transformer.inspection.render.plots.line import MARKS
from bpe_transformer.io.printable import times
from bpe_transformer.studies.cost import FITTED, LAYERS, CostStudy, Exponents, Measurement
from bpe_transformer.studies.render.base.result import laid_out


def plot_of(found: CostStudy) -> Plot:
    """log₁₀ of the seconds of forward and backward, by length."""
    lines = []
    for place, layer in enumerate(LAYERS):
        points = [(float(one.length), math.log10(one.seconds)) for one in found.of(layer.name, "length")]
        lines.append(Line(layer.name, points, points, letter=MARKS[place], color=place))
    return Plot(lines, "length", "log10 of CPU seconds", log_x=True)


@draws
def _(found: CostStudy) -> RenderableType:
    by_n = found.exponents[: len(LAYERS)]
    by_d = found.exponents[len(LAYERS) :]
    longest = found.settings.lengths[-1]
    exponents = Columns(
        [
            Column("layer", "left", [layer.name for layer in LAYERS]),
            Column("paper", "mark", [layer.complexity for layer in LAYERS]),
            Column("time by n", "right", [_times(one) for one in by_n]),
            Column("memory", "right", [f"{one.memory:.2f}" for one in by_n]),
            Column("time by d", "right", [_times(one) for one in by_d]),
            Column("memory", "right", [f"{one.memory:.2f}" for one in by_d]),
            Column("steps", "right", [number(layer.steps(longest)) for layer in LAYERS]),
            Column("path", "right", [number(layer.longest_path(longest)) for layer in LAYERS]),
        ]
    )
    tables = [exponents, *(_sizes(found, size) for size in ("length", "width"))]
    settings = found.settings
    note = (
        f"exponents of forward / backward, by length n at d = {settings.width}, fitted through "
        f"{_fitted(settings.lengths, 'lengths')}, and by width d at n = {settings.length}, through "
        f"{_fitted(settings.widths, 'widths')}; steps, path: sequential operations and longest path at n = {longest:,} by the "
        f"paper's table; CPU time of forward and backward of {times(settings.batch, 'row')}, and the memory held at most"
    )
    return laid_out(found, tables, plot_of(found), found.answer(), note)


def _fitted(sizes: Sequence[int], noun: str) -> str:
    """Through which of the sizes exponents are fitted."""
    if len(sizes) > FITTED:
        return f"the {FITTED} largest {noun}"
    return f"both {noun}" if len(sizes) == 2 else f"all {len(sizes)} {noun}"


def _times(found: Exponents) -> str:
    return f"{found.forward:.2f} / {found.backward:.2f}"


def _sizes(found: CostStudy, size: str) -> Columns:
    first = found.of(LAYERS[0].name, size)
    return Columns(
        [
            Column(size, "right", [number(getattr(one, size)) for one in first]),
            *(Column(layer.name, "right", [_measured(one) for one in found.of(layer.name, size)]) for layer in LAYERS),
        ]
    )


def _measured(found: Measurement) -> str:
    return f"{1000 * found.seconds:,.2f} ms {found.memory / 1e6:7,.1f} MB"
