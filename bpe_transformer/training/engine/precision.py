"""The dtype of matrix products. Weights, sums and everything else stay in float32."""

from __future__ import annotations

from pathlib import Path

import torch

from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node, shown


def product_dtype(precision: str, device: torch.device | None = None, *, shapes_repeat: bool = True) -> torch.dtype:
    """The dtype for a setting: "float32", "bfloat16", "float16", or "auto": bfloat16 where it is faster.

    A processor that lacks bfloat16 instructions emulates them, slower than it multiplies float32. One that has them needs
    a millisecond to compile a product for its shape (oneDNN), so `shapes_repeat` has to hold from batch to batch: windows of
    one length do, sentences in length buckets do not. Measured on a processor with AMX, one thread: 1.5 times the steps of
    float32 for windows of 12 x 64 ids at d_model 128, less than half of them for Multi30k's pairs.
    """
    device = device or torch.device("cpu")
    if precision == "auto":
        return torch.bfloat16 if _has_bfloat16(device) and (shapes_repeat or device.type != "cpu") else torch.float32
    dtype: torch.dtype = getattr(torch, precision)
    return dtype


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    if hasattr(torch.cpu, "get_capabilities"):  # torch >= 2.13
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    try:  # the kernel's list; only Linux has it, and elsewhere float32 is the safe choice
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def load_scaler_state(scaler: torch.amp.GradScaler, saved: Node) -> None:
    """Gives a scaler the state that another one's `state_dict` was. Raises `FormatError` for what is no such state."""
    own = scaler.state_dict()
    if saved.value.keys() != own.keys():
        raise FormatError(f"{saved.place} is {shown(saved.value)}, not the state of a scaler of gradients")
    if not own:
        return
    saved.number("_growth_tracker", high=saved.number("growth_interval", low=1, high=1 << 31))
    for name in ("growth_factor", "backoff_factor"):
        if saved.value[name] != own[name]:
            raise FormatError(f"{saved.place}.{name} is {shown(saved.value[name])}, not {own[name]}")
    scale = saved.value["scale"]
    if (
        not isinstance(scale, (int, float))
        or isinstance(scale, bool)
        or not 0 < scale <= torch.finfo(torch.float32).max
    ):
        raise FormatError(f"{saved.place}.scale is {shown(scale)}, not a number above 0")
    scaler.load_state_dict(saved.value)
