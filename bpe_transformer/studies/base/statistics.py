"""The statistics of the studies: rank correlation, fitted exponents, means and errors."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def kendall_tau(first: Sequence[float] | Array, second: Sequence[float] | Array) -> float:
    """Kendall's τ-b of two rankings of the same things, -1 to 1 (Kendall 1945); NaN where one has only ties.

    τ = (concordant − discordant) / √((pairs − ties in first) · (pairs − ties in second))

    >>> round(kendall_tau([1, 2, 3, 4], [1, 2, 4, 3]), 4), round(kendall_tau([1, 1, 2], [1, 2, 3]), 4)
    (0.6667, 0.8165)
    """
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    rows, columns = np.triu_indices(len(x), 1)
    by_x, by_y = np.sign(x[rows] - x[columns]), np.sign(y[rows] - y[columns])
    untied = float(np.count_nonzero(by_x)) * float(np.count_nonzero(by_y))
    return float((by_x * by_y).sum() / math.sqrt(untied)) if untied else math.nan


def fitted_exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The slope of log cost over log size by least squares: b of cost ≈ a · size^b.

    >>> round(fitted_exponent([1, 2, 4], [3, 12, 48]), 6)
    2.0
    """
    slope, _ = np.polyfit(np.log(np.asarray(sizes, np.float64)), np.log(np.asarray(costs, np.float64)), 1)
    return float(slope)


def factor_per_step(distances: Sequence[float], values: Sequence[float]) -> float:
    """By what a positive value changes with every step of distance: r of value ≈ a · r^distance, by least squares.

    >>> round(factor_per_step([0, 1, 2], [8, 4, 2]), 6)
    0.5
    """
    slope, _ = np.polyfit(np.asarray(distances, np.float64), np.log(np.asarray(values, np.float64)), 1)
    return math.exp(float(slope))


def mean_of(values: Sequence[float]) -> float:
    """The mean of the values that are numbers; NaN where none is."""
    numbers = [value for value in values if not math.isnan(value)]
    return statistics.fmean(numbers) if numbers else math.nan


def standard_error(values: Sequence[float]) -> float | None:
    """Of the mean over seeds, s / √n; None for a single one."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def number_or_none(value: float | None) -> float | None:
    """A value for JSON, which has no NaN and no infinity."""
    return value if value is not None and math.isfinite(value) else None


def crossing(sizes: Sequence[float], ahead: Sequence[bool]) -> Any:
    """The first size from which on `ahead` holds at every size; None: it does not hold at the last.

    >>> crossing([1, 2, 3], [False, True, True]), crossing([1, 2], [True, False])
    (2, None)
    """
    found = None
    for size, holds in zip(sizes, ahead, strict=True):
        found = (size if found is None else found) if holds else None
    return found
