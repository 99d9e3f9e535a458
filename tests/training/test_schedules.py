from __future__ import annotations

import pytest

from bpe_transformer.training import PRESETS
from bpe_transformer.training.schedules import cosine, inverse_sqrt, learning_rate, noam


def test_noam_is_equation_3() -> None:
    assert noam(1, d_model=512, warmup=4000) == pytest.approx(512**-0.5 * 4000**-1.5)
    assert noam(2000, d_model=512, warmup=4000) == pytest.approx(3.4939e-4, rel=1e-4)
    assert noam(4000, d_model=512, warmup=4000) == pytest.approx(6.9877e-4, rel=1e-4)
    assert noam(16000, d_model=512, warmup=4000) == pytest.approx(3.4939e-4, rel=1e-4)


def test_inverse_sqrt_is_noam_with_a_peak_of_ones_own() -> None:
    peak = (512 * 4000) ** -0.5
    for step in (1, 100, 4000, 4001, 100_000):
        assert inverse_sqrt(step, lr=peak, warmup=4000) == pytest.approx(noam(step, d_model=512, warmup=4000))


def test_cosine_warms_up_and_ends_at_zero() -> None:
    assert cosine(5, lr=1.0, warmup=10, progress=0.0) == pytest.approx(0.5)
    assert cosine(10, lr=1.0, warmup=10, progress=0.0) == pytest.approx(1.0)
    assert cosine(99, lr=1.0, warmup=10, progress=0.5) == pytest.approx(0.5)
    assert cosine(99, lr=1.0, warmup=10, progress=1.0) == pytest.approx(0.0)
    assert cosine(1, lr=1.0, warmup=0, progress=0.0) == pytest.approx(1.0)


def test_the_settings_choose_the_schedule() -> None:
    tiny, base = PRESETS["tiny"], PRESETS["transformer-base"]
    assert learning_rate(4000, 0.9, model=base.model, training=base.training) == pytest.approx(6.9877e-4, rel=1e-4)
    assert learning_rate(400, 0.0, model=tiny.model, training=tiny.training) == pytest.approx(2e-3)
    changed = tiny.override({"schedule": "inverse-sqrt"})
    assert learning_rate(1600, 0.9, model=changed.model, training=changed.training) == pytest.approx(1e-3)
