"""Whatever is damaged in a file of any kind that is read: never a signal, never a traceback, and no wrong result in silence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("corruption.py")
# by what has to be imported to read them, which takes longer than reading
GROUPS = {
    "vocabularies": "tokenizer tokenizer-alone gpt2 tiktoken counts counts-facts word-list",
    "ids": "encoded-npy encoded-arrow encoded-npy-alone encoded-arrow-alone stream-npy stream-arrow stream-lines stream-json",
    "corpora": "corpus-parquet corpus-jsonl corpus-csv-gz corpus-txt-zst recipe cache prepared prepared-alone",
    "models": "checkpoint checkpoint-alone run-state",
}


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("group", GROUPS)
def test_damaged_files_are_refused_in_one_line(group: str, tmp_path: Path) -> None:
    """Every file with bytes that are others and cut short: few times here, 100 and 20 times in make soak."""
    flips, cuts = (100, 20) if os.environ.get("FAULTS") == "all" else (4, 2)
    arguments = [str(tmp_path / "files"), str(flips), str(cuts), *GROUPS[group].split()]
    done = subprocess.run([sys.executable, PROGRAM, *arguments], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"ended with {done.returncode} at {lines[-1:]}: {done.stderr[-2000:]}"
    assert lines[-1] == "end"
    outcomes: Counter[str] = Counter()
    for line in lines[:-1]:
        place, end = json.JSONDecoder().raw_decode(line)
        outcome, said = json.loads(line[end:])
        assert outcome in ("same", "refused", "changed"), f"{place}: {outcome} {said}"
        outcomes[outcome] += 1
    assert outcomes["refused"] > outcomes["changed"]
