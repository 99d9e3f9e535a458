"""In which type matrices are multiplied. Weights, sums and everything else stay in float32."""

from __future__ import annotations

from pathlib import Path

import torch


def product_dtype(precision: str) -> torch.dtype:
    """The type for a setting: "float32", "bfloat16", or "auto", which is bfloat16 where the processor has it.

    A processor that lacks bfloat16 instructions emulates them, slower than it multiplies float32.
    """
    if precision == "auto":
        return torch.bfloat16 if _has_bfloat16() else torch.float32
    dtype: torch.dtype = getattr(torch, precision)
    return dtype


def multiplying_in(dtype: torch.dtype) -> torch.autocast:
    """A context in which the CPU's matrix products run in `dtype`."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)


def _has_bfloat16() -> bool:
    if hasattr(torch.cpu, "get_capabilities"):  # torch >= 2.13
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    try:  # the kernel's list; only Linux has it, and elsewhere float32 is the safe choice
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
