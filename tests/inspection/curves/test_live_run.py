"""A run in the middle of it, as data and as a picture."""

from __future__ import annotations

import pytest
from rich.console import Console

from bpe_transformer.inspection.curves import LiveRun, RunSample
from bpe_transformer.training import Progress


def progress(step: int, **changes: object) -> Progress:
    figures = {
        "epoch": 1, "epochs": 2, "share": step / 2000, "loss": 5.0 - step / 1000, "lr": 1e-3,
        "ids_per_second": 9000.0, "seconds": step / 10, "validation_loss": None, **changes,
    }  # fmt: skip
    return Progress(step=step, **figures)  # type: ignore[arg-type]


@pytest.fixture
def run() -> LiveRun:
    live = LiveRun("numbers")
    for step in range(1, 1001):
        checked = step % 250 == 0
        samples = [RunSample("Two dogs run.", "Zwei Hunde laufen.", "Zwei Hunde rennen.")] if checked else None
        live = live.after(progress(step, validation_loss=4.0 if checked else None), 1_500_000_000, samples)
    return live


def test_points_stay_few_and_the_last_figures_are_kept(run: LiveRun) -> None:
    assert len(run.train) <= 600
    assert run.every > 1
    assert run.train[-1][0] > 990
    assert run.validation == ((250.0, 4.0), (500.0, 4.0), (750.0, 4.0), (1000.0, 4.0))
    assert run.seconds_left == pytest.approx(100.0)
    assert run.as_dict()["samples"][0]["written"] == "Zwei Hunde laufen."


@pytest.mark.parametrize("width", [40, 100])
def test_picture(run: LiveRun, width: int) -> None:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(run)
    picture = captured.get()
    assert max(map(len, picture.splitlines())) <= width
    for expected in (
        "step 1,000",
        "50 %",
        "1.5 GB",
        "left 100 s".replace("100 s", "2 min"),
        "Zwei Hunde laufen.",
        "right",
    ):
        assert expected in picture
    assert any("⠀" < sign <= "⣿" for sign in picture)


def test_the_validation_of_an_average_is_told_apart(run: LiveRun) -> None:
    live = run.after(progress(1000, validation_loss=3.9, weights="average of the last 3"))
    assert live.validation == run.validation  # an average belongs to no step
    console = Console(width=100, color_system=None)
    with console.capture() as captured:
        console.print(live)
    assert "validation 4.000   validation, average of the last 3 3.900" in captured.get()


def test_before_the_first_step() -> None:
    console = Console(width=60, color_system=None)
    with console.capture() as captured:
        console.print(LiveRun("numbers"))
    assert "on its way" in captured.get()
    assert LiveRun("numbers").seconds_left is None
