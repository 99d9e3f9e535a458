from __future__ import annotations

from typing import Any

import pytest

from bpe_transformer.training import PRESETS, Settings
from bpe_transformer.training.schedules import cosine, inverse_sqrt, linear, noam, warmup_stable_decay
from bpe_transformer.training.state import RunState
from bpe_transformer.training.trainer.course import Course


def test_noam_is_equation_3() -> None:
    assert noam(1, d_model=512, warmup=4000) == pytest.approx(512**-0.5 * 4000**-1.5)
    assert noam(2000, d_model=512, warmup=4000) == pytest.approx(3.4939e-4, rel=1e-4)
    assert noam(4000, d_model=512, warmup=4000) == pytest.approx(6.9877e-4, rel=1e-4)
    assert noam(16000, d_model=512, warmup=4000) == pytest.approx(3.4939e-4, rel=1e-4)


def test_inverse_sqrt_is_noam_with_a_peak_of_ones_own() -> None:
    peak = (512 * 4000) ** -0.5
    for step in (1, 100, 4000, 4001, 100_000):
        assert inverse_sqrt(step, lr=peak, warmup=4000) == pytest.approx(noam(step, d_model=512, warmup=4000))


def test_curves_go_from_one_to_their_floor() -> None:
    assert [cosine(p, floor=0.1) for p in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.55, 0.1])
    assert [linear(p) for p in (0.0, 0.25, 1.0)] == pytest.approx([1.0, 0.75, 0.0])
    stable = [warmup_stable_decay(p, decay_share=0.2, floor=0.1) for p in (0.0, 0.8, 0.9, 1.0)]
    assert stable == pytest.approx([1.0, 1.0, 0.55, 0.1])


class Source:
    """An epoch of `number` batches."""

    def __init__(self, number: int) -> None:
        self.number = number

    def num_batches(self, epoch: int) -> int:
        return self.number


def rates(settings: Settings, batches: int, *, seconds: float = 0.0, steps: int = 10**6) -> tuple[list[float], Course]:
    """The learning rate of every step of a run; each takes `seconds`."""
    course, state = Course(settings, Source(batches)), RunState()  # type: ignore[arg-type]
    found: list[float] = []
    while (
        len(found) < steps
        and course.over(state, out_of_time=seconds * state.step >= 60 * (settings.training.minutes or 1e9)) is None
    ):
        found.append(course.learning_rate(state, seconds * state.step))
        state.step, state.batch, state.tokens = (
            state.step + 1,
            state.batch + settings.training.accumulate,
            state.tokens + 100,
        )
        if state.batch >= batches:
            state.epoch, state.batch = state.epoch + 1, 0
    return found, course


def settings(**changes: Any) -> Settings:
    return Settings().override({"lr": 1.0, **changes})


@pytest.mark.parametrize("schedule", ["inverse-sqrt", "cosine", "linear", "constant", "wsd"])
@pytest.mark.parametrize(("warmup", "steps"), [(500, 1000), (400, 140), (0, 50), (1, 50), (1000, 1000)])
@pytest.mark.parametrize("end", ["steps", "epochs", "tokens", "minutes"])
def test_every_schedule_reaches_its_peak_whatever_ends_the_run(
    schedule: str, warmup: int, steps: int, end: str
) -> None:
    ends = {"steps": steps, "epochs": steps // 10, "tokens": steps * 100, "minutes": (steps - 0.5) / 60}
    found, course = rates(settings(schedule=schedule, warmup=warmup, **{end: ends[end]}), 10, seconds=1.0)
    assert len(found) == steps
    assert max(found) == pytest.approx(1.0, rel=0.03)
    peak = found.index(max(found)) + 1
    assert peak <= max(1, min(warmup, steps // 2 + 1))
    assert all(before < after for before, after in zip(found[: peak - 1], found[1:peak], strict=False))
    assert bool(course.notes) == (warmup >= steps or (warmup > steps / 2 and end in ("tokens", "minutes")))
    if schedule in ("cosine", "linear", "wsd"):
        assert found[-1] < 0.15


def test_a_warm_up_that_was_shortened_is_told() -> None:
    _, course = rates(settings(warmup=400, steps=140), 10)
    assert course.notes == [
        "warmup=400 is as long as the run of 140 steps or longer, and was shortened to 14, "
        "so that the learning rate reaches its peak"
    ]


def test_noam_keeps_its_peak_when_its_warm_up_is_shortened() -> None:
    base = PRESETS["transformer-base"]
    found, _ = rates(base.override({"steps": 10_000}), 10, steps=5000)
    assert found[3999] == pytest.approx(6.9877e-4, rel=1e-4)
    assert found[1999] == pytest.approx(3.4939e-4, rel=1e-4)
    short, _ = rates(base.override({"steps": 1000}), 10)
    assert max(short) == pytest.approx(6.9877e-4, rel=1e-4)


def test_minutes_beside_steps_do_not_move_the_rate_and_cutting_is_told() -> None:
    both = settings(steps=100, minutes=1, warmup=10)
    found, course = rates(both, 10, seconds=1.0)
    whole, _ = rates(settings(steps=100, warmup=10), 10)
    assert found == whole[:60]
    said = course.cut_short(RunState(step=60, epoch=6), found[-1])
    assert said is not None
    assert said.startswith("minutes=1 cut the run short after 60 of 100 steps, 60 % of its schedule")
    assert Course(settings(minutes=1), Source(5)).cut_short(RunState(step=3), 0.1) is None  # type: ignore[arg-type]
