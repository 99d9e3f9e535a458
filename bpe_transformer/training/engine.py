"""Where and how an objective runs: device, precision, compilation and random generators, and nothing else knows them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from bpe_transformer.data.batches.batch import AnyBatch, on_device
from bpe_transformer.errors import ConfigError
from bpe_transformer.training.precision import product_dtype


class Engine:
    """One process on one device.

    Args:
        device: "cpu", "cuda" (or "cuda:1"), "mps", or "auto": the first of cuda, mps and cpu that there is.
        precision: of matrix products: "float32", "bfloat16", "float16" (whose gradients are scaled), or "auto":
            bfloat16 where the device is fast with it. Weights, optimizer and sums stay in float32.
        compile: run the objective through `torch.compile`.

    Raises:
        ConfigError: there is no such device.
    """

    def __init__(self, *, device: str = "auto", precision: str = "float32", compile: bool = False) -> None:
        self.device = find_device(device)
        self.dtype = product_dtype(precision, self.device)
        self.compile = compile
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)

    def seed(self, seed: int) -> None:
        """Seeds every generator: torch's on all devices, Python's and NumPy's."""
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % (1 << 32))

    def prepare(self, objective: nn.Module) -> nn.Module:
        """The objective on the device, compiled if so chosen; call what this returns."""
        objective.to(self.device)
        if not self.compile:
            return objective
        compiled: nn.Module = torch.compile(objective)  # type: ignore[assignment]
        return compiled

    def move(self, batch: AnyBatch) -> AnyBatch:
        """A batch on the device."""
        return on_device(batch, self.device)

    def autocast(self) -> torch.autocast:
        """A context in which matrix products run in the engine's precision."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)

    def backward(self, loss: Tensor) -> None:
        """Gradients of a scalar, scaled up in float16."""
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def step(self, optimizer: torch.optim.Optimizer, parameters: Iterable[Tensor], clip_norm: float = 0.0) -> None:
        """One optimizer step, with the gradients' norm clipped to `clip_norm` (0: never).

        In float16 a step whose gradients overflowed is left out, and the scale becomes smaller.
        """
        if clip_norm:
            self.scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
        self.scaler.step(optimizer)
        self.scaler.update()

    def rng_state(self) -> dict[str, Tensor]:
        """The states of torch's generators: the CPU's, and the device's if it has one."""
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        elif self.device.type == "mps":
            states["mps"] = torch.mps.get_rng_state()
        return states

    def set_rng_state(self, states: Mapping[str, Tensor]) -> None:
        """The inverse of `rng_state`; the state of a device that this engine does not run on is left out."""
        torch.set_rng_state(states["cpu"])
        if self.device.type == "cuda" and "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"], self.device)
        elif self.device.type == "mps" and "mps" in states:
            torch.mps.set_rng_state(states["mps"])


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
