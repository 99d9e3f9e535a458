"""The figures of training runs over steps, epochs or time, for one or several runs.

    rich.print(run_curves(["runs/a", "runs/b"], axis="minutes"))

Losses are in nats per token, so they compare runs of one tokenizer only; `validation_bits_per_byte`, which language models log,
compares any runs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from bpe_transformer.errors import ConfigError, refuse_one_string
from bpe_transformer.inspection.base.view import View

Axis = Literal["steps", "epochs", "minutes"]
AXES: tuple[Axis, ...] = get_args(Axis)
Point = tuple[float, float]
MOST_POINTS = 400  # of a line that is drawn; more are averaged
LOSS = "loss"  # the metric that stands for the two losses
_NOT_METRICS = ("step", "epoch", "seconds")


@dataclass(frozen=True, slots=True)
class RunCurve(View):
    """The figures of one run.

    name: of its folder. train, validation: points (x, value) in the order of x, as many as were logged; for a metric
    that is not the loss `validation` is empty. best: the least validation loss and its x; best_bits_per_byte: the least of
    those, which a language model logs. seconds: of the whole run so far.
    ids_per_second, data_wait: means over the logged steps, data_wait as a share of the time (0 to 1); None: not logged.
    peak_memory: bytes; None: not logged.
    """

    name: str
    steps: int
    seconds: float | None
    train: tuple[Point, ...]
    validation: tuple[Point, ...]
    best: Point | None
    best_bits_per_byte: float | None
    ids_per_second: float | None
    data_wait: float | None
    peak_memory: int | None

    def as_dict(self) -> dict[str, Any]:
        data = {name: getattr(self, name) for name in self.__slots__}
        return data | {"train": [list(point) for point in self.train], "validation": [list(p) for p in self.validation]}


@dataclass(frozen=True, slots=True)
class RunCurves(View):
    """Several runs over one axis."""

    metric: str
    axis: Axis
    runs: tuple[RunCurve, ...]

    def as_dict(self) -> dict[str, Any]:
        return {"metric": self.metric, "axis": self.axis, "runs": [run.as_dict() for run in self.runs]}


def run_curves(runs: Sequence[str | os.PathLike[str]], *, metric: str = LOSS, axis: Axis = "steps") -> RunCurves:
    """Reads the figures of the runs in these folders.

    metric: "loss" for the training and the validation loss, or the name of any figure that the runs log.

    Raises:
        CheckpointError: a folder holds no figures, or damaged ones.
        ConfigError: no run logs the metric, or an unknown axis.
    """
    refuse_one_string(runs=runs)
    from bpe_transformer.training.loggers import read_metrics

    if axis not in AXES:
        raise ConfigError(f"axis={axis!r} is unknown; choose {', '.join(AXES)}")
    read = [(_name(run, runs), read_metrics(run)) for run in runs]
    known = sorted({name for _, lines in read for line in lines for name, value in line.items() if _is_number(value)})
    if metric != LOSS and metric not in known:
        names = ", ".join(name for name in known if name not in _NOT_METRICS)
        raise ConfigError(f"metric={metric!r} is logged by none of the runs; they log {names or 'no numbers'}")
    return RunCurves(metric, axis, tuple(_curve(name, lines, metric, axis) for name, lines in read))


def averaged(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most `most` points for drawing: the means of runs of equally many points.

    >>> averaged([(1, 4.0), (2, 2.0), (3, 1.0), (4, 0.0)], 2)
    [(1.5, 3.0), (3.5, 0.5)]
    """
    if len(points) <= most:
        return list(points)
    means = []
    for number in range(most):
        chunk = points[number * len(points) // most : (number + 1) * len(points) // most]
        means.append((sum(x for x, _ in chunk) / len(chunk), sum(y for _, y in chunk) / len(chunk)))
    return means


def _name(run: str | os.PathLike[str], runs: Sequence[str | os.PathLike[str]]) -> str:
    """The folder's name, or the path as it was given where two runs have the same name."""
    names = [Path(other).resolve().name for other in runs]
    name = Path(run).resolve().name
    return name if names.count(name) == 1 else str(run)


def _curve(name: str, lines: Sequence[dict[str, Any]], metric: str, axis: Axis) -> RunCurve:
    shown = "train_loss" if metric == LOSS else metric
    validation = _points(lines, "validation_loss", axis)
    seconds = [line["seconds"] for line in lines if _is_number(line.get("seconds"))]
    memory = [line["memory_bytes"] for line in lines if _is_number(line.get("memory_bytes"))]
    return RunCurve(
        name=name,
        steps=max(line["step"] for line in lines),
        seconds=max(seconds, default=None),
        train=_points(lines, shown, axis),
        validation=validation if metric == LOSS else (),
        best=min(validation, key=lambda point: point[1], default=None),
        best_bits_per_byte=min((y for _, y in _points(lines, "validation_bits_per_byte", axis)), default=None),
        ids_per_second=_mean(lines, "ids_per_second"),
        data_wait=_mean(lines, "data_wait"),
        peak_memory=max(map(int, memory), default=None),
    )


def _points(lines: Sequence[dict[str, Any]], metric: str, axis: Axis) -> tuple[Point, ...]:
    place = {"steps": "step", "epochs": "epoch", "minutes": "seconds"}[axis]
    unit = 60.0 if axis == "minutes" else 1.0
    found = [
        (float(line[place]) / unit, float(line[metric]))
        for line in lines
        if _is_number(line.get(metric)) and _is_number(line.get(place))
    ]
    return tuple(sorted(found, key=lambda point: point[0]))


def _mean(lines: Sequence[dict[str, Any]], metric: str) -> float | None:
    values = [float(line[metric]) for line in lines if _is_number(line.get(metric))]
    return sum(values) / len(values) if values else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
