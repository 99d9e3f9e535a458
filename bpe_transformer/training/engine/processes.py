"""The processes that train together: their number, this one's place among them, and what they tell each other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed


class Processes:
    """One process, or those that `torchrun` has started.

    Attributes:
        rank: of this process, 0 to world_size - 1. The first one alone writes files and reports.
        local_rank: among those on this machine; it chooses the GPU.
    """

    def __init__(self, rank: int = 0, world_size: int = 1, local_rank: int = 0) -> None:
        self.rank, self.world_size, self.local_rank = rank, world_size, local_rank

    @classmethod
    def from_environment(cls) -> Processes:
        """Those that torchrun's environment variables speak of, or an open process group has; else one."""
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if distributed.is_available() and distributed.is_initialized():
            return cls(distributed.get_rank(), distributed.get_world_size(), local)
        return cls(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")), local)

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes and reports."""
        return self.rank == 0

    @property
    def are_several(self) -> bool:
        """Whether there are others."""
        return self.world_size > 1

    def connect(self, device_type: str) -> None:
        """Opens the process group: gloo on a CPU, NCCL on GPUs; does nothing for one process, or where it is open."""
        if self.are_several and not distributed.is_initialized():
            distributed.init_process_group("nccl" if device_type == "cuda" else "gloo")

    def sum(self, value: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        if self.are_several:
            value = value.clone()
            distributed.all_reduce(value)
        return value

    def any(self, flags: Sequence[bool], device: torch.device) -> list[bool]:
        """For each flag, whether it is set in some process."""
        if not self.are_several:
            return list(flags)
        counts = self.sum(torch.tensor([float(flag) for flag in flags], device=device))
        return [count > 0 for count in counts.tolist()]

    def share(self, value: Any) -> Any:
        """Plain data of the first process, in all of them."""
        if not self.are_several:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def wait(self) -> None:
        """Until all processes are here."""
        if self.are_several:
            distributed.barrier()

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """The first process runs the block while the others wait; then they run it, and find what it has left."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()
