"""`attention --over-training`: one sentence at several moments of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
import torch
from rich.cells import cell_len

from bpe_transformer.errors import CheckpointError
from bpe_transformer.inference import load_translator
from bpe_transformer.training.checkpoint import set_weights
from bpe_transformer.training.state import SnapshotKeeper, load_snapshot, snapshot_steps
from bpe_transformer.training.state.snapshots import moments

Run = Callable[..., Any]
SHAPE = ["--d-model", "8", "--n-layers", "1", "--n-heads", "2", "--d-ff", "8", "--vocab-size", "300"]


def train(bpe: Run, run: Path, *options: str) -> None:
    corpus = ["train", "numbers-en-ko", "--split", "train[:60]", "-o", str(run), "--validation", "validation[:5]"]
    done = bpe(*corpus, *SHAPE, "--steps", "8", "--eval-steps", "8", "--max-tokens", "200", *options)
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture
def run(bpe: Run, tmp_path_factory: pytest.TempPathFactory, cache: dict[str, Path]) -> Path:
    """A run of 8 steps that has kept its weights at four moments."""
    if "run" not in cache:
        cache["run"] = tmp_path_factory.mktemp("kept") / "[red]run"
        train(bpe, cache["run"], "--snapshots", "4")
    return cache["run"]


@pytest.fixture(scope="module")
def cache() -> dict[str, Path]:
    return {}


def test_shares_double() -> None:
    assert moments(5) == (0, 0.125, 0.25, 0.5, 1)
    assert moments(0) == ()


def test_the_moments_are_the_models_of_their_steps(bpe: Run, run: Path) -> None:
    assert snapshot_steps(run) == (0, 2, 4, 8)
    done = bpe("attention", run, "three cats", "--target", "고양이 세 마리", "--over-training", "--tokens", "--json")
    found = json.loads(done.stdout)
    schema = json.loads((files("bpe_transformer.inspection") / "schemas/attention.json").read_text("utf-8"))
    jsonschema.validate(found, schema)
    assert [moment["step"] for moment in found["moments"]] == [0, 2, 4, 8]
    translator: Any = load_translator(run)
    for moment in found["moments"]:
        set_weights(translator.model, load_snapshot(run, moment["step"]), source="test")
        expected = translator.attention("three cats", "고양이 세 마리").cross[-1].mean(axis=0)
        np.testing.assert_allclose(moment["weights"], expected, atol=1e-5)
        assert moment["written"] == translator.translate("three cats", beam=1)
    assert found["moments"][-1]["agreement"] == 1
    first = np.asarray(found["moments"][0]["weights"]).argmax(axis=1)
    last = np.asarray(found["moments"][-1]["weights"]).argmax(axis=1)
    assert found["moments"][0]["agreement"] == pytest.approx((first == last).mean())


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_strip_in_the_terminal(bpe: Run, run: Path, width: int) -> None:
    lines = bpe("attention", run, "three cats", "--over-training", "--width", width).stdout.decode().splitlines()
    assert max(map(cell_len, lines)) <= width
    assert "[red]run" in "".join(lines)
    steps = [line.split() for line in lines if line.strip().startswith("step")]
    assert " ".join(part for line in steps for part in line).startswith("step 0 step 2 step 4 step 8")
    assert len(steps) == {40: 2, 80: 1, 200: 1}[width] + 1  # the last one is the heading of the table
    assert "1 three" in "\n".join(lines)


def test_the_strip_as_svg(bpe: Run, run: Path, tmp_path: Path) -> None:
    svg = tmp_path / "strip.svg"
    done = bpe("attention", run, "three <b> cats", "--target", "세 마리", "--over-training", "--svg", svg)
    assert done.returncode == 0, done.stderr.decode()
    drawn = svg.read_text("utf-8")
    assert drawn.count("<rect") == 4 * 4 * 3  # moments, columns, rows
    assert "&lt;b&gt;" in drawn
    ElementTree.fromstring(drawn)


def test_a_run_that_goes_on_keeps_each_moment_once(tmp_path: Path) -> None:
    first, second = SnapshotKeeper(tmp_path, 4), SnapshotKeeper(tmp_path, 4)
    kept = [first.is_due(0.0)]
    first.keep(0, 0.0, {"w": torch.zeros(1)})
    kept += [first.is_due(share) for share in (0.0, 0.1, 0.25)]
    first.keep(2, 0.25, {"w": torch.ones(1)})
    second.go_on(0.3)
    kept += [second.is_due(share) for share in (0.3, 0.45, 0.5)]
    assert kept == [True, False, False, True, False, False, True]
    assert snapshot_steps(tmp_path) == (0, 2)
    assert load_snapshot(tmp_path, 2)["w"] == 1
    with pytest.raises(CheckpointError, match="no weights of step 3; choose one of 0, 2"):
        load_snapshot(tmp_path, 3)


def test_what_cannot_be_shown(bpe: Run, fails: Callable[..., str], run: Path, tmp_path: Path) -> None:
    train(bpe, tmp_path / "plain", "--average-last", "1")
    message = fails("attention", tmp_path / "plain", "three cats", "--over-training")
    assert "has kept the weights of its last step only; train it with --snapshots 8" in message
    assert "not all" in fails("attention", run, "three", "--over-training", "--head", "all")
    for options in (["--focus", "three"], ["--html", tmp_path / "x.html"]):
        assert bpe("attention", run, "three", "--over-training", *options).returncode == 2
    (run / "snapshots/step-4.safetensors").write_bytes(b"{}")
    assert "step-4.safetensors is damaged" in fails("attention", run, "three", "--over-training")
