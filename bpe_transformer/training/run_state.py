"""How far a training run is, apart from tensors, and the checks of what a saved run holds before it is gone on with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node, shown

OPTIMIZER_STATES = ("step", "exp_avg", "exp_avg_sq")


@dataclass
class RunState:
    """Run state other than tensors; saved with them."""

    step: int = 0
    epoch: int = 0  # epochs that are over
    batch: int = 0  # batches done in this one
    seconds: float = 0.0
    best_loss: float | None = None
    best_step: int = 0
    snapshots: list[int] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    means: list[float] = field(default_factory=list)  # of the trainer's running means, so that they go on as they were

    @classmethod
    def from_node(cls, data: Node) -> RunState:
        """The state that was saved. Raises `FormatError` that names the place."""
        counters = {name: data.number(name) for name in ("step", "epoch", "batch", "best_step")}
        history = [dict(entry.value) for entry in data.children("history")]
        for index, entry in enumerate(history):
            numbers = (entry.get(name) for name in ("step", "epoch", "seconds", "train_loss", "validation_loss"))
            if not all(isinstance(number, (int, float)) for number in numbers):
                raise FormatError(f"history[{index}] is {shown(entry)}, not figures of a validation")
        best_loss = data.value.get("best_loss")
        return cls(
            **counters,
            seconds=_number(data.value.get("seconds"), "seconds"),
            best_loss=None if best_loss is None else _number(best_loss, "best_loss"),
            snapshots=list(data.numbers("snapshots")),
            history=history,
            means=[_number(number, "means") for number in list(data.value.get("means", ()))[:3]],
        )


def _number(value: object, name: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise FormatError(f"{name} is {shown(value)}, not a number")
    return float(value)


def optimizer_states(tensors: Mapping[str, Tensor], named: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The optimizer's states of each parameter that has some. Raises `FormatError` unless they are of its shape and type."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, parameter in named.items():
        states = {part: tensors[key] for part in OPTIMIZER_STATES if (key := f"optimizer.{part}.{name}") in tensors}
        if not states:
            continue
        if len(states) < len(OPTIMIZER_STATES):
            raise FormatError(f"of the optimizer's states of {name} only {', '.join(states)} is there")
        for part, value in states.items():
            shape = () if part == "step" else tuple(parameter.shape)
            if tuple(value.shape) != shape or not value.is_floating_point():
                raise FormatError(
                    f"optimizer.{part}.{name} is {value.dtype} of shape {tuple(value.shape)}, not {shape}"
                )
        found[name] = states
    return found
