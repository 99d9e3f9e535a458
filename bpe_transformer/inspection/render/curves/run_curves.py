"""Training runs: their curves in one plot, marked by a letter for each run, and a table of their figures."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.curves.run_curves import LOSS, RunCurve, RunCurves, averaged
from bpe_transformer.inspection.render.elements import Column, Columns, number, percent
from bpe_transformer.inspection.render.plots import Line, Plot, TerminalPlot
from bpe_transformer.inspection.render.plots.line import MARKS
from bpe_transformer.io.printable import printable

Y_LABELS = {LOSS: "loss (nats per token)"}


def plot_of(curves: RunCurves) -> Plot:
    """The lines of all runs; the training loss dashed where there is a validation loss beside it."""
    lines = []
    for place, run in enumerate(curves.runs):
        letter = MARKS[place % len(MARKS)]
        if run.train:
            name = f"{run.name}, training" if run.validation else run.name
            marked = () if run.validation else run.train[-1:]
            lines.append(
                Line(name, averaged(run.train), marked, letter=letter, color=place, dashed=bool(run.validation))
            )
        if run.validation:
            name = f"{run.name}, validation"
            ends = averaged(run.validation, 12)
            lines.append(Line(name, averaged(run.validation), ends, letter=letter, color=place))
    y_label = Y_LABELS.get(curves.metric, curves.metric.replace("_", " "))
    return Plot(lines, curves.axis, y_label, whole_x=curves.axis == "steps")


@draws
def _(curves: RunCurves) -> RenderableType:
    runs = curves.runs
    return Group(TerminalPlot(plot_of(curves)), Text(), Columns(_columns(runs, curves.axis)))


@draws
def _(run: RunCurve) -> RenderableType:
    return Columns(_columns((run,), "steps"))


def _columns(runs: tuple[RunCurve, ...], axis: str) -> list[Column]:
    unit = axis.removesuffix("s")
    columns = [
        Column("run", "left", [printable(run.name) for run in runs]),
        Column("steps", "right", [number(run.steps) for run in runs]),
        Column("minutes", "right", ["–" if run.seconds is None else f"{run.seconds / 60:.1f}" for run in runs], 2),
        Column("training", "right", [_last(run) for run in runs], 1),
        Column("best validation", "right", ["–" if run.best is None else f"{run.best[1]:.4f}" for run in runs]),
        Column(f"at {unit}", "right", ["–" if run.best is None else f"{run.best[0]:,.5g}" for run in runs], 3),
        Column("bits/byte", "right", [_bits(run.best_bits_per_byte) for run in runs], 2),
        Column("ids/s", "right", [number(_rounded(run.ids_per_second)) for run in runs], 4),
        Column("data wait", "right", ["–" if run.data_wait is None else percent(run.data_wait) for run in runs], 6),
        Column("peak memory", "right", [_memory(run.peak_memory) for run in runs], 5),
    ]
    return [column for column in columns if any(str(cell) != "–" for cell in column.cells)]


def _last(run: RunCurve) -> str:
    return f"{run.train[-1][1]:.4f}" if run.train else "–"


def _bits(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)


def _memory(size: int | None) -> str:
    from rich.filesize import decimal

    return "–" if size is None else decimal(size)
