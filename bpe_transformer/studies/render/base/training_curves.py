"""Training curves: a table of the variants, and all curves in one plot."""

from __future__ import annotations

from rich.console import RenderableType

from bpe_transformer.inspection.render.elements import Column, Columns, number
from bpe_transformer.inspection.render.plots import Line, Plot
from bpe_transformer.inspection.render.plots.line import MARKS
from bpe_transformer.studies.base.training_curves import CurvesResult
from bpe_transformer.studies.render.base.result import laid_out, plus_minus


def curves_plot(found: CurvesResult) -> Plot:
    """The losses of all variants over the steps."""
    lines = []
    for place, curve in enumerate(found.curves):
        points = [(float(step), loss) for step, loss in zip(curve.steps, curve.losses, strict=True)]
        lines.append(Line(curve.name, points, points[1::3], letter=MARKS[place], color=place))
    return Plot(lines, "step", "validation loss (nats per token)")


def curves_drawn(found: CurvesResult) -> RenderableType:
    """The table, the plot and the answer."""
    curves = found.curves
    at = (curves[0].steps[len(curves[0].steps) // 4], curves[0].steps[len(curves[0].steps) // 2])
    losses = [dict(zip(curve.steps, curve.losses, strict=True)) for curve in curves]
    columns = [
        Column("", "mark", [MARKS[place] for place in range(len(curves))]),
        Column("variant", "left", [curve.name for curve in curves]),
        *(Column(f"step {step}", "right", [f"{values[step]:.3f}" for values in losses], 2) for step in at),
        Column("end", "right", [plus_minus(curve.last, curve.error, 3) for curve in curves]),
        Column("half at", "right", [number(curve.reached(found.halfway)) for curve in curves]),
        Column("weight", "right", ["{:.2f} → {:.2f}".format(*curve.largest_weight) for curve in curves], 1),
    ]
    if any(curve.skipped for curve in curves):
        columns.append(Column("skipped", "right", [number(curve.skipped) for curve in curves]))
    note = (
        f"losses in nats a token; {found.unigram:.3f} when only the frequency of ids is known, and half at: the first step "
        "looked at with half of that; weight: the largest of a row of attention over the source, first and at the end"
    )
    return laid_out(found, [Columns(columns)], curves_plot(found), f"{found.answer()}.", note)
