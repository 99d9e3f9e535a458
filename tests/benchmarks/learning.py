"""Learning a vocabulary beside the peers, in one sitting: `python tests/benchmarks/learning.py FILE… [--vocab-size N] [--runs N]`.

First the merges are checked equal to those of `tokenizers` (GPT-2's byte order) and `rustbpe` (plain byte order), each given
the whole file as one document. Then every run is a process of its own, ours and the peers' in turn, and the medians and
their ratios are printed. Without FILE, the running Python's standard library is joined into one file and used.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

GPT2 = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""

RUN = """
import resource, sys, time
path, vocab_size = sys.argv[1], int(sys.argv[2])
{setup}
start = time.perf_counter()
{learn}
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
import json; print(json.dumps([seconds, peak]))
"""
PEERS = {
    "ours": (
        "from bpe_transformer import PretokenCounts, learn_bpe",
        "learn_bpe(PretokenCounts.from_files([path], pattern='gpt2'), vocab_size)",
    ),
    "gigatoken": ("import gigatoken", "gigatoken.train_bpe(path, vocab_size, [])"),
    "tokenizers": (
        "from tokenizers import Tokenizer, models, trainers, pre_tokenizers as pre\n"
        "tok = Tokenizer(models.BPE()); tok.pre_tokenizer = pre.ByteLevel(add_prefix_space=False)\n"
        "trainer = trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False, initial_alphabet=pre.ByteLevel.alphabet())",
        "tok.train([path], trainer)",
    ),
    "rustbpe": (
        f"import rustbpe; tok = rustbpe.Tokenizer(); pattern = {GPT2!r}",
        "tok.train_from_iterator(open(path, encoding='utf-8', newline=''), vocab_size=vocab_size, pattern=pattern)",
    ),
}


def run(peer: str, path: Path, vocab_size: int) -> tuple[float, float]:
    """(seconds, peak MiB) of one process that learns once."""
    setup, learn = PEERS[peer]
    code = RUN.format(setup=setup, learn=learn)
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(vocab_size)], capture_output=True, text=True, check=True
    )
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def check_equal(path: Path, vocab_size: int) -> None:
    """Exits unless all merges equal those of both exact peers."""
    import rustbpe
    import tokenizers
    from tokenizers import models, pre_tokenizers, trainers

    from bpe_transformer import PretokenCounts, learn_bpe
    from bpe_transformer.tokenizer.formats.tokenizer_json import to_json

    text = path.read_text(encoding="utf-8")
    counts = PretokenCounts.from_files(path, pattern="gpt2")
    theirs = tokenizers.Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    theirs.train_from_iterator(
        [text], trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False, initial_alphabet=alphabet)
    )
    ours = to_json(learn_bpe(counts, vocab_size, alphabet_order="gpt2").model)["model"]["merges"]
    compare("tokenizers", ours, json.loads(theirs.to_str())["model"]["merges"])
    rust = rustbpe.Tokenizer()
    rust.train_from_iterator([text], vocab_size=vocab_size, pattern=GPT2)
    ranks = sorted(rust.get_mergeable_ranks(), key=lambda item: item[1])
    compare("rustbpe", list(learn_bpe(counts, vocab_size).model.tokens), [bytes(token) for token, _ in ranks])


def compare(peer: str, ours: list[object], theirs: list[object]) -> None:
    first = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
    if first is not None or len(ours) != len(theirs):
        sys.exit(f"merges differ from {peer} at {first}: {len(ours)} and {len(theirs)} in all")
    print(f"  equal to {peer}: {len(ours)}", flush=True)


def standard_library(folder: str) -> Path:
    from bpe_transformer.data import load_corpus

    path = Path(folder, "python-stdlib.txt")
    path.write_text("\n".join(load_corpus("python-stdlib")["text"]), encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--vocab-size", type=int, default=32768)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=["gigatoken", "tokenizers", "rustbpe"])
    parser.add_argument("--no-check", action="store_true", help="skip the comparison of merges")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        for path in options.files or [standard_library(folder)]:
            print(f"{path.name}: {path.stat().st_size / 1e6:.0f} MB, vocabulary {options.vocab_size}")
            if not options.no_check:  # in a process of its own, since children inherit the peak memory of their parent
                check = multiprocessing.get_context("spawn").Process(
                    target=check_equal, args=(path, options.vocab_size)
                )
                check.start()
                check.join()
                if check.exitcode:
                    sys.exit(check.exitcode)
            results: dict[str, list[tuple[float, float]]] = {peer: [] for peer in ["ours", *options.peers]}
            for _ in range(options.runs):
                for peer, runs in results.items():
                    runs.append(run(peer, path, options.vocab_size))
            ours = statistics.median(seconds for seconds, _ in results["ours"])
            for peer, runs in results.items():
                seconds, peak = statistics.median(s for s, _ in runs), max(p for _, p in runs)
                print(f"  {peer:12s} {seconds:7.2f} s  peak {peak:6.0f} MiB  {seconds / ours:5.1f}x ours")


if __name__ == "__main__":
    main()
