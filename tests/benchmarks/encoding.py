"""Encoding beside the peers, in one sitting: `python tests/benchmarks/encoding.py FILE… [--megabytes N] [--rounds N]`.

Text goes in as a list of `str`, documents of about 4 kB, on one thread. The vocabulary is learned here (cl100k pattern) and
its ranks are loaded into every peer; ids are checked equal before anything is timed. Cold is a new tokenizer object's first
pass, warm the median of the passes after it. Without FILE, the running Python's standard library is used.
"""

from __future__ import annotations

import argparse
import base64
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.tokenizer.patterns import PATTERNS

Encode = Callable[[list[str]], object]


def documents(text: str, size: int = 4096) -> list[str]:
    """The text cut at line ends into pieces of about `size` bytes."""
    pieces, part, length = [], [], 0
    for line in text.splitlines(keepends=True):
        part.append(line)
        length += len(line.encode())
        if length >= size:
            pieces.append("".join(part))
            part, length = [], 0
    return [*pieces, "".join(part)] if part else pieces


def makers(ranks: Path, tok: Tokenizer) -> dict[str, Callable[[], tuple[Encode, Callable[[object], np.ndarray]]]]:
    """By name: makes (encode, turn its result into one flat array of ids)."""

    def ours() -> tuple[Encode, Callable[[object], np.ndarray]]:
        fresh = Tokenizer(tok.model)
        return (lambda texts: fresh.encode_batch(texts, 1)), (lambda result: result.ids)  # type: ignore[attr-defined]

    def tiktoken() -> tuple[Encode, Callable[[object], np.ndarray]]:
        import tiktoken

        table = dict(zip(tok.model.tokens, range(tok.vocab_size), strict=True))
        encoding = tiktoken.Encoding("ours", pat_str=PATTERNS["cl100k"], mergeable_ranks=table, special_tokens={})
        return (lambda texts: [encoding.encode_ordinary(text) for text in texts]), flat

    def gigatoken() -> tuple[Encode, Callable[[object], np.ndarray]]:
        import awkward
        import gigatoken

        theirs = gigatoken.Tokenizer.from_tiktoken(ranks, pretokenizer="cl100k", special_tokens={})
        return (lambda texts: theirs.encode_batch(texts, parallel=False)), (
            lambda result: awkward.flatten(result).to_numpy()
        )

    return {"ours": ours, "gigatoken": gigatoken, "tiktoken": tiktoken}


def flat(rows: object) -> np.ndarray:
    return np.concatenate([np.asarray(row, np.uint32) for row in rows])  # type: ignore[attr-defined]


def measure(path: Path | None, megabytes: int, vocab_size: int, rounds: int, folder: str) -> None:
    if path is None:
        from bpe_transformer.data import load_corpus

        text, name = "\n".join(load_corpus("python-stdlib")["text"]), "python-stdlib"
    else:
        text, name = path.read_text(encoding="utf-8"), path.name
    tok = learn_bpe(PretokenCounts.from_iterator([text]), vocab_size)
    texts = documents(text.encode()[: megabytes * 1_000_000].decode(errors="ignore"))
    size = sum(len(piece.encode()) for piece in texts)
    print(f"{name}: {size / 1e6:.1f} MB in {len(texts)} documents, vocabulary {tok.vocab_size}")
    ranks = Path(folder, f"{name}.tiktoken")
    ranks.write_bytes(b"".join(base64.b64encode(t) + b" %d\n" % i for i, t in enumerate(tok.model.tokens)))
    cold: dict[str, list[float]] = {}
    warm: dict[str, list[float]] = {}
    expected = tok.encode_batch(texts, 1).ids
    for _ in range(rounds):
        for peer, make in makers(ranks, tok).items():
            encode, ids = make()
            seconds, result = timed(encode, texts)
            if not np.array_equal(ids(result), expected):
                sys.exit(f"ids differ from {peer}")
            cold.setdefault(peer, []).append(seconds)
            warm.setdefault(peer, []).extend(timed(encode, texts)[0] for _ in range(2))
    for peer in cold:
        first, later = statistics.median(cold[peer]), statistics.median(warm[peer])
        ratios = (
            f"ours is {first / statistics.median(cold['ours']):.2f}x, {later / statistics.median(warm['ours']):.2f}x"
        )
        print(f"  {peer:10s} cold {size / first / 1e6:6.0f} MB/s   warm {size / later / 1e6:6.0f} MB/s   {ratios}")


def timed(encode: Encode, texts: list[str]) -> tuple[float, object]:
    start = time.perf_counter()
    result = encode(texts)
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--vocab-size", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, one thread")
    with tempfile.TemporaryDirectory() as folder:
        for path in options.files or [None]:
            measure(path, options.megabytes, options.vocab_size, options.rounds, folder)


if __name__ == "__main__":
    main()
