"""Tokenizers side by side: one table, and bits per byte over the vocabulary size with their standard errors."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.render.elements import LABEL, Column, Columns, number
from bpe_transformer.inspection.render.plots import Line, Plot, TerminalPlot
from bpe_transformer.inspection.render.plots.line import MARKS
from bpe_transformer.io.printable import printable
from bpe_transformer.studies.side_by_side import SideBySide, Trial


def plot_of(found: SideBySide) -> Plot:
    """Bits per byte over the vocabulary size, every tokenizer with its letter."""
    order = sorted(range(len(found.trials)), key=lambda place: found.trials[place].vocab_size)
    points = [(float(found.trials[place].vocab_size), found.trials[place].mean) for place in order]
    lines = [Line("", points, color=0)] if len({x for x, _ in points}) > 2 else []
    for place in order:
        trial = found.trials[place]
        point = [(float(trial.vocab_size), trial.mean)]
        errors = [trial.standard_error or 0.0]
        lines.append(Line(trial.name, point, point, errors, letter=MARKS[place % len(MARKS)], color=place))
    return Plot(lines, "vocabulary", "bits per byte", log_x=True)


@draws
def _(found: SideBySide) -> RenderableType:
    parts: list[RenderableType] = [_table(found.trials)]
    if len({trial.vocab_size for trial in found.trials}) > 1:
        parts += [Text(), TerminalPlot(plot_of(found), rows=10)]
    return Group(*parts, Text(), Text(_notes(found), LABEL))


@draws
def _(trial: Trial) -> RenderableType:
    return _table((trial,))


def _table(trials: tuple[Trial, ...]) -> Columns:
    errors = [trial.standard_error for trial in trials]
    return Columns(
        [
            Column("", "mark", [MARKS[place % len(MARKS)] for place in range(len(trials))]),
            Column("tokenizer", "left", [printable(trial.name) for trial in trials]),
            Column("vocabulary", "right", [number(trial.vocab_size) for trial in trials], 1),
            Column("bytes/token", "right", [f"{trial.bytes_per_token:.2f}" for trial in trials]),
            Column("parameters", "right", [number(trial.parameters) for trial in trials], 2),
            Column("steps", "right", [number(trial.steps) for trial in trials], 3),
            Column("passes", "right", [f"{trial.passes:.2f}" for trial in trials], 4),
            Column("bits/byte", "right", [f"{trial.mean:.4f}" for trial in trials]),
            Column("± s.e.", "right", ["–" if error is None else f"{error:.4f}" for error in errors]),
        ]
    )


def _notes(found: SideBySide) -> str:
    seeds = len(found.seeds)
    notes = [
        f"each trained with {found.flops:.3g} floating-point operations on {found.train_bytes:,} bytes, "
        f"validated on {found.validation_bytes:,}; --flops {found.flops:.6g} repeats it"
    ]
    close = [trial.name for trial in found.trials if found.undecided(trial)]
    verdict = f"{found.best.name} has the fewest bits per byte"
    if len(found.trials) > 1 and seeds > 1:
        verdict += (
            f"; {', '.join(close)} within two standard errors of it" if close else ", by more than two standard errors"
        )
    notes.append(f"{verdict} ({seeds} {'seed' if seeds == 1 else 'seeds'})")
    if lossy := [trial.name for trial in found.trials if not trial.lossless]:
        notes.append(f"{', '.join(lossy)} cannot give the text back, so its bits say less than they seem to")
    if max(trial.passes for trial in found.trials) > 4:
        notes.append("the text was read more than four times; more text would tell more")
    return "; ".join(map(printable, notes))
