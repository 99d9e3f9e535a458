"""A training run as it stands: the loss so far, its pace, and what the model writes at the moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bpe_transformer.inspection.base.view import View

if TYPE_CHECKING:
    from bpe_transformer.training import Progress

Point = tuple[float, float]
_KEPT = 600  # points of the training loss; beyond, every second one is dropped


@dataclass(frozen=True, slots=True)
class RunSample(View):
    """A text that the model was given, what it wrote, and what would have been right (None: nothing is)."""

    given: str
    written: str
    expected: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"given": self.given, "written": self.written, "expected": self.expected}


@dataclass(frozen=True, slots=True)
class LiveRun(View):
    """A run in the middle of it; `after` gives the one of a step later.

    train, validation: (step, loss), nats per token. average: whose weights the last validation was of where they were not
    those of a step, such as "average of the last 3", and its loss. every: each how many steps a training loss is kept. now: None
    before the first step. memory_bytes: that the process holds; None: not known. samples: of the last validation.
    """

    name: str
    parameters: int = 0
    now: Progress | None = None
    memory_bytes: int | None = None
    train: tuple[Point, ...] = ()
    validation: tuple[Point, ...] = ()
    average: tuple[str, float] | None = None
    samples: tuple[RunSample, ...] = ()
    notes: tuple[str, ...] = ()
    every: int = 1

    def after(
        self, now: Progress, memory_bytes: int | None = None, samples: Sequence[RunSample] | None = None
    ) -> LiveRun:
        """The run after another step."""
        train, every, validation = self.train, self.every, self.validation
        if now.weights is None and (now.step % every == 0 or not train):
            train = (*train, (float(now.step), now.loss))
        if len(train) > _KEPT:
            train, every = train[::2], every * 2
        average = self.average
        if now.validation_loss is not None and now.weights is not None:
            average = now.weights, now.validation_loss
        elif now.validation_loss is not None:
            validation = (*validation, (float(now.step), now.validation_loss))
        shown = self.samples if samples is None else tuple(samples)
        changes = {"train": train, "every": every, "validation": validation, "average": average, "samples": shown}
        return replace(self, now=now, memory_bytes=memory_bytes, **changes)  # type: ignore[arg-type]

    @property
    def seconds_left(self) -> float | None:
        """Until the run ends, if it goes on as before; None: nothing of it is over."""
        if self.now is None or self.now.share <= 0:
            return None
        return self.now.seconds * (1 - self.now.share) / self.now.share

    def as_dict(self) -> dict[str, Any]:
        figures = {} if self.now is None else {"step": self.now.step, **self.now.metrics()}
        return {
            "name": self.name,
            **figures,
            "memory_bytes": self.memory_bytes,
            "seconds_left": self.seconds_left,
            "samples": [sample.as_dict() for sample in self.samples],
        }
