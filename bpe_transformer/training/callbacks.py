"""What a training run tells while it goes on: the figures of every step, and callbacks that receive them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from torch import nn

from bpe_transformer.training.config import Settings


@dataclass(frozen=True)
class Progress:
    """How a run stands after a step. Losses in nats per token; `loss` is smoothed and averaged over the last steps."""

    step: int
    epoch: int  # epochs begun, from 1
    epochs: int | None  # None: the run does not end by epochs
    share: float  # of the run that is over, 0 to 1
    loss: float
    lr: float
    ids_per_second: float  # target ids trained on
    seconds: float  # of training in all, earlier sittings included
    validation_loss: float | None  # when this step ended with a validation
    validation_accuracy: float | None = None  # 0 to 1, of a classifier
    score: float | None = None  # of decoded rows, by that validation, 0 to 1
    validation_bits_per_byte: float | None = None  # of a language model
    weights: str | None = None  # that the validation is of, such as "average of the last 3"; None: those of the step
    tokens: int = 0  # target ids trained on in all
    gradient_norm: float = 0.0  # of this step, before it was clipped
    data_share: float = 0.0  # of the time of the last steps that was spent waiting for batches, 0 to 1
    skipped: int = 0  # steps left out in all, because they were not finite

    def metrics(self) -> dict[str, Any]:
        """The figures for a `MetricLogger`, without the step; of a validation only where there was one."""
        figures = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "step"}
        return {name: value for name, value in figures.items() if value is not None}


@dataclass(frozen=True)
class RunStart:
    """What is known when a run begins or goes on."""

    directory: Path
    settings: Settings
    step: int  # that it goes on from; 0: a new run
    total_steps: int | None  # None: it ends by tokens or the clock
    parameters: int
    processes: int


@dataclass(frozen=True)
class RunResult:
    """How a run ended. `finished` is False after Ctrl-C, SIGTERM or SIGHUP: the run can be resumed."""

    directory: Path
    finished: bool
    steps: int
    epochs: int  # that are over
    seconds: float
    validation_loss: float | None
    chosen: str  # which weights were kept, such as "step 1200" or "average of the last 3"
    history: tuple[dict[str, Any], ...]
    signal: int | None = None  # that stopped it
    validation_bits_per_byte: float | None = None  # of a language model
    ended_by: str = "epochs"  # the setting that ended it, "patience" among them, or "signal"
    epoch_share: float = 0.0  # of the epoch after these, 0 to 1


class Callback:
    """Receives what happens in a run; the base ignores it. With several processes, only the first one calls.

    A callback may draw random numbers and run the model: the generators are put back after it.
    """

    def on_start(self, start: RunStart) -> None:
        """Before the first step of this sitting."""

    def on_step(self, now: Progress, model: nn.Module) -> None:
        """After every step, and after the validation that it ended with."""

    def on_final_validation(self, now: Progress, model: nn.Module) -> None:
        """After a validation that follows the last step: of its weights, if it ended with none, or of an average."""

    def on_note(self, message: str) -> None:
        """Something that a person should know, such as a warm-up that was shortened; one line."""

    def on_save(self, step: int) -> None:
        """After the state of the run was saved."""

    def on_end(self, result: RunResult | None) -> None:
        """When the run has ended or was stopped; None: by an error."""


class ProgressFunction(Callback):
    """Calls a function with the progress of every step."""

    def __init__(self, report: Callable[[Progress], None]) -> None:
        self._report = report

    def on_step(self, now: Progress, model: nn.Module) -> None:
        self._report(now)


class CallbackGroup(Callback):
    """Several callbacks as one, called in their order."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self.callbacks = tuple(callbacks)

    def on_start(self, start: RunStart) -> None:
        for callback in self.callbacks:
            callback.on_start(start)

    def on_step(self, now: Progress, model: nn.Module) -> None:
        for callback in self.callbacks:
            callback.on_step(now, model)

    def on_final_validation(self, now: Progress, model: nn.Module) -> None:
        for callback in self.callbacks:
            callback.on_final_validation(now, model)

    def on_note(self, message: str) -> None:
        for callback in self.callbacks:
            callback.on_note(message)

    def on_save(self, step: int) -> None:
        for callback in self.callbacks:
            callback.on_save(step)

    def on_end(self, result: RunResult | None) -> None:
        for callback in self.callbacks:
            callback.on_end(result)
