"""How far a training run is, apart from tensors."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node, shown

_FIGURES = ("train_loss", "validation_loss", "validation_accuracy", "validation_bits_per_byte", "score")
_LARGEST = sys.float_info.max


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
        step = counters["step"]
        history = [_validation(entry, step) for entry in data.children("history")]
        if counters["since_best"] > len(history) or counters["skipped"] > step:
            raise FormatError("since_best or skipped counts more than there was")
        warmup = None if data.value.get("warmup") is None else data.number("warmup", high=step)
        share = _number(data, "warmup_share", low=0.0)
        if share > 1:
            raise FormatError(f"warmup_share is {share}, not a share of the run")
        best = data.child("best")
        return cls(
            **counters,
            seconds=_number(data, "seconds", low=0.0),
            best=_best(best, step) if best.value else {},
            best_figure=None if data.value.get("best_figure") is None else _number(data, "best_figure"),
            snapshots=list(data.numbers("snapshots", high=step)),
            history=history,
            means=_means(data),
            warmup=warmup,
            warmup_share=share,
            finished=bool(data.get("finished", bool)),
        )


def _validation(entry: Node, step: int) -> dict[str, Any]:
    """One of the history: the figures of a validation."""
    entry.number("step", high=step)
    entry.number("epoch", high=step)
    if "validation_loss" not in entry.value:
        raise FormatError(f"{entry.place}.validation_loss is missing")
    return _checked_figures(entry, ("step", "epoch"))


def _best(entry: Node, step: int) -> dict[str, Any]:
    """What `config.json` says of the best weights."""
    entry.number("steps", high=step)
    entry.number("epochs", high=step)
    entry.get("weights", str)
    _number(entry, "seconds", low=0.0)
    return _checked_figures(entry, ("steps", "epochs", "weights", "seconds"))


def _checked_figures(entry: Node, others: tuple[str, ...]) -> dict[str, Any]:
    """The entry, all of whose values are finite figures or none, but for `others`, which are checked already."""
    for name, value in entry.value.items():
        if name in others:
            continue
        if name not in _FIGURES:
            raise FormatError(f"{entry.place} holds {shown(name)}, which is no figure of a validation")
        if value is not None:
            _number(entry, name)
    return dict(entry.value)


def _means(data: Node) -> list[float]:
    found = data.get("means", list)
    if len(found) not in (0, 4):
        raise FormatError(f"means has {len(found)} numbers, not 4")
    means = Node({str(index): value for index, value in enumerate(found)}, "means")
    return [_number(means, name) for name in means.value]


def _number(data: Node, name: str, low: float = -_LARGEST) -> float:
    """A finite number, from `low` on."""
    value = data.value.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= _LARGEST:
        place = f"{data.place}.{name}" if data.place else name
        raise FormatError(f"{place} is {shown(value)}, not a number" + (" from 0 on" if low == 0 else ""))
    return float(value)
