"""The training loop. It prints nothing: progress goes to a callback, results to the run's directory.

A run can be stopped at any step by Ctrl-C and taken up again, and then ends with the very weights of a run that was
never stopped (on the same machine, with the same number of threads). Killed, it goes on from the last validation.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from bpe_transformer.data import Batch
from bpe_transformer.errors import CheckpointError
from bpe_transformer.io import Node, atomic_file, damage_named, lock_output
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.callbacks import Callback, CallbackGroup, Progress, RunResult, RunStart
from bpe_transformer.training.checkpoint import (
    RESTART,
    SNAPSHOTS,
    STATE,
    WEIGHTS,
    CheckpointInfo,
    discard_run,
    load_state,
    load_weights,
    save_checkpoint,
    save_state,
    saved_info,
    set_weights,
    weights_of,
)
from bpe_transformer.training.engine import Engine
from bpe_transformer.training.memory import keep_freed_memory
from bpe_transformer.training.old_formats import FORMAT
from bpe_transformer.training.run_state import RunState, optimizer_states
from bpe_transformer.training.schedules import learning_rate
from bpe_transformer.training.tasks import Task


class Trainer:
    """Trains the model of `task.objective` by the settings of `info` and leaves a checkpoint in `directory`."""

    def __init__(
        self,
        task: Task,
        engine: Engine,
        info: CheckpointInfo,
        tokenizer: Tokenizer,
        directory: Path,
        *,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.task, self.engine = task, engine
        self.info, self.tokenizer, self.directory = info, tokenizer, directory
        self.settings = info.settings
        self.callbacks = CallbackGroup(callbacks)
        self.state = RunState()
        self.objective = engine.prepare(task.objective)
        self.model: nn.Module = task.objective.model  # type: ignore[assignment]
        self.named = dict(self.model.named_parameters())
        self.optimizer = _optimizer(self.named, self.settings.training)
        self.means = _RunningMeans()
        self.accuracy: float | None = None  # of the last validation, of a classifier
        self._began = time.monotonic()

    def run(self, *, resume: bool) -> RunResult:
        """Trains to the end, to the time limit, or to Ctrl-C, SIGTERM or SIGHUP.

        Raises:
            CheckpointError: `resume`, and there is nothing to resume or it belongs to other settings.
            OutputLockedError: another run trains into the directory.
        """
        with lock_output(self.directory, reentrant=True):
            return self._run(resume)

    def _run(self, resume: bool) -> RunResult:
        keep_freed_memory()
        self.engine.seed(self.settings.training.seed)
        if resume:
            self._restore()
        else:
            discard_run(self.directory)
        self._began = time.monotonic() - self.state.seconds
        self.callbacks.on_start(
            RunStart(
                directory=self.directory,
                settings=self.settings,
                step=self.state.step,
                total_steps=None,
                parameters=sum(value.numel() for value in self.named.values()),
                processes=1,
            )
        )
        result = None
        try:
            with _deferred_interrupt() as interrupted:
                stopped = self._train(interrupted)
            if stopped:
                self._save_state()
                result = self._result(finished=False, chosen=f"step {self.state.best_step}", number=interrupted())
            else:
                result = self._finish()
            return result
        finally:
            self.callbacks.on_end(result)

    def _train(self, interrupted: Callable[[], int | None]) -> bool:
        """True if it was interrupted."""
        training, state = self.settings.training, self.state
        while state.epoch < (training.epochs or 10**9) and not self._out_of_time():
            total = self.task.train.num_batches(state.epoch)
            for batch in self.task.train.batches(state.epoch, state.batch):
                if self._out_of_time():
                    break
                lr = self._learning_rate(state.batch / total)
                self._step(batch, lr)
                state.step += 1
                state.batch += 1
                if over := state.batch == total:
                    state.epoch, state.batch = state.epoch + 1, 0
                due = over if not training.eval_steps else state.step % training.eval_steps == 0
                validation_loss = self._validate() if due else None
                share = self._share(state.batch / total)
                try:
                    self._report_progress(share, lr, validation_loss, state.epoch + (not over))
                except KeyboardInterrupt:
                    return True
                if interrupted():
                    return True
        return False

    def _step(self, batch: Batch, lr: float) -> None:
        training = self.settings.training
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.objective.train()
        started = time.monotonic()
        with self.engine.autocast():
            loss = self.objective(self.engine.move(batch))
        mean = loss.total / loss.count.clamp(min=1)
        self.optimizer.zero_grad(set_to_none=True)
        self.engine.backward(mean)
        self.engine.step(self.optimizer, self.named.values(), training.clip_norm)
        self.means.add(float(mean.detach()), int(loss.count), time.monotonic() - started)

    def _learning_rate(self, within: float) -> float:
        step, share = self.state.step + 1, self._share(within)
        return learning_rate(step, share, model=self.settings.model, training=self.settings.training)

    def _share(self, within: float) -> float:
        """The share of the run that is over, by epochs or by the clock, whichever is further; `within` this epoch."""
        training = self.settings.training
        by_epochs = (self.state.epoch + within) / (training.epochs or 10**9)
        by_clock = 0.0 if training.minutes is None else self._seconds() / (60 * training.minutes)
        return min(1.0, max(by_epochs, by_clock))

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _out_of_time(self) -> bool:
        minutes = self.settings.training.minutes
        return minutes is not None and self._seconds() >= 60 * minutes

    def _report_progress(self, share: float, lr: float, validation_loss: float | None, epoch: int) -> None:
        self.callbacks.on_step(
            Progress(
                step=self.state.step,
                epoch=epoch,
                epochs=self.settings.training.epochs,
                share=share,
                loss=self.means.loss,
                lr=lr,
                ids_per_second=self.means.rate,
                seconds=self._seconds(),
                validation_loss=validation_loss,
                validation_accuracy=None if validation_loss is None else self.accuracy,
            ),
            self.model,
        )

    def evaluate(self) -> float:
        """Plain loss on the validation set, nats per id (or label); `accuracy` then has the share of right labels."""
        self.objective.eval()
        with torch.inference_mode(), self.engine.autocast():
            losses = [self.objective(self.engine.move(batch)) for batch in self.task.validation.batches(0)]
        count = sum(int(loss.count) for loss in losses)
        right = [int(loss.num_right) for loss in losses if loss.num_right is not None]
        self.accuracy = sum(right) / max(count, 1) if right else None
        return sum(float(loss.total) for loss in losses) / max(count, 1)

    def _validate(self) -> float:
        """Scores the weights, keeps them for the average and, if they are the best so far, as the checkpoint."""
        state = self.state
        loss = self.evaluate()
        state.history.append(
            {
                "step": state.step,
                "epoch": state.epoch,
                "seconds": round(self._seconds(), 1),
                "train_loss": self.means.loss,
            }
            | {"validation_loss": loss}
            | ({} if self.accuracy is None else {"validation_accuracy": self.accuracy})
        )
        weights = weights_of(self.model)
        if state.best_loss is None or loss < state.best_loss:
            state.best_loss, state.best_step = loss, state.step
            self._save_checkpoint(weights, loss, f"step {state.step}")
        outdated = self._snapshot(weights)
        self._save_state()
        for step in outdated:
            self._snapshot_path(step).unlink(missing_ok=True)
        return loss

    def _snapshot(self, weights: dict[str, Tensor]) -> list[int]:
        """Keeps the weights for the average; returns the steps that are no longer needed."""
        kept, state = self.settings.training.average_last, self.state
        if kept < 2:
            return []
        with atomic_file(self._snapshot_path(state.step)) as unfinished:
            unfinished.write_bytes(save(weights))
        state.snapshots.append(state.step)
        outdated, state.snapshots = state.snapshots[:-kept], state.snapshots[-kept:]
        return outdated

    def _finish(self) -> RunResult:
        """Validates the end of the run and the average of the last snapshots; the better one stays."""
        state = self.state
        if not state.history or state.history[-1]["step"] != state.step:
            self._validate()
        chosen = f"step {state.best_step}"
        last = weights_of(self.model)
        if len(state.snapshots) > 1:
            set_weights(self.model, self._average(), source=SNAPSHOTS)
            loss = self.evaluate()
            if state.best_loss is None or loss < state.best_loss:
                chosen = f"average of the last {len(state.snapshots)}"
                self._save_checkpoint(weights_of(self.model), loss, chosen)
                set_weights(self.model, last, source=WEIGHTS)
                return self._result(finished=True, chosen=chosen, validation_loss=loss)
            set_weights(self.model, last, source=WEIGHTS)
        return self._result(finished=True, chosen=chosen)

    def _average(self) -> dict[str, Tensor]:
        expected = {name: tuple(value.shape) for name, value in self.named.items()}
        parts = [load_weights(self._snapshot_path(step), expected) for step in self.state.snapshots]
        return {name: torch.stack([part[name] for part in parts]).mean(dim=0) for name in self.named}

    def _snapshot_path(self, step: int) -> Path:
        return self.directory / SNAPSHOTS / f"step-{step}.safetensors"

    def _result(
        self, *, finished: bool, chosen: str, validation_loss: float | None = None, number: int | None = None
    ) -> RunResult:
        state = self.state
        return RunResult(
            directory=self.directory,
            finished=finished,
            steps=state.step,
            epochs=state.epoch,
            seconds=self._seconds(),
            validation_loss=state.best_loss if validation_loss is None else validation_loss,
            chosen=chosen,
            history=tuple(state.history),
            signal=None if finished else number or signal.SIGINT,
        )

    def _save_checkpoint(self, weights: dict[str, Tensor], loss: float, chosen: str) -> None:
        result = {
            "steps": self.state.step,
            "epochs": self.state.epoch,
            "seconds": round(self._seconds(), 1),
            "validation_loss": loss,
            "weights": chosen,
        } | ({} if self.accuracy is None else {"validation_accuracy": self.accuracy})
        save_checkpoint(self.directory, weights, replace(self.info, result=result), self.tokenizer)

    def _save_state(self) -> None:
        self.state.seconds, self.state.means = self._seconds(), self.means.values()
        tensors = {f"model.{name}": value for name, value in weights_of(self.model).items()}
        for name, parameter in self.named.items():
            for part, value in self.optimizer.state[parameter].items():
                tensors[f"optimizer.{part}.{name}"] = value
        tensors |= {f"random.{device}": state for device, state in self.engine.rng_state().items()}
        facts = {
            "card": self.info.to_dict(),
            "state": asdict(self.state),
            "scaler": self.engine.scaler.state_dict(),
        }
        save_state(self.directory / STATE, tensors, facts)

    def _restore(self) -> None:
        path = self.directory / STATE
        if not path.exists():
            raise CheckpointError(f"{path} is missing, so there is nothing to resume; start the run without --resume")
        tensors, facts = load_state(path)
        if facts["format"] < FORMAT:
            raise CheckpointError(
                f"{path} was written by an earlier version (format {facts['format']}), whose runs cannot be resumed; "
                "its model still loads; start the run again without --resume"
            )
        check_resumable(saved_info(facts, path), self.info)
        model = {name[len("model.") :]: value for name, value in tensors.items() if name.startswith("model.")}
        set_weights(self.model, model, source=str(path))
        random = {name[len("random.") :]: state for name, state in tensors.items() if name.startswith("random.")}
        with damage_named(path, RESTART, CheckpointError, RuntimeError):
            self.state = RunState.from_node(Node(facts).child("state"))
            for name, states in optimizer_states(tensors, self.named).items():
                self.optimizer.state[self.named[name]] = states
            self.engine.set_rng_state(random)
            self.engine.scaler.load_state_dict(facts["scaler"])
        self.means = _RunningMeans(*self.state.means)
        kept = {self._snapshot_path(step) for step in self.state.snapshots}
        for snapshot in (self.directory / SNAPSHOTS).glob("step-*.safetensors"):
            if snapshot not in kept:  # of validations that a killed run had not yet saved
                snapshot.unlink()


def check_resumable(saved: CheckpointInfo, current: CheckpointInfo) -> None:
    """`CheckpointError`, naming every difference, unless only the end of the run or where it runs was changed."""
    before, now = _identity(saved), _identity(current)
    changed = [f"{name} was {before[name]!r}, now {now[name]!r}" for name in now if before.get(name) != now[name]]
    if changed:
        raise CheckpointError(
            f"the run cannot be resumed with other settings: {'; '.join(changed)}; leave them as they were "
            "(epochs, minutes, device and compile may change), or start the run without --resume"
        )


def _identity(info: CheckpointInfo) -> dict[str, Any]:
    settings = info.settings.to_dict()
    free = ("epochs", "minutes", "device", "compile")
    training = {name: value for name, value in settings["training"].items() if name not in free}
    facts = {"family": info.settings.family, "digest": info.digest, "columns": info.columns}
    return {**facts, **settings["model"], **training}


def _optimizer(named: dict[str, Any], training: Any) -> torch.optim.Optimizer:
    """AdamW; decay on matrices only, since gains and biases have no scale to hold down."""
    matrices = [value for value in named.values() if value.dim() > 1]
    vectors = [value for value in named.values() if value.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": training.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    betas = (training.adam_beta1, training.adam_beta2)
    return torch.optim.AdamW(groups, lr=0.0, betas=betas, eps=training.adam_eps, fused=True)


class _RunningMeans:
    """Exponential moving averages of loss and speed: a step counts half after about 14 more."""

    def __init__(self, loss: float = 0.0, ids: float = 0.0, seconds: float = 0.0) -> None:
        self._loss, self._ids, self._seconds = loss, ids, seconds

    def values(self) -> list[float]:
        """What makes the same means again."""
        return [self._loss, self._ids, self._seconds]

    def add(self, loss: float, ids: int, seconds: float) -> None:
        keep = 0.95
        self._loss = keep * self._loss + ids * loss
        self._ids = keep * self._ids + ids
        self._seconds = keep * self._seconds + seconds

    @property
    def loss(self) -> float:
        return self._loss / max(self._ids, 1.0)

    @property
    def rate(self) -> float:
        return self._ids / max(self._seconds, 1e-9)


@contextmanager
def _deferred_interrupt() -> Iterator[Callable[[], int | None]]:
    """Notes Ctrl-C, SIGTERM and SIGHUP instead of ending in the middle of a step; a second one ends as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None  # only the main thread may handle signals; there, KeyboardInterrupt arrives as ever
        return
    seen: list[int] = []
    numbers = [
        number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None
    ]
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}

    def note(number: int, _: object) -> None:
        seen.append(number)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: seen[0] if seen else None
    finally:
        restore()
