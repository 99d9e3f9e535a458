"""`MetricLogger`, the protocol of all loggers, and the choice of them by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from bpe_transformer.errors import ConfigError
from bpe_transformer.training.loggers.json_lines import METRICS, JsonLinesLogger

LOGGERS = ("tensorboard", "trackio")  # beside JSON lines, which are always written


class MetricLogger(Protocol):
    """Receives the figures of a run.

    Figures are numbers under names in snake case; texts, such as samples of translations, may stand beside them.
    A logger takes what it can show and leaves the rest.
    """

    def log(self, metrics: Mapping[str, Any], step: int) -> None:
        """Takes the figures known after `step` (from 1)."""

    def close(self) -> None:
        """Writes out what is buffered. Called once, also when the run ends by an error."""


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
    unknown = [name for name in names if name not in LOGGERS]
    if unknown:
        raise ConfigError(f"log={unknown[0]!r} is unknown; choose one of {', '.join(LOGGERS)}")
    loggers: list[MetricLogger] = []
    if "tensorboard" in names:
        from bpe_transformer.training.loggers.tensorboard import TensorBoardLogger

        loggers.append(TensorBoardLogger(directory / "tensorboard", after_step=after_step))
    if "trackio" in names:
        from bpe_transformer.training.loggers.trackio import TrackioLogger

        loggers.append(TrackioLogger(directory, config=config))
    # last, so that a package that is missing leaves the figures of an earlier run as they are
    return LoggerGroup([JsonLinesLogger(directory / METRICS, after_step=after_step), *loggers])


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The figures among `metrics` that are numbers."""
    kept = (int, float)
    return {name: value for name, value in metrics.items() if isinstance(value, kept) and not isinstance(value, bool)}


def missing_package(name: str) -> ConfigError:
    """The error for a logger whose package is not installed."""
    return ConfigError(
        f"log={name!r} needs the package {name}, which is not installed; "
        f'install it with pip install "bpe-transformer[log]", or leave {name} out (metrics.jsonl is always written)'
    )
