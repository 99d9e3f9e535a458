"""The course of a run: how much of it is over, when it ends, and the learning rate on the way."""

from __future__ import annotations

from typing import Any

from bpe_transformer.data import BatchSource
from bpe_transformer.io.printable import times
from bpe_transformer.training.config import Settings
from bpe_transformer.training.schedules import learning_rate
from bpe_transformer.training.state import RunState

_LONGEST_WARMUP = 0.5  # of a run whose steps are not known beforehand


class Course:
    """A pure function of the settings, the number of batches and how far the run is; of the clock only where it ends by it.

    Attributes:
        total_steps: of the run; None where it ends by tokens or by the clock alone.
        by_clock: whether nothing but the clock ends it, so that the learning rate follows the clock.
        warmup: steps, shortened where the run is not longer.
        notes: what a person should know before it begins.
    """

    def __init__(self, settings: Settings, train: BatchSource[Any]) -> None:
        self._settings, self._train = settings, train
        training = settings.training
        totals = [] if training.steps is None else [training.steps]
        if training.epochs is not None:
            totals.append(training.epochs * -(-train.num_batches(0) // training.accumulate))
        self.total_steps = min(totals) if totals else None
        self.by_clock = self.total_steps is None and training.tokens is None
        self.warmup = training.warmup
        self.notes: list[str] = []
        if self.total_steps is not None and self.warmup >= self.total_steps:
            self.warmup = max(1, self.total_steps // 10)
            if training.warmup > 1:
                self.notes.append(
                    f"warmup={training.warmup} is as long as the run of {times(self.total_steps, 'step')} or longer, and was "
                    f"shortened to {self.warmup}, so that the learning rate reaches its peak"
                )

    def share(self, state: RunState, seconds: float) -> float:
        """The share of the run that is over, 0 to 1, by the end that is nearest; minutes count where they alone end it."""
        training = self._settings.training
        shares = [0.0]
        if training.steps is not None:
            shares.append(state.step / training.steps)
        if training.tokens is not None:
            shares.append(state.tokens / training.tokens)
        if training.epochs is not None:
            shares.append((state.epoch + self.epoch_share(state)) / training.epochs)
        if self.by_clock and training.minutes is not None:
            shares.append(seconds / (60 * training.minutes))
        return min(1.0, max(shares))

    def epoch_share(self, state: RunState) -> float:
        """The share of the epoch that is going on, 0 to 1."""
        return state.batch / self._train.num_batches(state.epoch) if state.batch else 0.0

    def over(self, state: RunState, *, out_of_time: bool) -> str | None:
        """The setting that ends the run now; None: it goes on."""
        training = self._settings.training
        if training.steps is not None and state.step >= training.steps:
            return "steps"
        if training.epochs is not None and state.epoch >= training.epochs:
            return "epochs"
        if training.tokens is not None and state.tokens >= training.tokens:
            return "tokens"
        if training.patience is not None and state.since_best >= training.patience:
            return "patience"
        return "minutes" if out_of_time else None

    def validates(self, state: RunState, epoch_is_over: bool, *, late: bool) -> bool:
        """Whether the step is followed by a validation. late: the last one is `eval_minutes` ago.

        Without `eval_steps` the end of an epoch is, unless minutes take its place.
        """
        training = self._settings.training
        if training.eval_steps:
            return late or state.step % training.eval_steps == 0
        return late or (epoch_is_over and not training.eval_minutes)

    def learning_rate(self, state: RunState, seconds: float) -> float:
        """The rate of the next step. Notes in `state` when the warm-up is over."""
        step, share = state.step + 1, self.share(state, seconds)
        ramp = min(1.0, step / max(self.warmup, 1))
        if state.warmup is None and self.total_steps is None and ramp < share / _LONGEST_WARMUP:
            ramp = min(1.0, share / _LONGEST_WARMUP)
            if ramp == 1.0:
                self.notes.append(
                    f"a warm-up of {self.warmup:,} steps would take more than half of the run, which takes about "
                    f"{round(step / share):,} at its pace; it ended after {step:,}, so that the learning rate reaches its peak"
                )
        if state.warmup is None and ramp >= 1.0:
            state.warmup, state.warmup_share = step, share
        progress = 0.0
        if state.warmup is not None:
            ramp, progress = 1.0, (share - state.warmup_share) / max(1.0 - state.warmup_share, 1e-9)
        return learning_rate(
            step,
            ramp=ramp,
            warmup=state.warmup or self.warmup,
            progress=progress,
            model=self._settings.model,
            config=self._settings.training,
        )

    def cut_short(self, state: RunState, lr: float) -> str | None:
        """What to say of a run that its limit of minutes ends; None where minutes are its only end."""
        training = self._settings.training
        if self.by_clock:
            return None
        total = "" if self.total_steps is None else f" of {self.total_steps:,}"
        share = self.share(state, 0.0)
        return (
            f"minutes={training.minutes:g} cut the run short after {state.step:,}{total} steps, {100 * share:.0f} % of its "
            f"schedule, with the learning rate still at {lr:.2g}; go on with resume=True and more minutes=…, "
            "or plan a shorter run with steps=…"
        )
