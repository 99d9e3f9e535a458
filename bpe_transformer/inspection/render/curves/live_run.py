"""A run that is going on: its figures in a line, the loss as a curve, a bar, and what the model writes."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.curves.live_run import LiveRun, RunSample
from bpe_transformer.inspection.curves.run_curves import averaged
from bpe_transformer.inspection.render.elements import LABEL, STRONG, Flow, facts
from bpe_transformer.inspection.render.plots import Line, Plot, TerminalPlot
from bpe_transformer.io.printable import printable

ROWS = 8  # of the curve
_LONGEST = 200  # characters of a sample


@draws
def _(run: LiveRun) -> RenderableType:
    now = run.now
    if now is None:
        return Text(f"{run.name}: the first step is on its way", LABEL)
    figures = [("step", f"{now.step:,}"), ("epoch", f"{now.epoch}" + (f" of {now.epochs}" if now.epochs else ""))]
    figures += [("loss", f"{now.loss:.3f}")]
    if run.validation:
        figures += [("validation", f"{run.validation[-1][1]:.3f}")]
    if run.average is not None:
        weights, loss = run.average
        figures += [(f"validation, {weights}", f"{loss:.3f}")]
    figures += [("lr", f"{now.lr:.2g}"), ("ids/s", f"{now.ids_per_second:,.0f}")]
    if run.memory_bytes is not None:
        figures += [("memory", decimal(run.memory_bytes))]
    left = run.seconds_left
    figures += [("left", "?" if left is None else duration(left))]
    parts: list[RenderableType] = [
        _bar(run),
        Flow([Text.assemble((f"{name} ", LABEL), value) for name, value in figures]),
    ]
    if len(run.train) > 1:
        lines = [Line("training", averaged(run.train), color=0, dashed=bool(run.validation))]
        if run.validation:
            lines.append(Line("validation", run.validation, run.validation[-1:], letter="●", color=1))
        parts.append(TerminalPlot(Plot(lines, "steps", "loss (nats per token)", whole_x=True), ROWS))
    parts += [sample for sample in map(_sample, run.samples)]
    parts += [Text(printable(note), LABEL) for note in run.notes]
    return Group(*parts)


@draws
def _(sample: RunSample) -> RenderableType:
    return _sample(sample)


def _bar(run: LiveRun) -> Table:
    assert run.now is not None
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    share = run.now.share
    grid.add_row(
        Text(printable(run.name), STRONG), ProgressBar(total=1.0, completed=share), Text(f"{100 * share:.0f} %")
    )
    return grid


def _sample(sample: RunSample) -> Table:
    rows = [("given", _cut(sample.given)), ("writes", _cut(sample.written) or "(nothing)")]
    if sample.expected is not None:
        rows.append(("right", _cut(sample.expected)))
    return facts([(name, Text(text, STRONG if name == "writes" else "")) for name, text in rows])


def _cut(text: str) -> str:
    shown = printable(" ".join(text.split()))
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def duration(seconds: float) -> str:
    """
    >>> duration(42), duration(700), duration(9000)
    ('42 s', '12 min', '2 h 30 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
