"""What ends a run that cannot go on, said with the facts of the step and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from bpe_transformer.errors import ConfigError, TrainingError
from bpe_transformer.io.printable import times
from bpe_transformer.training.config import Settings
from bpe_transformer.training.state import RunState
from bpe_transformer.training.trainer.step import StepFigures
from bpe_transformer.training.trainer.validation import Validation


def non_finite_step(settings: Settings, state: RunState, figures: StepFigures, lr: float, path: Path) -> TrainingError:
    """The error of a step whose loss or gradient is not finite."""
    return TrainingError(
        f"step {state.step + 1} (epoch {state.epoch + 1}, batch {state.batch + 1}, learning rate {lr:.3g}) is not finite: "
        f"loss {figures.mean:g} over {figures.count:,} ids, gradient norm {figures.norm:g}; {_kept(state, path)}; "
        f"{_remedy(settings)}, or leave such steps out with skip_bad_steps=True"
    )


def non_finite_validation(settings: Settings, state: RunState, found: Validation, path: Path) -> TrainingError:
    """The error of a validation loss that is not finite."""
    return TrainingError(
        f"the validation after step {state.step} (epoch {state.epoch + 1}) is not finite: loss {found.loss:g}; "
        f"{_kept(state, path)}; {_remedy(settings)}"
    )


def nothing_finite(settings: Settings, state: RunState) -> TrainingError:
    """The error of a run that left out its bad steps and came to its end without a validation that is finite."""
    return TrainingError(
        f"the run came to its end without a finite validation, so that there is no model: {state.skipped:,} of "
        f"{times(state.step, 'step')} were not finite and left out; {_remedy(settings)}"
    )


def unfit_metric(settings: Settings, task: str, *, decodes: bool) -> ConfigError | None:
    """The error of a figure for `patience_metric` that this task does not have. decodes: whether there are rows to decode."""
    metric = settings.training.patience_metric
    if metric in ("bleu", "exact-match") and not decodes:
        lacks = "rows to decode, and there are none"
    elif metric == "accuracy" and task != "classification":
        lacks = "labels, and there are none"
    else:
        return None
    return ConfigError(f"patience_metric={metric!r} needs {lacks} for this task; choose patience_metric='loss'")


def _kept(state: RunState, path: Path) -> str:
    best = "" if not state.best else f", and the model there is that of {state.best['weights']}"
    return f"{path} holds the last state whose weights are finite{best}"


def _remedy(settings: Settings) -> str:
    training = settings.training
    clip = "" if training.clip_norm else " and clip_norm=1.0"
    if (training.lr or 0.0) * training.weight_decay >= 1:
        return f"start again with a lower weight_decay than {training.weight_decay:g}, which times lr takes weights away whole"
    return f"start again with a lower lr than {training.lr or 0:g}{clip}" if training.lr else f"raise warmup{clip}"


@contextmanager
def device_memory_named(settings: Settings, state: RunState | None = None) -> Iterator[None]:
    """Turns the error of a GPU whose memory ran out into one that says what to lower. state: of the run, once it has begun."""
    try:
        yield
    except torch.OutOfMemoryError as problem:
        training = settings.training
        said = str(problem).split(". ")[0]
        options = [f"lower max_tokens={training.max_tokens} and raise accumulate={training.accumulate} as much"]
        if not training.activation_checkpointing:
            options.append("add activation_checkpointing=True")
        if training.precision == "float32":
            options.append("choose precision='bfloat16'")
        place = "before the first step" if state is None else f"at step {state.step + 1}"
        raise TrainingError(f"the memory of the device ran out {place} ({said}); {', '.join(options)}") from problem
