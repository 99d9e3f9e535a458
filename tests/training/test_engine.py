from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from bpe_transformer.data import PackedBatch
from bpe_transformer.errors import ConfigError
from bpe_transformer.models import FAMILIES
from bpe_transformer.training import CausalLM, Engine
from bpe_transformer.training.engine import FreedMemory, Processes, find_device, precision


def objective() -> CausalLM:
    torch.manual_seed(0)
    family = FAMILIES["gpt"]
    options = family.options(d_model=32, n_layers=1, max_len=16)
    return CausalLM(family.build(family.configure(options, vocab_size=20, pad_id=0)))


def test_devices_are_found_or_refused() -> None:
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ConfigError, match="device='tpu' is unknown; choose cpu, cuda, mps or auto"):
        find_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="device='cuda' is not to be found on this machine"):
            find_device("cuda")


def test_one_seed_for_every_generator() -> None:
    engine = Engine(device="cpu")
    drawn = []
    for _ in range(2):
        engine.seed(5)
        drawn.append((torch.rand(1).item(), random.random(), float(np.random.rand())))
    assert drawn[0] == drawn[1]


def test_a_step_draws_its_own_numbers_whatever_was_drawn_before() -> None:
    engine = Engine(device="cpu")
    drawn = []
    for step, noise in ((3, 0), (4, 0), (3, 5)):
        torch.rand(noise)
        engine.seed(5, step)
        drawn.append((torch.rand(2).tolist(), random.random(), float(np.random.rand())))
    assert drawn[0] == drawn[2] != drawn[1]
    other = Engine(device="cpu", processes=Processes(rank=1))
    other.seed(5, 3)
    assert torch.rand(2).tolist() != drawn[0][0]


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_step_in_every_precision_lowers_the_loss(precision: str) -> None:
    engine = Engine(device="cpu", precision=precision)
    module = engine.prepare(objective())
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
    ids = torch.randint(1, 20, (4, 9), generator=torch.Generator().manual_seed(1))
    batch = engine.move(PackedBatch(ids[:, :-1], ids[:, 1:]))
    losses = []
    for _ in range(8):
        with engine.autocast():
            loss = module(batch)
        mean = loss.total / loss.count
        optimizer.zero_grad()
        engine.backward(mean)
        engine.step(optimizer, module.parameters(), clip_norm=1.0)
        losses.append(float(mean.detach()))
    assert losses[-1] < losses[0]
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in module.parameters())
    assert engine.scaler.is_enabled() == (precision == "float16")


def test_gradients_are_clipped_to_the_norm() -> None:
    engine = Engine(device="cpu")
    for clip_norm, expected in ((0.0, 5.0), (1.0, 1.0)):
        weight = nn.Parameter(torch.zeros(2))
        optimizer = torch.optim.SGD([weight], lr=1.0)
        engine.backward((weight * torch.tensor([3.0, 4.0])).sum())
        engine.step(optimizer, [weight], clip_norm)
        assert weight.detach().norm().item() == pytest.approx(expected, rel=1e-4)


def test_freed_memory_is_given_back_once_the_process_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([500 << 20, 800 << 20, 900 << 20, 560 << 20])
    monkeypatch.setattr("bpe_transformer.training.engine.memory._resident_bytes", lambda: next(sizes))
    freed = FreedMemory()
    trimmed: list[int] = []
    monkeypatch.setattr(freed, "_trim", trimmed.append)
    seen = []
    for _ in range(13):
        freed.after_step()
        seen.append(len(trimmed))
    assert seen == [0] * 11 + [1, 1]


def test_auto_is_bfloat16_only_where_shapes_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_has_bfloat16", lambda device: True)
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert precision.product_dtype("auto", cpu) == torch.bfloat16
    assert precision.product_dtype("auto", cpu, shapes_repeat=False) == torch.float32
    assert precision.product_dtype("auto", gpu, shapes_repeat=False) == torch.bfloat16
    assert precision.product_dtype("bfloat16", cpu, shapes_repeat=False) == torch.bfloat16


def test_training_does_not_load_the_compiler() -> None:
    code = (
        "import sys, torch\n"
        "from bpe_transformer.training.engine import Engine\n"
        "from bpe_transformer.training.objectives.losses import projected_cross_entropy\n"
        "weight = torch.nn.Parameter(torch.ones(3, 2))\n"
        "engine, optimizer = Engine(device='cpu'), torch.optim.AdamW([weight], lr=0.1, fused=True)\n"
        "optimizer.zero_grad()\n"
        "engine.backward(projected_cross_entropy(torch.ones(4, 2), weight, torch.zeros(4, dtype=torch.long)))\n"
        "engine.step(optimizer, [weight], clip_norm=1.0)\n"
        "optimizer.load_state_dict(optimizer.state_dict())\n"
        "sys.exit('torch._dynamo' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
