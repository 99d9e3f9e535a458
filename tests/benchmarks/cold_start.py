"""How long commands and imports take from a cold start: `python cold_start.py TOKENIZER [WORD]`; loading.py measures loading.

Each runs in a process of its own, in turn, several rounds. On a machine that does other work as well, the seconds that the process
had (user and system) say more than those on the wall.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROUNDS = 5
COMMAND = str(Path(sys.executable).parent / "bpe-transformer")
IMPORTS = ("bpe_transformer.tokenizer.tokenizer", "numpy", "tiktoken", "tokenizers", "sentencepiece", "gigatoken")


def measured(arguments: list[str]) -> tuple[float, float, float]:
    """(seconds on the wall, seconds of the process, peak MiB)."""
    start = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(arguments)} failed")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def show_commands(tokenizer: str, word: str) -> None:
    from bpe_transformer import Tokenizer

    loaded = Tokenizer.load(tokenizer)
    middle, token = len(loaded.merges) // 2, max(loaded.encode(word))
    runs: dict[str, list[str]] = {
        "trace --rank": [COMMAND, "trace", tokenizer, "--rank", str(middle)],
        "why": [COMMAND, "why", tokenizer, "--id", str(token)],
        "why --text": [COMMAND, "why", tokenizer, "--text", word],
        "tokens": [COMMAND, "tokens", tokenizer, word],
        "python": [sys.executable, "-c", "pass"],
    }
    names = [name for name in IMPORTS if find_spec(name.partition(".")[0])]
    runs |= {f"import {name.partition('.')[0]}": [sys.executable, "-c", f"import {name}"] for name in names}
    found: dict[str, list[Any]] = defaultdict(list)
    for _ in range(ROUNDS):
        for name, arguments in runs.items():
            found[name].append(measured(arguments))
    print(f"{len(loaded.merges):,} merges, median of {ROUNDS}\n{'':24}{'wall s':>8}{'process s':>11}{'peak MiB':>10}")
    for name, figures in found.items():
        wall, process, peak = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"{name:24}{wall:8.2f}{process:11.3f}{peak:10.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer")
    parser.add_argument("word", nargs="?", default=" government")
    options = parser.parse_args()
    show_commands(options.tokenizer, options.word)


if __name__ == "__main__":
    main()
