"""How long a command takes from a cold start, and how much memory: `python cold_start.py TOKENIZER [WORD]`.

Each command runs in a process of its own, in turn, several rounds. On a machine that does other work as well, the seconds that the
process had (user and system) say more than those on the wall.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

ROUNDS = 5
COMMAND = str(Path(sys.executable).parent / "bpe-transformer")


def measured(arguments: list[str]) -> tuple[float, float, float]:
    """(seconds on the wall, seconds of the process, peak MiB)."""
    start = time.perf_counter()
    process = subprocess.Popen([COMMAND, *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(arguments)} failed")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main(tokenizer: str, word: str) -> None:
    from bpe_transformer import Tokenizer

    loaded = Tokenizer.load(tokenizer)
    middle, token = len(loaded.merges) // 2, max(loaded.encode(word))
    commands = {
        "trace --rank": ["trace", tokenizer, "--rank", str(middle)],
        "why": ["why", tokenizer, "--id", str(token)],
        "why --text": ["why", tokenizer, "--text", word],
        "tokens": ["tokens", tokenizer, word],
    }
    found = defaultdict(list)
    for _ in range(ROUNDS):
        for name, arguments in commands.items():
            found[name].append(measured(arguments))
    print(f"{len(loaded.merges):,} merges, median of {ROUNDS}\n{'':14}{'wall s':>8}{'process s':>11}{'peak MiB':>10}")
    for name, runs in found.items():
        wall, process, peak = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{name:14}{wall:8.2f}{process:11.2f}{peak:10.0f}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else " government")
