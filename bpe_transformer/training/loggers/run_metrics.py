"""The callback that hands the figures of a run to its loggers."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from bpe_transformer.training.callbacks import Callback, Progress, RunResult, RunStart
from bpe_transformer.training.loggers.logger_group import LoggerGroup, check_loggers, open_loggers

EVERY = 10  # steps


class RunMetrics(Callback):
    """Logs every tenth step, and every step that ended with a validation.

    The figures: train_loss and validation_loss (nats per token), lr, gradient_norm, ids_per_second, tokens, epoch, share of the
    run, seconds, data_wait (share of the time spent waiting for batches), memory_bytes (resident, on a GPU what its
    tensors take at most), and what a validation adds: of a language model validation_bits_per_byte. At the end of a run the
    average of its last weights is validated too; that line has the last step again, and says so in `weights`.

    Args:
        names: of loggers beside JSON lines.
        more: called after a validation for figures or texts of its own, such as sample translations.
    """

    def __init__(self, names: Sequence[str] = (), *, more: Callable[[], Mapping[str, Any]] | None = None) -> None:
        check_loggers(names)
        self._names = tuple(names)
        self._more = more or dict
        self._loggers: LoggerGroup | None = None

    def on_start(self, start: RunStart) -> None:
        settings = start.settings.to_dict()
        flat = {"family": settings["family"], **settings["model"], **settings["training"]}
        self._loggers = open_loggers(start.directory, self._names, config=flat, after_step=start.step)

    def on_step(self, now: Progress, model: nn.Module) -> None:
        if self._loggers is None or (now.validation_loss is None and now.step % EVERY and now.step != 1):
            return
        figures = now.metrics()
        figures["train_loss"] = figures.pop("loss")
        figures["data_wait"] = figures.pop("data_share")
        figures["memory_bytes"] = memory_bytes()
        if now.validation_loss is not None:
            figures |= self._more()
        self._loggers.log(figures, now.step)

    def on_final_validation(self, now: Progress, model: nn.Module) -> None:
        self.on_step(now, model)

    def on_end(self, result: RunResult | None) -> None:
        if self._loggers is not None:
            self._loggers.close()
            self._loggers = None


def memory_bytes() -> int | None:
    """Memory that this process holds: of a GPU in use the most that tensors took, else what is resident; None: not known."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return int(torch.cuda.max_memory_allocated())
    if sys.platform.startswith("linux"):
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        return pages * mmap.PAGESIZE
    return None
