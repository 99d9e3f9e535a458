"""Weights that are divided among processes: FSDP2, and their checkpoints by `torch.distributed.checkpoint`.

The files of such a checkpoint are those of torch; loaded by another number of processes they are divided anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bpe_transformer.training.engine.layers import layers_of


def divide(objective: nn.Module, device: torch.device) -> None:
    """Divides the parameters among all processes, layer by layer (Zhao et al. 2023, as FSDP2 has it)."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    for layer in layers_of(objective):
        fully_shard(layer, mesh=mesh)
    fully_shard(objective, mesh=mesh)


def whole(value: Tensor) -> Tensor:
    """A tensor with all of its shards; every process has to ask for it."""
    full = getattr(value, "full_tensor", None)
    found: Tensor = value if full is None else full()
    return found


def copy_into(target: Tensor, source: Tensor) -> None:
    """Copies a whole tensor into one that may be divided."""
    mesh = getattr(target, "device_mesh", None)
    if mesh is None:
        target.copy_(source)
        return
    from torch.distributed.tensor import distribute_tensor

    placements: Any = target.placements  # type: ignore[attr-defined]
    target.copy_(distribute_tensor(source.to(target.device), mesh, placements))


def divided_like(source: Tensor, target: Tensor) -> Tensor:
    """A whole tensor, divided as `target` is if they have one shape."""
    if getattr(target, "device_mesh", None) is None or source.shape != target.shape:
        return source.to(target.device) if source.dim() else source
    found = torch.empty_like(target)
    copy_into(found, source)
    return found


def save_shards(tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Writes tensors that may be divided into `folder`; every process writes what it holds."""
    from torch.distributed.checkpoint.state_dict_saver import save

    save(dict(tensors), checkpoint_id=str(folder))


def load_shards(tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Fills tensors, divided or not, from what `save_shards` wrote, by however many processes."""
    from torch.distributed.checkpoint.state_dict_loader import load

    load(dict(tensors), checkpoint_id=str(folder), no_dist=not torch.distributed.is_initialized())
