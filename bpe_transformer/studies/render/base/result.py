"""How every result of a study is laid out: its tables, its plot, what it says, and the figure that it repeats."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from bpe_transformer.inspection.render.elements import LABEL, STRONG
from bpe_transformer.inspection.render.plots import Plot, TerminalPlot
from bpe_transformer.io.printable import printable
from bpe_transformer.studies.base.study import Result
from bpe_transformer.studies.catalog import STUDIES

_ROWS = 12  # of a plot


def laid_out(found: Result, tables: Sequence[RenderableType], plot: Plot, answer: str, note: str = "") -> Group:
    """The tables, each with a blank line after it, the plot, the answer and, dim, a note and the citation."""
    parts: list[RenderableType] = []
    for table in tables:
        parts += [table, Text()]
    parts += [TerminalPlot(plot, rows=_ROWS), Text()]
    if answer:
        parts.append(Text(printable(answer), STRONG))
    repeated = f"repeats: {STUDIES[found.settings.STUDY].repeats}"
    parts += [Text(printable(line), LABEL) for line in (note, repeated) if line]
    return Group(*parts)


def plus_minus(value: float, error: float | None, digits: int) -> str:
    """A mean and its standard error, if there is one.

    >>> plus_minus(0.5, 0.012, 2), plus_minus(0.5, None, 2)
    ('0.50 ± 0.01', '0.50')
    """
    return f"{value:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")
