"""`bpe-transformer study`: the list, a run with all its outputs, what is refused, and Ctrl-C."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bpe_transformer.cli.commands.study import command
from bpe_transformer.errors import ConfigError
from bpe_transformer.studies import cost, scaling
from tests.studies import results

COST = ("cost", "--lengths", "8,16", "--widths", "4,8")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every layer runs, and costs what it is said to cost."""

    def seconds(work: Callable[[], object], repeats: int) -> float:
        work()
        return repeats / 1000

    def memory(work: Callable[[], object]) -> int:
        work()
        return 4096

    monkeypatch.setattr(cost, "cpu_seconds", seconds)
    monkeypatch.setattr(cost, "peak_bytes", memory)


def study(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_without_a_name_they_are_listed() -> None:
    listed = json.loads(study("--json").stdout)["studies"]
    assert [one["name"] for one in listed] == ["length", "gradient", "cost", "explain", "warmup", "scaling"]
    text = study("--width", "100").stdout
    assert all(one["name"] in text for one in listed)
    assert "name a study" in study("--seed", "3").output
    assert "bpe-transformer study length" in study("--help").output


def test_a_run_says_what_it_takes_and_keeps_its_data(tmp_path: Path) -> None:
    folder, picture = tmp_path / "kept", tmp_path / "cost.svg"
    done = study(*COST, "-o", str(folder), "--svg", str(picture), "--width", "80", "--seed", "4")
    assert done.exit_code == 0
    assert "cost: What does attention cost beside a recurrent layer" in done.stderr
    assert "CPU" in done.stderr
    assert "repeats Vaswani et al. 2017, table 1" in done.stderr
    assert "took" in done.stderr
    assert "explicit attention" in done.stdout
    kept = json.loads((folder / "cost.json").read_text("utf-8"))
    assert kept["settings"]["seed"] == 4
    assert kept["settings"]["lengths"] == [8, 16]
    assert (folder / "cost.svg").read_text("utf-8") == picture.read_text("utf-8")
    with pytest.raises(FileExistsError, match="--overwrite"):
        study(*COST, "-o", str(folder))
    assert json.loads(study(*COST, "-o", str(folder), "--overwrite", "--json").stdout)["settings"]["seed"] == 1


def test_a_file_that_stays_costs_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are never the same again, so that study is refused before it starts; of another one the result is shown first."""
    picture = tmp_path / "cost.svg"
    picture.write_text("mine")
    with monkeypatch.context() as patch:
        patch.setattr(cost, "run_study", lambda *_: pytest.fail("measured"))
        with pytest.raises(FileExistsError, match="--overwrite"):
            study(*COST, "--svg", str(picture))
    monkeypatch.setattr(scaling, "run_study", lambda *_: results.scaling())
    done = CliRunner().invoke(command, ["scaling", "--svg", str(picture), "--json"])
    assert isinstance(done.exception, FileExistsError)
    assert json.loads(done.stdout)["study"] == "scaling"
    assert picture.read_text() == "mine"


def test_minutes_decide_the_amount() -> None:
    data = json.loads(study(*COST, "--minutes", "0.0001", "--json").stdout)
    assert data["settings"]["repeats"] >= 1
    assert "give one of --minutes and --steps" in study("length", "--minutes", "1", "--steps", "2").output


def test_refused() -> None:
    with pytest.raises(ConfigError, match="there is no study 'costs'"):
        study("costs")
    assert "the study cost has no --d-model" in study("cost", "--d-model", "8").output
    assert "write them like 1,2,4" in study("cost", "--lengths", "a,b").output


def test_interrupted_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cost, "_measure", interrupted)
    done = CliRunner().invoke(command, [*COST, "-o", str(tmp_path / "kept"), "--svg", str(tmp_path / "a.svg")])
    assert done.exit_code == 1
    assert not list(tmp_path.iterdir())
