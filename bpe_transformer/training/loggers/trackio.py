"""Figures for trackio: a local database that `trackio show` draws as a dashboard."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bpe_transformer.training.loggers.metric_logger import missing_package, numbers

PROJECT = "bpe-transformer"


class TrackioLogger:
    """Writes every number to the project `PROJECT`, under the name of the run's folder.

    Where the database lies, and whether it is also sent to a Space, trackio takes from its own environment variables.
    Raises `ConfigError` when the package trackio is not installed.
    """

    def __init__(self, directory: str | os.PathLike[str], *, config: Mapping[str, Any] | None = None) -> None:
        try:
            import trackio
        except ImportError:
            raise missing_package("trackio") from None
        name = Path(directory).resolve().name
        with contextlib.redirect_stdout(sys.stderr):  # standard output is for data
            self._run: Any = trackio.init(
                project=PROJECT, name=name, config=dict(config or {}), resume="allow", embed=False
            )

    def log(self, metrics: Mapping[str, Any], step: int) -> None:
        if kept := numbers(metrics):
            self._run.log(kept, step=step)

    def close(self) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            self._run.finish()
