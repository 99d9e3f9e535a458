"""The loggers of a run, chosen by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bpe_transformer.errors import ConfigError
from bpe_transformer.training.loggers.json_lines import METRICS, JsonLinesLogger
from bpe_transformer.training.loggers.metric_logger import MetricLogger
from bpe_transformer.training.loggers.tensorboard import TensorBoardLogger
from bpe_transformer.training.loggers.trackio import TrackioLogger

LOGGERS = ("tensorboard", "trackio")  # beside JSON lines, which are always written


class LoggerGroup:
    """Several loggers as one."""

    def __init__(self, loggers: Sequence[MetricLogger]) -> None:
        self.loggers = tuple(loggers)

    def log(self, metrics: Mapping[str, Any], step: int) -> None:
        for logger in self.loggers:
            logger.log(metrics, step)

    def close(self) -> None:
        for logger in self.loggers:
            logger.close()


def open_loggers(
    directory: Path, names: Sequence[str] = (), *, config: Mapping[str, Any] | None = None, after_step: int = 0
) -> LoggerGroup:
    """JSON lines in `directory`, and the loggers in `names`.

    config: the settings of the run, for loggers that keep them. after_step: the step that a resumed run goes on from.

    Raises:
        ConfigError: an unknown name, or a logger whose package is not installed.
    """
    check_loggers(names)
    loggers: list[MetricLogger] = []
    if "tensorboard" in names:
        loggers.append(TensorBoardLogger(directory / "tensorboard", after_step=after_step))
    if "trackio" in names:
        loggers.append(TrackioLogger(directory, config=config))
    # last, so that a package that is missing leaves the figures of an earlier run as they are
    return LoggerGroup([JsonLinesLogger(directory / METRICS, after_step=after_step), *loggers])


def check_loggers(names: Sequence[str]) -> None:
    """Raises `ConfigError` for a name that is not in `LOGGERS`."""
    unknown = [name for name in names if name not in LOGGERS]
    if unknown:
        raise ConfigError(f"the logger {unknown[0]!r} is unknown; choose one of {', '.join(LOGGERS)}")
