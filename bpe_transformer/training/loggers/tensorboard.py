"""Figures for TensorBoard: an event file that `tensorboard --logdir runs` shows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from bpe_transformer.training.loggers.metric_logger import missing_package, numbers


class TensorBoardLogger:
    """Writes every number as a scalar and every text as a text.

    after_step: the step that the run goes on from; TensorBoard hides what an earlier sitting wrote of later ones.
    Raises `ConfigError` when the package tensorboard is not installed.
    """

    def __init__(self, directory: str | os.PathLike[str], *, after_step: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise missing_package("tensorboard") from None
        self._writer: Any = SummaryWriter(str(directory), purge_step=after_step + 1 if after_step else None)

    def log(self, metrics: Mapping[str, Any], step: int) -> None:
        for name, value in numbers(metrics).items():
            self._writer.add_scalar(name, value, step)
        for name, value in metrics.items():
            if isinstance(value, (list, tuple)) and value:
                self._writer.add_text(name, "\n\n".join(map(str, value)), step)

    def close(self) -> None:
        self._writer.close()
