"""How learning grows with the vocabulary, what recording the trace costs, and what one long word takes.

`python tests/benchmarks/growth.py FILE… [--runs N]`. Seconds are the processor's, since the machine may be shared. A size is
a process of its own; learning with and without recording takes turns in one process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

SIZES = (8_192, 16_384, 32_768, 65_536, 131_072)

LEARN = """
import json, resource, sys, time
from bpe_transformer import PretokenCounts, learn_bpe
counts = PretokenCounts.from_files([sys.argv[1]], pattern="gpt2")
counted = time.process_time()
tok = learn_bpe(counts, int(sys.argv[2]))
print(json.dumps([time.process_time() - counted, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, tok.trace.ties]))
"""


def grow(path: Path, runs: int) -> None:
    print(f"{path.name}: merging alone, counts at hand; peak memory of the process, counting included")
    for size in SIZES:
        results = []
        for _ in range(runs):
            command = [sys.executable, "-c", LEARN, str(path), str(size)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            results.append(json.loads(done.stdout))
        seconds = statistics.median(result[0] for result in results)
        print(f"  {size:7,d}  {seconds:5.2f} s  {results[0][1]:5.0f} MiB  {results[0][2]:,d} ties", flush=True)


def recording(path: Path, runs: int, vocab_size: int = 32_768) -> None:
    """Learns with and without finding out runners-up and words touched, in turn, and compares pair by pair."""
    from bpe_transformer import PretokenCounts
    from bpe_transformer.tokenizer.learning.learning_run import LearningRun
    from bpe_transformer.tokenizer.learning.options import LearnOptions

    start = LearningRun(PretokenCounts.from_files([path], pattern="gpt2"), LearnOptions(), None)

    def seconds(record: bool) -> float:
        before = time.process_time()
        learner = start._learner(vocab_size - 256, record)
        for _ in range(256, vocab_size, 64):
            learner.run(64)
        return time.process_time() - before

    pairs = [(seconds(True), seconds(False)) for _ in range(runs)]
    on, off = (statistics.median(column) for column in zip(*pairs, strict=True))
    cost = statistics.median(a / b for a, b in pairs) - 1
    print(f"  recording: {on:.3f} s with, {off:.3f} s without, {cost:+.1%} as the median of {runs} pairs", flush=True)


def long_words() -> None:
    from bpe_transformer import PretokenCounts, learn_bpe

    print("one word of n MB: learning 8,192 ids from it, and encoding it with them")
    for name, unit in (("abcab, repeated", "abcab"), ("a, repeated", "a"), ("letters that vary", None)):
        for megabytes in (1, 3, 10):
            size = megabytes * 1_000_000
            text = (
                (unit * (size // len(unit) + 1))[:size]
                if unit
                else "".join(chr(97 + i * i % 7919 % 23) for i in range(size))
            )
            counts = PretokenCounts.from_iterator([text], "none")
            before = time.process_time()
            tok = learn_bpe(counts, 8_192)
            learned = time.process_time()
            ids = tok.encode(text)
            encoded = time.process_time()
            assert tok.trace is not None
            assert len(ids) == tok.trace.tokens_left[-1]
            print(f"  {name:18s} {megabytes:3d} MB  {learned - before:5.2f} s  {encoded - learned:5.2f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    for path in options.files:
        grow(path, options.runs)
        recording(path, 3 * options.runs)
    long_words()


if __name__ == "__main__":
    main()
