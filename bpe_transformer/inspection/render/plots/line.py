"""The data of a line plot, independent of how it is drawn, and the round values of its axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
MARKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Line:
    """One line of a plot.

    name: for the legend. points: in the order of x. marked: points that carry the letter of the line.
    error: half the height of a bar at each marked point; empty: none. dashed: drawn lighter, as a secondary line.
    """

    name: str
    points: Sequence[Point]
    marked: Sequence[Point] = ()
    error: Sequence[float] = ()
    letter: str = "●"
    color: int = 0  # of the palette; lines of one run share it
    dashed: bool = False


@dataclass(frozen=True)
class Plot:
    """Lines and the labels of their axes. whole_x: x is counted, so its axis has whole numbers only."""

    lines: Sequence[Line]
    x_label: str
    y_label: str
    log_x: bool = False
    whole_x: bool = False

    def x_ticks(self, most: int) -> list[float]:
        """Values to write along x: round ones, or, where x is logarithmic, those of the points."""
        assert self.bounds is not None
        if self.log_x:
            return sorted({x for line in self.lines for x, _ in (*line.points, *line.marked)})
        x0, x1, _, _ = self.bounds
        return [value for value in ticks(x0, x1, most) if not self.whole_x or value.is_integer()]

    def y_ticks(self, most: int) -> list[float]:
        """Round values to write along y, two at least."""
        assert self.bounds is not None
        _, _, y0, y1 = self.bounds
        found = ticks(y0, y1, most)
        return found if len(found) > 1 else ticks(y0, y1, 2 * most + 1)

    @property
    def bounds(self) -> tuple[float, float, float, float] | None:
        """The least and largest x, the least and largest y, all with room between them; None: there is no point."""
        points = [point for line in self.lines for point in (*line.points, *line.marked, *_bars(line))]
        if not points:
            return None
        xs, ys = [x for x, _ in points], [y for _, y in points]
        x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
        if x1 == x0:
            x0, x1 = (x0 / 2, x1 * 2) if self.log_x and x0 > 0 else (x0 - 0.5, x1 + 0.5)
        room = (y1 - y0) * 0.04 or max(abs(y0) * 0.05, 0.05)
        return x0, x1, y0 - room, y1 + room

    def across(self, x: float) -> float:
        """Where `x` lies between the least and the largest, 0 to 1."""
        assert self.bounds is not None
        x0, x1, _, _ = self.bounds
        if self.log_x and x0 > 0:
            return math.log(x / x0) / math.log(x1 / x0)
        return (x - x0) / (x1 - x0)


def _bars(line: Line) -> list[Point]:
    return [
        (x, y + sign * height) for (x, y), height in zip(line.marked, line.error, strict=False) for sign in (1.0, -1.0)
    ]


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round values from `low` to `high`, at most `most`: multiples of 1, 2 or 5 times a power of ten.

    >>> ticks(0, 9.3, 5)
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    if not high > low or most < 1:
        return [low]
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    while (math.floor(high / step) - math.ceil(low / step) + 1) > most:
        step *= 2.5 if round(step / 10.0 ** math.floor(math.log10(step) + 1e-9)) == 2 else 2
    return [
        round(number * step, 12) for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def written(value: float) -> str:
    """A value as a short label of an axis.

    >>> [written(value) for value in (0, 0.05, 2.5, 1500, 32000, 2e6)]
    ['0', '0.05', '2.5', '1.5k', '32k', '2M']
    """
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{sign}"
    return f"{value:.4g}"
