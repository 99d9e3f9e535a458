"""The training loop. It prints nothing: what happens goes to callbacks, results to the run's directory.

A run is a pure function of its settings, its data and its seed. Stopped or killed anywhere and taken up again, it ends
with the very weights and history of a run that was never stopped (on the same machine, with the same number of threads);
at most the steps since the last save are taken once more.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bpe_transformer.errors import CheckpointError
from bpe_transformer.io import lock_output
from bpe_transformer.io.printable import times
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.averaging import WeightAverage, mean_of
from bpe_transformer.training.callbacks import Callback, CallbackGroup, Progress, RunResult, RunStart
from bpe_transformer.training.checkpoint import CheckpointInfo, save_checkpoint
from bpe_transformer.training.engine import Engine, FreedMemory, keep_freed_memory
from bpe_transformer.training.optimizers import build_optimizer
from bpe_transformer.training.state import STATE, RunState, SnapshotKeeper, begin_run, run_identity
from bpe_transformer.training.tasks import Task
from bpe_transformer.training.trainer.course import Course
from bpe_transformer.training.trainer.faults import (
    device_memory_named,
    non_finite_step,
    non_finite_validation,
    nothing_finite,
    unfit_metric,
)
from bpe_transformer.training.trainer.interrupts import Interrupts
from bpe_transformer.training.trainer.means import RunningMeans
from bpe_transformer.training.trainer.saving import RunFile
from bpe_transformer.training.trainer.step import TrainingStep
from bpe_transformer.training.trainer.validation import Validation, mean_bytes, validate


class Trainer:
    """Trains the model of `task.objective` by the settings of `info` and leaves a checkpoint in `directory`.

    Args:
        data: what else tells the data of this run from others: its split, and that of its validation.
        score: of a model, by decoded rows, larger is better; for `patience_metric`.
    """

    def __init__(
        self,
        task: Task,
        engine: Engine,
        info: CheckpointInfo,
        tokenizer: Tokenizer,
        directory: Path,
        *,
        data: Mapping[str, Any] | None = None,
        callbacks: Sequence[Callback] = (),
        score: Callable[[nn.Module], float] | None = None,
    ) -> None:
        self.task, self.engine = task, engine
        self.info, self.tokenizer, self.directory = info, tokenizer, directory
        self.settings = info.settings
        training = self.settings.training
        if unfit := unfit_metric(self.settings, info.task, decodes=score is not None):
            raise unfit
        self.callbacks = CallbackGroup(callbacks if engine.processes.is_first else ())
        self.score = score
        self.state = RunState()
        self.means = RunningMeans()
        self.objective = engine.prepare(task.objective)
        self.model: nn.Module = task.objective.model  # type: ignore[assignment]
        self.named = dict(self.model.named_parameters())
        self.optimizer = build_optimizer(self.named, training)
        self.average = WeightAverage(self.named, training.ema) if training.ema else None
        self.step = TrainingStep(self.objective, engine, self.optimizer, self.named, training)
        self.course = Course(self.settings, task.train)
        facts = {"training data": task.train.facts(), "validation data": task.validation.facts()}
        self.file = RunFile(
            directory / STATE,
            engine,
            self.named,
            self.optimizer,
            self.average,
            run_identity(info, {**(data or {}), **facts}),
        )
        self._batches: Iterator[Any] | None = None
        self._began = self._saved = self._validated = time.monotonic()
        self._lr = self._norm = 0.0
        self._freed = FreedMemory()
        self._snapshots = SnapshotKeeper(directory, training.snapshots)

    def run(self, *, resume: bool) -> RunResult:
        """Trains to the end, to the time limit, or to Ctrl-C, SIGTERM or SIGHUP.

        Raises:
            CheckpointError: `resume`, and there is nothing to resume or it belongs to other settings or data.
            OutputLockedError: another run trains into the directory.
            TrainingError: numbers that are not finite, or the memory of the device ran out.
        """
        with ExitStack() as stack:
            if self.engine.processes.is_first:
                stack.enter_context(lock_output(self.directory, reentrant=True))
            return self._run(resume)

    def _run(self, resume: bool) -> RunResult:
        keep_freed_memory()
        if resume:
            self._restore()
        elif self.engine.processes.is_first:
            begin_run(self.directory, self.settings)
        self._began = time.monotonic() - self.state.seconds
        self._saved = self._validated = time.monotonic()
        self.callbacks.on_start(
            RunStart(
                directory=self.directory,
                settings=self.settings,
                step=self.state.step,
                total_steps=self.course.total_steps,
                parameters=sum(value.numel() for value in self.named.values()),
                processes=self.engine.processes.world_size,
            )
        )
        result = None
        try:
            with device_memory_named(self.settings, self.state):
                with Interrupts() as interrupts:
                    ended_by = self._train(interrupts)
                result = self._finish(ended_by) if ended_by else self._stopped(interrupts.stop)
            return result
        finally:
            self.callbacks.on_end(result)

    def _train(self, interrupts: Interrupts) -> str | None:
        """The setting that ended the run; None: a signal stopped it."""
        training, state = self.settings.training, self.state
        _, _, out_of_time, late = self._agree(interrupts)
        if state.step:
            self._snapshots.go_on(self.course.share(state, self._seconds()))
        self._keep_snapshot()
        while (ended_by := self.course.over(state, out_of_time=out_of_time)) is None:
            self._tell_notes()
            self._lr = self.course.learning_rate(state, self._seconds())
            self._step()
            self._keep_snapshot()  # before the run is saved, so that none is missing where it goes on
            epoch_is_over = state.batch == 0
            validation = self._validate() if self.course.validates(state, epoch_is_over, late=late) else None
            if training.save_steps and state.step % training.save_steps == 0 and validation is None:
                self._save()
            try:
                self.callbacks.on_step(self._progress(validation), self.model)
            except KeyboardInterrupt:
                interrupts.end(signal.SIGINT)
            stop, save, out_of_time, late = self._agree(interrupts)
            if stop:
                return None
            if save:
                interrupts.save = False
                self._save()
        self._keep_snapshot(is_end=True)  # the clock may have run out in a validation, or patience ended the run
        if ended_by == "minutes" and (cut := self.course.cut_short(state, self._lr)):
            self.callbacks.on_note(cut)
        return ended_by

    def _agree(self, interrupts: Interrupts) -> list[bool]:
        """Whether to stop, to save, whether the time is over, and a validation late; the same in every process."""
        training = self.settings.training
        unsaved = time.monotonic() - self._saved
        save = interrupts.save or bool(training.save_minutes and unsaved >= 60 * training.save_minutes)
        over = training.minutes is not None and self._seconds() >= 60 * training.minutes
        unseen = time.monotonic() - self._validated
        late = bool(training.eval_minutes and unseen >= 60 * training.eval_minutes)
        return self.engine.processes.any([interrupts.stop is not None, save, over, late], self.engine.device)

    def _step(self) -> None:
        """One step, and the state moved on by it."""
        training, state, engine = self.settings.training, self.state, self.engine
        started = time.monotonic()
        batches = self._next_batches()
        waited = time.monotonic() - started
        engine.seed(training.seed, state.step)
        figures = self.step.run(batches, self._lr)
        self._norm = figures.norm
        if not figures.is_finite:
            if not training.skip_bad_steps:
                self._keep_finite_state()
                raise non_finite_step(self.settings, state, figures, self._lr, self.file.path)
            state.skipped += 1
            if state.skipped == 1:
                self.callbacks.on_note(f"step {state.step + 1} was not finite and left out; further ones are counted")
        self._freed.after_step()
        state.step += 1
        state.batch += len(batches)
        if state.batch == self.task.train.num_batches(state.epoch):
            state.epoch, state.batch, self._batches = state.epoch + 1, 0, None
        if figures.is_finite:
            state.tokens += figures.count
            if self.average is not None:
                self.average.update(self.named, state.step)
            self.means.add(figures.loss, figures.count, time.monotonic() - started, waited)

    def _next_batches(self) -> list[Any]:
        """The batches of the next step; the last one of an epoch may have fewer."""
        source, state, processes = self.task.train, self.state, self.engine.processes
        if self._batches is None:
            self._batches = iter(
                source.batches(state.epoch, state.batch, rank=processes.rank, world_size=processes.world_size)
            )
        left = source.num_batches(state.epoch) - state.batch
        return [next(self._batches) for _ in range(min(self.settings.training.accumulate, left))]

    def _seconds(self) -> float:
        seconds = time.monotonic() - self._began
        # the learning rate has to be one in all processes
        return float(self.engine.processes.share(seconds)) if self.course.by_clock else seconds

    def _tell_notes(self) -> None:
        while self.course.notes:
            self.callbacks.on_note(self.course.notes.pop(0))

    def _progress(self, validation: Validation | None, weights: str | None = None) -> Progress:
        """How the run stands. weights: what the validation was of, if not the weights of the step."""
        state, seconds = self.state, self._seconds()
        return Progress(
            step=state.step,
            epoch=state.epoch + (state.batch > 0),
            epochs=self.settings.training.epochs,
            share=self.course.share(state, seconds),
            loss=self.means.loss,
            lr=self._lr,
            ids_per_second=self.means.rate,
            seconds=seconds,
            validation_loss=None if validation is None else validation.loss,
            validation_accuracy=None if validation is None else validation.accuracy,
            score=None if validation is None else validation.score,
            tokens=state.tokens,
            validation_bits_per_byte=None if validation is None else validation.bits_per_byte,
            weights=weights,
            gradient_norm=self._norm,
            data_share=self.means.waiting,
            skipped=state.skipped,
        )

    def _keep_snapshot(self, *, is_end: bool = False) -> None:
        """Keeps the weights, or their average if there is one, where a moment for it has come.

        is_end: the run is over, whatever its share, and its end is such a moment.
        """
        if not self.settings.training.snapshots:
            return
        share = 1.0 if is_end else self.course.share(self.state, self._seconds())
        if self._snapshots.is_due(share):
            with self.file.averaged_weights():
                weights = self.file.whole_weights()
            first = self.engine.processes.is_first
            self._snapshots.keep(self.state.step, share, weights if first else None)

    def evaluate(self) -> Validation:
        """The figures of the weights on the validation set."""
        source = self.task.validation
        return validate(self.objective, source, self.engine, self.model, self.score, self._bytes_per_token)

    @cached_property
    def _bytes_per_token(self) -> float | None:
        """Of what a language model is validated on; None where that has no bytes, and for other models."""
        is_language_model = self.info.task == "language-model"
        return mean_bytes(self.task.validation, self.tokenizer) if is_language_model else None

    def _validate(self) -> Validation:
        """Scores the weights, or their average if there is one, and keeps them; what is best becomes the checkpoint."""
        state = self.state
        with self.file.averaged_weights():
            found = self.evaluate()
            weights = self.file.whole_weights()
        if not found.is_finite and not self.settings.training.skip_bad_steps:
            self._keep_finite_state()
            raise non_finite_validation(self.settings, state, found, self.file.path)
        self._validated = time.monotonic()
        state.history.append(
            {"step": state.step, "epoch": state.epoch, "train_loss": self.means.loss} | found.to_dict()
        )
        state.since_best += 1
        better = self._keep_best(found, weights, f"step {state.step}")
        if (last := self.settings.training.average_last) > 1:
            self.file.snapshots[state.step] = weights
            state.snapshots = [*state.snapshots, state.step][-last:]
            self.file.snapshots = {step: self.file.snapshots[step] for step in state.snapshots}
        self._save()
        if better:
            self._export()
        return found

    def _keep_best(self, found: Validation, weights: Mapping[str, torch.Tensor], chosen: str) -> bool:
        """Keeps weights that are the best so far; whether they are."""
        state, figure = self.state, found.figure(self.settings.training.patience_metric)
        if figure is None or (state.best_figure is not None and figure <= state.best_figure):
            return False
        state.best_figure, state.since_best = figure, 0
        state.best = {
            "steps": state.step,
            "epochs": state.epoch,
            "seconds": round(self._seconds(), 1),
            **found.to_dict(),
            "weights": chosen,
        }
        self.file.best = dict(weights)
        return True

    def _stopped(self, number: int | None) -> RunResult:
        self._save()
        return self._result(finished=False, ended_by="signal", number=number)

    def _finish(self, ended_by: str) -> RunResult:
        """Validates the end of the run and the average of the last snapshots; the better one stays."""
        state = self.state
        if not state.history or state.history[-1]["step"] != state.step:
            self.callbacks.on_final_validation(self._progress(self._validate()), self.model)
        if len(state.snapshots) > 1 and not state.finished:
            mean, name = mean_of([self.file.snapshots[step] for step in state.snapshots]), "average of the last"
            with self.file.weights(mean):
                found = self.evaluate()
                self.callbacks.on_final_validation(self._progress(found, f"{name} {len(state.snapshots)}"), self.model)
            self._keep_best(found, mean, f"{name} {len(state.snapshots)}")
        if not state.best:
            raise nothing_finite(self.settings, state)
        if state.skipped:
            self.callbacks.on_note(f"{state.skipped:,} of {times(state.step, 'step')} were not finite and left out")
        if not state.finished:
            state.finished = True
            self._save()
        self._export()
        return self._result(finished=True, ended_by=ended_by)

    def _result(self, *, finished: bool, ended_by: str, number: int | None = None) -> RunResult:
        state = self.state
        return RunResult(
            directory=self.directory,
            finished=finished,
            steps=state.step,
            epochs=state.epoch,
            seconds=time.monotonic() - self._began,
            validation_loss=state.best.get("validation_loss"),
            validation_bits_per_byte=state.best.get("validation_bits_per_byte"),
            chosen=str(state.best.get("weights", "no step yet")),
            history=tuple(state.history),
            signal=None if finished else number or signal.SIGINT,
            ended_by=ended_by,
            epoch_share=self.course.epoch_share(state),
        )

    def _export(self) -> None:
        """Makes the best weights so far the model in the directory, for whoever loads it from there."""
        if self.engine.processes.is_first and self.file.best:
            save_checkpoint(self.directory, self.file.best, replace(self.info, result=self.state.best), self.tokenizer)

    def _save(self) -> None:
        self.state.seconds, self.state.means = time.monotonic() - self._began, self.means.values()
        self.file.save(self.state, self.settings)
        self._saved = time.monotonic()
        self.callbacks.on_save(self.state.step)

    def _keep_finite_state(self) -> None:
        """Saves the run as it is before what went wrong, unless that is not finite either: then the last save stays."""
        if all(bool(value.isfinite().all()) for value in self.file.whole_weights().values()):
            self._save()

    def _restore(self) -> None:
        if not self.file.path.exists():
            raise CheckpointError(
                f"{self.file.path} is missing, so there is nothing to resume; start the run without resume=True"
            )
        found = self.file.load(self.settings, self.task.train)
        if found is None:  # it was ended before it had saved anything
            return
        self.state = found
        self.means = RunningMeans(*found.means)
        over = self.course.over(found, out_of_time=False)
        if over is None or over == "patience":
            found.finished = found.finished and over == "patience"
        self._export()  # the run may have been killed before it could
