"""How far a training run is, apart from tensors."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node, shown

_FIGURES = ("train_loss", "validation_loss", "validation_accuracy", "score")


@dataclass
class RunState:
    """Run state other than tensors; saved with them.

    Attributes:
        step: optimizer steps that are over, those included that were left out.
        epoch, batch: epochs that are over, and batches done in this one.
        tokens: target ids trained on.
        skipped: steps that were left out, because they were not finite.
        seconds: of training, over all sittings.
        best: what `config.json` says of the best weights so far (steps, validation_loss, …); empty: there are none.
        best_figure: by which they are the best; larger is better.
        since_best: validations since then.
        snapshots: steps of the validations whose weights are kept for their average.
        history: the figures of every validation. Nothing in it depends on the machine.
        means: of the trainer's running means, so that they go on as they were.
        warmup: steps of the warm-up, once it is over; warmup_share: of the run that it took.
        finished: whether the run has come to its end.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    tokens: int = 0
    skipped: int = 0
    seconds: float = 0.0
    best: dict[str, Any] = field(default_factory=dict)
    best_figure: float | None = None
    since_best: int = 0
    snapshots: list[int] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    warmup: int | None = None
    warmup_share: float = 0.0
    finished: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_node(cls, data: Node) -> RunState:
        """The state that was saved. Raises `FormatError` that names the place."""
        names = ("step", "epoch", "batch", "tokens", "skipped", "since_best")
        counters = {name: data.number(name, high=1 << 62) for name in names}
        history = [dict(entry.value) for entry in data.children("history")]
        for index, entry in enumerate(history):
            if not _is_validation(entry):
                raise FormatError(f"history[{index}] is {shown(entry)}, not figures of a validation")
        figure, warmup = data.value.get("best_figure"), data.value.get("warmup")
        if warmup is not None and (type(warmup) is not int or warmup < 0):
            raise FormatError(f"warmup is {shown(warmup)}, not a number of steps")
        return cls(
            **counters,
            seconds=_number(data.value.get("seconds"), "seconds"),
            best=dict(data.child("best").value),
            best_figure=None if figure is None else _number(figure, "best_figure"),
            snapshots=list(data.numbers("snapshots")),
            history=history,
            means=[_number(number, "means") for number in list(data.value.get("means", ()))[:4]],
            warmup=warmup,
            warmup_share=_number(data.value.get("warmup_share"), "warmup_share"),
            finished=bool(data.get("finished", bool)),
        )


def _is_validation(entry: dict[str, Any]) -> bool:
    counted = all(type(entry.get(name)) is int for name in ("step", "epoch"))
    figures = [entry[name] for name in _FIGURES if entry.get(name) is not None]
    return counted and "validation_loss" in entry and all(isinstance(figure, (int, float)) for figure in figures)


def _number(value: object, name: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise FormatError(f"{name} is {shown(value)}, not a number")
    return float(value)
