"""Runs that are killed at any moment end with the very bytes of a run that never was."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from bpe_transformer.training.state import STATE, load_state
from tests.training.runs.jobs import KINDS, final_state, fork_server, train_counted

CHANGES: dict[str, dict[str, Any]] = {
    "translation": {"ema": 0.9, "accumulate": 2},
    "recurrent": {"optimizer": "adam", "patience": 9},
    "language model": {"optimizer": "muon", "schedule": "wsd"},
    "masked": {"optimizer": "adafactor", "steps": None, "epochs": 3},
    "labels": {"optimizer": "sgd", "precision": "bfloat16"},
    "mixture": {"steps": 14},
}


def run(context: Any, kind: str, directory: Path, kill_at: int | None) -> int:
    job = context.Process(target=train_counted, args=(kind, directory, kill_at, CHANGES[kind]))
    job.start()
    job.join()
    return int(job.exitcode)


def kill_and_compare(tmp_path: Path, kind: str, kills: int) -> None:
    context, choose = fork_server(), random.Random(kind)
    whole = tmp_path / "whole"
    assert run(context, kind, whole, None) == 0
    expected, calls = final_state(whole), int(whole.with_suffix(".calls").read_text())
    steps = [int(line) for line in whole.with_suffix(".log").read_text().split()]
    directory, log = tmp_path / "killed", tmp_path / "killed.log"
    done, finished = 0, 0
    while done < kills or finished == 0:
        # the first moments, when the folder is made and the first state written, as often as all others
        last = choose.choice([calls, calls, calls // 8]) if done < kills else None
        code = run(context, kind, directory, last and choose.randint(1, last))
        assert code in (0, -9)
        done += code == -9
        if code == -9:
            continue
        finished += 1
        assert final_state(directory) == expected
        taken = [int(line) for line in log.read_text().split()]
        assert set(taken) <= set(steps)  # one that was killed right after its validation is not told again
        again = [before - now + 1 for before, now in zip(taken, taken[1:], strict=False) if now <= before]
        assert all(number <= 3 for number in again), (
            again
        )  # the steps since the last save, each of which is one of three
        shutil.rmtree(directory)
        log.unlink()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "recurrent"])  # that objective is the translation's
def test_some_kills_change_nothing(kind: str, tmp_path: Path) -> None:
    kill_and_compare(tmp_path, kind, 5 if kind == "mixture" else 8)


@pytest.mark.soak
@pytest.mark.parametrize("kind", list(KINDS))
def test_sixty_kills_change_nothing(kind: str, tmp_path: Path) -> None:
    kill_and_compare(tmp_path, kind, 60)


def test_a_run_that_was_killed_before_its_first_state_starts_clean(tmp_path: Path) -> None:
    context, directory = fork_server(), tmp_path / "run"
    assert run(context, "masked", tmp_path / "whole", None) == 0
    calls = int((tmp_path / "whole.calls").read_text())
    for share in (0.001, 0.02, 0.05, 0.1):
        assert run(context, "masked", directory, max(1, int(calls * share))) == -9
        if (directory / STATE).exists() and not load_state(directory / STATE)[1].get("begun"):
            break
    assert run(context, "masked", directory, None) == 0
    assert final_state(directory) == final_state(tmp_path / "whole")
