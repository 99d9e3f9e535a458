"""`MetricLogger`, the protocol of all loggers, and what several of them share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bpe_transformer.errors import ConfigError


class MetricLogger(Protocol):
    """Receives the figures of a run.

    Figures are numbers under names in snake case; texts, such as samples of translations, may stand beside them.
    A logger takes what it can show and leaves the rest.
    """

    def log(self, metrics: Mapping[str, Any], step: int) -> None:
        """Takes the figures known after `step` (from 1)."""

    def close(self) -> None:
        """Writes out what is buffered. Called once, also when the run ends by an error."""


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The figures among `metrics` that are numbers."""
    kept = (int, float)
    return {name: value for name, value in metrics.items() if isinstance(value, kept) and not isinstance(value, bool)}


def missing_package(name: str) -> ConfigError:
    """The error for a logger whose package is not installed."""
    return ConfigError(
        f"logging to {name} needs its package, which is not installed; "
        f'install it with pip install "bpe-transformer[log]", or leave {name} out (metrics.jsonl is always written)'
    )
