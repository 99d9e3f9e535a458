"""Attention of a decoding step in the native core, against equation 1 written out in float64."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from bpe_transformer import _core
from bpe_transformer.models.layers import MultiHeadAttention
from bpe_transformer.models.layers.attention import attend
from bpe_transformer.models.layers.kv_cache import KVCache
from bpe_transformer.models.layers.step_attention import attend_step, is_step


@pytest.fixture(params=_core.simd_levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    before = _core.simd_level()
    _core.set_simd_level(request.param)
    yield request.param
    _core.set_simd_level(before)


def expected(q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
    k, v = (part.repeat_interleave(q.size(1) // k.size(1), dim=1) for part in (k, v))
    seen = None if visible is None else visible[:, None]
    return attend(q.double(), k.double(), v.double(), seen, dropout=0.0)[0]


# rows, heads, kv heads, queries, slots, width: whole vectors of 16, parts of them, single floats; no row at all
SHAPES = [(3, 4, 4, 1, 7, 32), (2, 6, 2, 5, 33, 20), (5, 1, 1, 2, 16, 1), (1, 2, 1, 16, 1, 64), (0, 2, 2, 1, 4, 8)]


@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_equals_equation_1(shape: tuple[int, ...], level: str) -> None:
    rows, heads, kv_heads, queries, slots, width = shape
    draw = torch.Generator().manual_seed(slots)
    # as the layers hold them: heads beside each other in a row, and a cache of which a part is used
    q = (6 * torch.randn(rows, queries, heads, width, generator=draw)).transpose(1, 2)
    k, v = torch.randn(2, rows, kv_heads, slots + 3, width, generator=draw)[:, :, :, :slots]
    masks: list[torch.Tensor | None] = [None]
    masks += [
        torch.rand(rows, queries, slots, generator=draw) < 0.6,
        torch.rand(1, queries, slots, generator=draw) < 0.6,
    ]
    masks += [torch.rand(rows, 1, slots, generator=draw) < 0.6, torch.zeros(rows, 1, slots, dtype=torch.bool)]
    for visible in masks:
        found = attend_step(q, k, v, visible)
        assert found.shape == q.shape
        torch.testing.assert_close(found.double(), expected(q, k, v, visible), rtol=1e-5, atol=2e-6)


@torch.no_grad()
def test_scores_far_from_each_other_and_from_0(level: str) -> None:
    q = torch.full((1, 1, 1, 4), 50.0)
    k = torch.tensor([[-9.0], [9.0], [8.999], [0.0]]).expand(1, 1, 4, 4)
    v = torch.eye(4)[None, None]
    found = attend_step(q, k.contiguous(), v, None)
    torch.testing.assert_close(found.double(), expected(q, k, v, None), rtol=1e-4, atol=1e-7)


@torch.no_grad()
def test_padding_of_a_vector_weighs_nothing_beside_large_scores(level: str) -> None:
    q, k, v = torch.full((1, 1, 1, 4), 1e10), torch.full((1, 1, 5, 4), 1e10), torch.ones(1, 1, 5, 4)
    torch.testing.assert_close(attend_step(q, k, v, None), torch.ones(1, 1, 1, 4))


def test_threads_share_the_rows() -> None:
    draw = np.random.default_rng(0)
    q, k, v = (draw.standard_normal((64, 8, n, 64)).astype(np.float32) for n in (4, 200, 200))
    outs = [np.empty_like(q) for _ in range(2)]
    for threads, out in zip((1, 3), outs, strict=True):
        _core.attend_step(q, k, v, out, None, threads)
    assert np.array_equal(outs[0], outs[1])


def test_arrays_that_do_not_fit_are_refused() -> None:
    def floats(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.float32)

    q, k = floats(2, 4, 1, 8), floats(2, 4, 5, 8)
    for queries, keys, values, out in (
        (q, k, floats(2, 4, 6, 8), q),
        (q, floats(3, 4, 5, 8), floats(3, 4, 5, 8), q),
        (q, floats(2, 3, 5, 8), floats(2, 3, 5, 8), q),
        (q, k, k, floats(2, 4, 2, 8)),
        (q, floats(2, 4, 5, 16)[..., ::2], k, q),
    ):
        with pytest.raises(ValueError, match=r"shapes|fit|together"):
            _core.attend_step(queries, keys, values, out.copy(), None, 1)
    for shape in ((2, 1, 4), (3, 1, 5), (2, 2, 5)):
        with pytest.raises(ValueError, match="visible"):
            _core.attend_step(q, k, k, q.copy(), np.ones(shape, bool), 1)


def test_a_layer_takes_it_for_steps_alone() -> None:
    layer = MultiHeadAttention(d_model=16, n_heads=2).eval()
    x = torch.randn(3, 1, 16)
    with torch.no_grad():
        q = k = v = torch.zeros(3, 2, 1, 8)
        assert is_step(q, k, v)
        assert not is_step(q.expand(3, 2, 17, 8), k, v)
        assert not is_step(q.bfloat16(), k.bfloat16(), v.bfloat16())
        stepped, _ = layer(x, cache=KVCache())
    assert not is_step(q, k, v)  # a gradient is wanted
    torch.testing.assert_close(stepped, layer(x)[0])
