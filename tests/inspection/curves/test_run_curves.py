"""Curves of runs: which points they show, in the terminal and as SVG."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from bpe_transformer.errors import CheckpointError, ConfigError
from bpe_transformer.inspection.curves import RunCurves, run_curves
from bpe_transformer.inspection.curves.run_curves import averaged
from bpe_transformer.inspection.render.curves.run_curves import plot_of
from bpe_transformer.inspection.render.plots import Line, Plot, svg_plot
from bpe_transformer.inspection.render.plots.line import ticks, written
from bpe_transformer.training.loggers import METRICS


def write_run(folder: Path, lines: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True)
    (folder / METRICS).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    first: list[dict[str, Any]] = [
        {"step": 10, "epoch": 0.5, "seconds": 30.0, "train_loss": 4.0, "ids_per_second": 100.0, "data_wait": 0.01},
        {"step": 20, "epoch": 1.0, "seconds": 60.0, "train_loss": 3.0, "validation_loss": 3.5, "ids_per_second": 300.0},
        {"step": 30, "epoch": 1.5, "seconds": 90.0, "train_loss": None, "memory_bytes": 2_000_000},
        {"step": 40, "epoch": 2.0, "seconds": 120.0, "train_loss": 2.0, "validation_loss": 3.25},
    ]
    second: list[dict[str, Any]] = [
        {"step": 10, "epoch": 1.0, "seconds": 10.0, "train_loss": 5.0, "validation_loss": 4.5}
    ]
    return write_run(tmp_path / "first", first), write_run(tmp_path / "second", second)


def drawn(curves: RunCurves, width: int = 80) -> str:
    console = Console(width=width, color_system=None, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(curves)
    return captured.get()


def test_points_and_figures(runs: tuple[Path, Path]) -> None:
    first, second = run_curves(runs, axis="minutes").runs
    assert first.train == ((0.5, 4.0), (1.0, 3.0), (2.0, 2.0))
    assert first.validation == ((1.0, 3.5), (2.0, 3.25))
    assert first.best == (2.0, 3.25)
    assert (first.steps, first.seconds, first.ids_per_second) == (40, 120.0, 200.0)
    assert (first.data_wait, first.peak_memory) == (0.01, 2_000_000)
    assert (second.name, second.data_wait) == ("second", None)
    assert run_curves(runs[:1]).runs[0].train[-1] == (40.0, 2.0)
    assert run_curves(runs[:1], axis="epochs").runs[0].best == (2.0, 3.25)
    (rates,) = run_curves(runs[:1], metric="ids_per_second").runs
    assert rates.train == ((10.0, 100.0), (20.0, 300.0))
    assert rates.validation == ()


def test_runs_of_one_name_keep_their_paths(tmp_path: Path) -> None:
    paths = [str(write_run(tmp_path / folder / "run", [{"step": 1, "train_loss": 1.0}])) for folder in ("a", "b")]
    assert [run.name for run in run_curves(paths).runs] == paths


def test_what_cannot_be_drawn_is_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'bleu' is logged by none.*train_loss"):
        run_curves(runs, metric="bleu")
    with pytest.raises(CheckpointError, match="train -o"):
        run_curves([tmp_path / "nowhere"])


@pytest.mark.parametrize("width", [40, 80, 140])
def test_terminal(runs: tuple[Path, Path], width: int) -> None:
    picture = drawn(run_curves(runs), width)
    assert max(map(len, picture.splitlines())) <= width
    for expected in ("loss (nats per token)", "A", "B", "first, validation", "second, training", "3.2500"):
        assert expected in picture
    assert any("⠀" < sign <= "⣿" for sign in picture)


def test_a_run_without_losses_yet(tmp_path: Path) -> None:
    assert "no loss" in drawn(run_curves([write_run(tmp_path / "run", [{"step": 1, "lr": 0.1}])]))


def test_svg_places_points_where_they_belong(runs: tuple[Path, Path]) -> None:
    text = svg_plot(plot_of(run_curves(runs)), 'loss of <first> & "second"')
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    lines = root.findall(f"{space}polyline")
    assert len(lines) == 4
    training = [tuple(map(float, point.split(","))) for point in lines[0].attrib["points"].split()]
    assert [x for x, _ in training] == sorted(x for x, _ in training)
    assert [y for _, y in training] == sorted(y for _, y in training)  # a falling loss goes down, where y grows
    (x1, y1), (x2, y2), _ = training
    x_of_20_of_40 = x1 + (x2 - x1)
    assert x_of_20_of_40 == pytest.approx(64 + (20 - 10) / (40 - 10) * (720 - 84), abs=0.1)
    assert y2 > y1


def test_error_bars_and_a_logarithmic_axis() -> None:
    line = Line("sizes", [(1000, 2.0), (4000, 1.5), (16000, 1.75)], [(1000, 2.0)], [0.25])
    plot = Plot([line], "vocabulary", "bits per byte", log_x=True)
    assert plot.across(4000) == pytest.approx(0.5)
    assert plot.bounds is not None
    assert plot.bounds[3] > 2.25
    root = ElementTree.fromstring(svg_plot(plot, "sizes"))
    bars = [
        found for found in root.iter("{http://www.w3.org/2000/svg}line") if found.attrib["x1"] == found.attrib["x2"]
    ]
    assert len(bars) == 1


@pytest.mark.parametrize(
    ("low", "high", "most"), [(0, 1, 5), (0.013, 0.97, 6), (2.1, 9.7, 4), (1, 39_000, 8), (-3, 3, 7), (5, 5, 3)]
)
def test_ticks_are_round_and_within(low: float, high: float, most: int) -> None:
    found = ticks(low, high, most)
    assert 1 <= len(found) <= most
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in found)
    assert all(len(written(value)) <= 6 for value in found)
    if len(found) > 2:
        assert found[1] - found[0] == pytest.approx(found[2] - found[1])


@pytest.mark.parametrize("losses", [(2.31, 2.62), (0.4, 9.0), (2.5, 2.5), (0.01, 0.013)])
def test_a_plot_of_few_steps_has_whole_steps_and_two_losses(losses: tuple[float, float]) -> None:
    plot = Plot(
        [Line("training", [(1.0, losses[0]), (2.0, sum(losses) / 2), (3.0, losses[1])])], "steps", "loss", whole_x=True
    )
    assert plot.x_ticks(8) == [1.0, 2.0, 3.0]
    for most in (4, 7):
        assert 2 <= len(plot.y_ticks(most)) <= 2 * most + 1


def test_averaged_keeps_the_mean() -> None:
    points = [(float(x), float(x * x)) for x in range(1001)]
    kept = averaged(points, 10)
    assert len(kept) == 10
    assert sum(y for _, y in kept) / 10 == pytest.approx(sum(y for _, y in points) / 1001, rel=0.01)


def test_the_command(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from bpe_transformer.cli.commands.curve import command

    run: Callable[..., Any] = CliRunner().invoke
    svg = tmp_path / "loss.svg"
    done = run(command, [*map(str, runs), "--width", "80", "--svg", str(svg)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "first, validation" in done.output
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    data = json.loads(run(command, [str(runs[0]), "--json"], catch_exceptions=False).stdout)
    assert data["runs"][0]["best"] == [40.0, 3.25]
    svg.write_text("a picture of somebody")
    with pytest.raises(FileExistsError, match="--overwrite"):
        run(command, [str(runs[0]), "--svg", str(svg)], catch_exceptions=False)
