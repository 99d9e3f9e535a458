"""The course of a run: its end, its batches, when it validates and when it saves."""

from __future__ import annotations

from dataclasses import dataclass

from bpe_transformer.models.checked import Checked, option

ENDS = ("epochs", "steps", "tokens", "minutes")  # settings that end a run; whichever comes first


@dataclass(frozen=True)
class LoopConfig(Checked):
    """A run ends by epochs, steps, tokens or minutes, whichever comes first, or when it no longer gets better.

    Beside one of the others, minutes are a limit: they do not move the learning rate, and cutting a run short is told.
    Alone, they are its end: the learning rate follows the clock, and the result depends on the machine.
    """

    epochs: int | None = option(20, unit="passes over the corpus", meaning="end after these", low=1)
    steps: int | None = option(None, unit="optimizer steps", meaning="end after these", low=1)
    tokens: int | None = option(None, unit="predicted ids", meaning="end after training on these", low=1)
    minutes: float | None = option(None, unit="minutes", meaning="end after this time at the latest", low=0)
    patience: int | None = option(
        None, unit="validations", meaning="end after as many without a better one; none: do not", low=1
    )
    patience_metric: str = option(
        "loss",
        unit="kind",
        meaning="what is better: the loss, or a score of decoded validation rows",
        choices=("loss", "bleu", "exact-match", "accuracy"),
    )
    eval_rows: int = option(
        100, unit="rows", meaning="validation rows decoded for that score, drawn by the seed", low=1
    )
    max_tokens: int = option(4096, unit="ids", meaning="size of a batch, padding included, of the longer side", low=1)
    accumulate: int = option(1, unit="batches a step", meaning="add up their gradients: one batch as large", low=1)
    eval_steps: int = option(0, unit="steps", meaning="validate this often; 0: once an epoch", low=0)
    eval_minutes: float = option(
        0.0, unit="minutes", meaning="validate when so long nothing was; 0: by steps or epochs only", low=0
    )
    eval_tokens: int = option(200_000, unit="ids", meaning="validate on so many at most, drawn by the seed", low=1)
    average_last: int = option(3, unit="validations", meaning="average the weights of the last ones; 1: do not", low=1)
    save_steps: int = option(0, unit="steps", meaning="save the run this often; 0: with every validation only", low=0)
    save_minutes: float = option(10.0, unit="minutes", meaning="and when so long nothing was saved; 0: never", low=0)
    snapshots: int = option(
        0, unit="moments", meaning="keep the weights of so many, to look at attention over training; 0: none", low=0
    )
    seed: int = option(1, unit="number", meaning="of weights, order, masks and dropout", low=0, below=1 << 63)

    def contradictions(self) -> list[str]:
        found = super().contradictions()
        if all(getattr(self, name) is None for name in ENDS):
            found.append("epochs=None, and nothing else ends the run; give epochs, steps, tokens or minutes")
        if self.minutes is not None and self.minutes == 0:
            found.append("minutes=0 leaves no time to train; ask for more, or leave it out")
        return found

    def ends(self) -> dict[str, int | float | None]:
        """What ends the run."""
        return {name: getattr(self, name) for name in ENDS}
