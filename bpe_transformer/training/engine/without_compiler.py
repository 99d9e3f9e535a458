"""Training that is not compiled does not load torch's compiler, which takes a second and a half of processor time."""

from __future__ import annotations

import inspect
from typing import Any

import torch


def leave_compiler_out() -> None:
    """Keeps the methods of `Optimizer` from importing `torch._dynamo`.

    When they are first called, some import it only to exempt themselves from compilation, and keep the exempted function
    as an attribute; where nothing is compiled that is the function itself. A torch that has it otherwise imports its
    compiler as before.
    """
    for method in vars(torch.optim.Optimizer).values():
        inner = getattr(method, "__wrapped__", None)
        if inner is not None and getattr(method, "__globals__", {}).get("__name__") == "torch._compile":
            inner.__dict__.setdefault("__dynamo_disable", inner)


def take_plain_step(optimizer: Any) -> None:
    """Makes `step` the optimizer's own function, without the wrappers that break a compiled graph and call hooks."""
    if "step" in vars(optimizer):
        return
    function = inspect.unwrap(type(optimizer).step)

    def step() -> None:
        with torch.no_grad():
            function(optimizer)

    optimizer.step = step
