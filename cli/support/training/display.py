"""What `train` shows while it runs: a live view on a terminal, a line for every validation elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bpe_transformer.cli.support.python_names import with_options
from bpe_transformer.inspection.curves import LiveRun, RunSample
from bpe_transformer.inspection.render import render
from bpe_transformer.training import Callback, Progress, RunResult, RunStart
from bpe_transformer.training.loggers.run_metrics import memory_bytes

if TYPE_CHECKING:
    import datasets
    from rich.console import Console
    from rich.live import Live
    from torch import nn

    from bpe_transformer import Tokenizer
    from bpe_transformer.data import TaskColumns
    from bpe_transformer.training import Settings

_PAUSE = 0.5  # seconds between two pictures
Sampler = Callable[[Any], Sequence[RunSample]]


class TrainingDisplay(Callback):
    """Draws a run on `console` in place, if that is a terminal. `sampler` writes the samples after each validation."""

    def __init__(self, console: Console, name: str, sampler: Sampler | None = None) -> None:
        self._console, self._sampler = console, sampler
        self._run = LiveRun(name)
        self._live: Live | None = None
        self._drawn = 0.0

    def samples(self) -> dict[str, Any]:
        """The texts of the last validation, for a logger."""
        return {"samples": [sample.as_dict() for sample in self._run.samples]} if self._run.samples else {}

    def on_start(self, start: RunStart) -> None:
        self._run = replace(self._run, parameters=start.parameters)
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(render(self._run), console=self._console, auto_refresh=False)
            self._live.start()

    def on_step(self, now: Progress, model: nn.Module) -> None:
        checked = now.validation_loss is not None
        samples = list(self._sampler(model)) if checked and self._sampler is not None else None
        self._run = self._run.after(now, memory_bytes() if self._live else None, samples)
        if checked:
            self._say_validation(validation_figures(now))
            if self._live is None:
                for sample in samples or ():
                    self._console.print(sample)
        if self._live is not None and (checked or time.monotonic() - self._drawn > _PAUSE):
            self._live.update(render(self._run), refresh=True)
            self._drawn = time.monotonic()

    def _say_validation(self, figures: list[str]) -> None:
        """A line; on a terminal broken between figures where it is too long."""
        if not self._console.is_terminal:
            return self._console.print("  ".join(figures), soft_wrap=True)
        from rich.text import Text

        from bpe_transformer.inspection.render.elements import Flow

        return self._console.print(Flow(map(Text, figures), gap="  "))

    def on_final_validation(self, now: Progress, model: nn.Module) -> None:
        self.on_step(now, model)

    def on_note(self, message: str) -> None:
        self._console.print(f"note: {with_options(message)}", soft_wrap=True)

    def on_end(self, result: RunResult | None) -> None:
        if self._live is not None:
            self._live.update(render(self._run), refresh=True)
            self._live.stop()
            self._live = None


def validation_figures(now: Progress) -> list[str]:
    """What is said of a validation: a name and a figure each."""
    figures = [f"validation {now.validation_loss:.3f}"]
    figures += [] if now.validation_accuracy is None else [f"accuracy {100 * now.validation_accuracy:.1f} %"]
    figures += [] if now.score is None else [f"score {100 * now.score:.1f}"]
    figures += [] if now.validation_bits_per_byte is None else [f"{now.validation_bits_per_byte:.3f} bits a byte"]
    if now.weights is not None:
        return [now.weights, *figures]
    run = [f"step {now.step:,}", f"epoch {now.epoch}", f"{now.seconds / 60:.1f} min", f"loss {now.loss:.3f}"]
    return [*run, *figures, f"{now.ids_per_second:,.0f} ids/s"]


def sampler(
    count: int,
    texts: datasets.Dataset,
    columns: TaskColumns,
    tokenizer: Tokenizer,
    labels: tuple[str, ...],
    settings: Settings,
) -> Sampler:
    """What writes samples of the first `count` rows with a text, of those that a run is validated on."""
    from bpe_transformer.inspection.curves import write_samples
    from bpe_transformer.training import CheckpointInfo

    info = CheckpointInfo.of(tokenizer, columns.columns, settings, labels=labels)
    chosen: list[tuple[Any, ...]] = []
    for row in texts.select_columns(list(columns.columns)):
        if len(chosen) == count:
            break
        values = tuple(row[column] for column in columns.columns)
        if values[0] and str(values[0]).strip():
            chosen.append(values)

    def write(model: Any) -> list[RunSample]:
        return write_samples(model, tokenizer, info, chosen)

    return write
