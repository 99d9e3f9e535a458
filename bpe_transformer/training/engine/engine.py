"""The engine: an objective on a device, in a precision, compiled or not, in one process or many."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bpe_transformer.data.batches.batch import AnyBatch, on_device
from bpe_transformer.errors import ConfigError
from bpe_transformer.training.engine.layers import checkpoint_layers
from bpe_transformer.training.engine.precision import product_dtype
from bpe_transformer.training.engine.processes import Processes
from bpe_transformer.training.engine.sharding import divide, whole
from bpe_transformer.training.engine.without_compiler import leave_compiler_out, take_plain_step


class Engine:
    """One process on one device, or several that train one objective together.

    Args:
        device: "cpu", "cuda" (or "cuda:1"), "mps", or "auto": the first of cuda, mps and cpu that there is. Of several
            processes on GPUs each takes the one of its local rank.
        precision: of matrix products: "float32", "bfloat16", "float16" (whose gradients are scaled), or "auto":
            bfloat16 where it is faster, see `product_dtype`. Weights, optimizer and sums stay in float32.
        shapes_repeat: the batches to come have one shape or few, which "auto" asks for on a CPU.
        compile: run the objective through `torch.compile`.
        shard: divide weights, gradients and optimizer among the processes (FSDP2); else each holds all (DDP).
        activation_checkpointing: compute what layers keep for the backward pass a second time instead.
        processes: default: those that torchrun has started.

    Raises:
        ConfigError: there is no such device.
    """

    def __init__(
        self,
        *,
        device: str = "auto",
        precision: str = "float32",
        compile: bool = False,
        shard: bool = False,
        activation_checkpointing: bool = False,
        shapes_repeat: bool = True,
        processes: Processes | None = None,
    ) -> None:
        self.processes = processes or Processes.from_environment()
        self.device = find_device(device)
        if self.device.type == "cuda" and self.processes.are_several and self.device.index is None:
            self.device = torch.device("cuda", self.processes.local_rank)
            torch.cuda.set_device(self.device)
        self.dtype = product_dtype(precision, self.device, shapes_repeat=shapes_repeat)
        self.compile, self.activation_checkpointing = compile, activation_checkpointing
        self.shard = shard and self.processes.are_several
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
        self.processes.connect(self.device.type)
        if not compile:
            leave_compiler_out()

    def seed(self, seed: int, *counters: int) -> None:
        """Seeds every generator (torch's on all devices, Python's and NumPy's) by a seed and, say, a step.

        What is drawn in a step then depends on nothing that was drawn before it. Processes draw different numbers.
        """
        key = seed
        if counters or self.processes.rank:
            key = int(np.random.SeedSequence([seed, *counters, self.processes.rank]).generate_state(1, np.uint64)[0])
        torch.manual_seed(key % (1 << 63))
        random.seed(key)
        np.random.seed(key % (1 << 32))

    def prepare(self, objective: nn.Module) -> nn.Module:
        """The objective on the device, checkpointed, divided and compiled as chosen; call what this returns."""
        objective.to(self.device)
        if self.activation_checkpointing:
            checkpoint_layers(objective)
        if self.shard:
            divide(objective, self.device)
        module = objective
        if self.compile:
            module = torch.compile(module)  # type: ignore[assignment]
        if self.processes.are_several and not self.shard:
            module = nn.parallel.DistributedDataParallel(
                module, device_ids=[self.device.index] if self.device.type == "cuda" else None
            )
        return module

    def move(self, batch: AnyBatch) -> AnyBatch:
        """A batch on the device."""
        return on_device(batch, self.device)

    def autocast(self) -> torch.autocast:
        """A context in which matrix products run in the engine's precision."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)

    @contextmanager
    def last_of_step(self, module: nn.Module, is_last: bool) -> Iterator[None]:
        """A context for one batch of a step: processes exchange gradients only after the last one."""
        if is_last or not self.processes.are_several:
            yield
        elif isinstance(module, nn.parallel.DistributedDataParallel):
            with module.no_sync():
                yield
        else:
            yield  # divided weights exchange theirs every time, else each process would hold all gradients

    def backward(self, loss: Tensor) -> None:
        """Gradients of a scalar, scaled up in float16."""
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def step(
        self, optimizer: Any, parameters: Iterable[Tensor], clip_norm: float = 0.0, *, scale: float = 1.0
    ) -> float:
        """One optimizer step, with the gradients times `scale`, and their norm then clipped to `clip_norm` (0: never).

        Returns the norm before it was clipped. If it is not finite, nothing is changed; in float16, where an overflow
        is no fault, the next step's gradients are scaled up less.
        """
        parts = list(optimizer.optimizers) if hasattr(optimizer, "optimizers") else [optimizer]
        for part in parts:
            self.scaler.unscale_(part)
        held = [value for value in parameters if value.grad is not None]
        if scale != 1.0:
            for value in held:
                value.grad.mul_(scale)  # type: ignore[union-attr]
        gradients = [value.grad for value in held if value.grad is not None]
        total = torch.nn.utils.get_total_norm(gradients)
        norm = float(whole(total))
        if math.isfinite(norm):
            if clip_norm:
                torch.nn.utils.clip_grads_with_norm_(held, clip_norm, total)
            for part in parts:
                if not self.compile:
                    take_plain_step(part)
                self.scaler.step(part)
        self.scaler.update()
        return norm


def find_device(name: str) -> torch.device:
    """The device of this name; "auto" is the first of cuda, mps and cpu that there is. `ConfigError` if it is not."""
    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    kind, _, index = name.partition(":")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": has_mps}
    if kind not in there or (index and not index.isdigit()):
        raise ConfigError(f"device={name!r} is unknown; choose cpu, cuda, mps or auto")
    if not there[kind] or (kind == "cuda" and index and int(index) >= torch.cuda.device_count()):
        usable = " or ".join([device for device, found in there.items() if found] + ["auto"])
        raise ConfigError(f"device={name!r} is not to be found on this machine; choose {usable}")
    return torch.device(name)
