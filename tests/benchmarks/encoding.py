"""Encoding beside the peers, in one sitting: `python tests/benchmarks/encoding.py FILE… [--megabytes N] [--rounds N]`.

Text goes in as a list of `str`, documents of about 4 kB. The vocabulary is learned here (cl100k pattern) and its ranks are
loaded into every peer; ids are checked equal before anything is timed. Cold is a new tokenizer object's first pass, warm the
best of the passes after it. What runs on one thread is timed in processor time, which other work on the machine disturbs least;
two threads in seconds. `--worst` measures ours on texts made to be slow instead. Without FILE, the running Python's standard
library is used.
"""

from __future__ import annotations

import argparse
import base64
import platform
import random
import shutil
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.tokenizer.splitting.patterns import PATTERNS

Encode = Callable[[list[str]], Any]
SHORT = "The cat sat there on"  # 20 characters


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


def quicktok_data(tok: Tokenizer, folder: Path) -> Path:
    """A data folder of quicktok's whose cl100k is our vocabulary."""
    import quicktok

    data = folder / "quicktok"
    shutil.copytree(Path(quicktok.__file__).with_name("data"), data)
    entries = (
        struct.pack("<H", len(token)) + token + struct.pack("<I", id) for id, token in enumerate(tok.model.tokens)
    )
    (data / "cl100k.vocab").write_bytes(struct.pack("<I", tok.vocab_size) + b"".join(entries))
    (data / "cl100k.special").write_bytes(struct.pack("<I", 0))
    return data


def makers(folder: Path, tok: Tokenizer) -> dict[str, Callable[[], tuple[Encode, Callable[[Any], np.ndarray]]]]:
    """By name: makes (encode, turn its result into one flat array of ids)."""
    ranks = folder / "ranks.tiktoken"
    ranks.write_bytes(b"".join(base64.b64encode(t) + b" %d\n" % i for i, t in enumerate(tok.model.tokens)))
    data = quicktok_data(tok, folder)

    def ours() -> tuple[Encode, Callable[[Any], np.ndarray]]:
        fresh = Tokenizer(tok.model)
        return (lambda texts: fresh.encode_batch(texts, 1)), lambda result: result.ids

    def tiktoken() -> tuple[Encode, Callable[[Any], np.ndarray]]:
        encoding = tiktoken_encoding(tok)
        return (lambda texts: [encoding.encode_ordinary(text) for text in texts]), flat

    def gigatoken() -> tuple[Encode, Callable[[Any], np.ndarray]]:
        import awkward
        import gigatoken

        theirs = gigatoken.Tokenizer.from_tiktoken(ranks, pretokenizer="cl100k", special_tokens={})
        return (lambda texts: theirs.encode_batch(texts, parallel=False)), (
            lambda result: awkward.flatten(result).to_numpy()
        )

    def quicktok() -> tuple[Encode, Callable[[Any], np.ndarray]]:
        import quicktok

        theirs = quicktok.Tokenizer("cl100k_base", str(data))
        return (lambda texts: theirs.encode_batch(texts, 1)), lambda result: np.asarray(result[0])

    peers = {"ours": ours, "gigatoken": gigatoken, "quicktok": quicktok, "tiktoken": tiktoken}
    try:
        quicktok()
    except RuntimeError as cause:  # it bounds the length of tokens
        print(f"  quicktok takes no part: {str(cause).split(': /')[0]}")
        del peers["quicktok"]
    return peers


def tiktoken_encoding(tok: Tokenizer) -> Any:
    import tiktoken

    table = dict(zip(tok.model.tokens, range(tok.vocab_size), strict=True))
    return tiktoken.Encoding("ours", pat_str=PATTERNS["cl100k"], mergeable_ranks=table, special_tokens={})


def flat(rows: Sequence[Sequence[int]]) -> np.ndarray:
    return np.concatenate([np.asarray(row, np.uint32) for row in rows])


def timed(work: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> tuple[float, Any]:
    start = clock()
    result = work()
    return clock() - start, result


def learn(path: Path | None, vocab_size: int) -> tuple[str, Tokenizer, str]:
    """(name, vocabulary, text)"""
    if path is None:
        from bpe_transformer.data import load_corpus

        text, name = "\n".join(load_corpus("python-stdlib")["text"]), "python-stdlib"
    else:
        text, name = path.read_text(encoding="utf-8"), path.name
    return name, learn_bpe(PretokenCounts.from_iterator([text], "cl100k"), vocab_size), text


def measure(tok: Tokenizer, texts: list[str], rounds: int, folder: Path) -> None:
    size = sum(len(piece.encode()) for piece in texts)
    times: dict[str, list[tuple[float, float, float]]] = {}
    expected = tok.encode_batch(texts, 1).ids
    made = makers(folder, tok)
    for _ in range(rounds):
        for peer, make in made.items():
            build, (encode, ids) = timed(make)
            cold, result = timed(partial(encode, texts))
            if not np.array_equal(ids(result), expected):
                sys.exit(f"ids differ from {peer}")
            passes = 3 if peer in ("ours", "gigatoken") else 1
            warm = min(timed(partial(encode, texts))[0] for _ in range(passes))
            times.setdefault(peer, []).append((build, cold, warm))
    ours = [statistics.median(column) for column in zip(*times["ours"], strict=True)]
    for peer, rows in times.items():
        build, cold, warm = (statistics.median(column) for column in zip(*rows, strict=True))
        print(
            f"  {peer:10s} made in {build * 1e3:4.0f} ms   cold {size / cold / 1e6:6.0f} MB/s   warm {size / warm / 1e6:6.0f} MB/s"
            f"   ours is {cold / ours[1]:.2f}x, {warm / ours[2]:.2f}x"
        )


def measure_others(tok: Tokenizer, texts: list[str]) -> None:
    """Threads, one short text, decoding and counting, beside tiktoken."""
    theirs = tiktoken_encoding(tok)
    seconds: dict[int, float] = {1: float("inf"), 2: float("inf")}
    for _ in range(15):
        for number in seconds:
            seconds[number] = min(
                seconds[number], timed(partial(tok.encode_batch, texts, number), time.perf_counter)[0]
            )
    print(f"  two threads, warm: {seconds[1] / seconds[2]:.2f}x one (of {len(os_cores())} cores)")
    assert tok.encode(SHORT) == theirs.encode(SHORT)
    compare("encode of 20 characters, µs", *(best(partial(e.encode, SHORT), 2000) * 1e6 for e in (tok, theirs)))
    rows = [ids.tolist() for ids in tok.encode_batch(texts[:500], 1)]
    assert tok.decode_batch(rows) == theirs.decode_batch(rows, num_threads=1) == texts[:500]
    compare("decode_batch of 500 lists, ms", best(lambda: tok.decode_batch(rows), 5) * 1e3,
            best(lambda: theirs.decode_batch(rows, num_threads=1), 5) * 1e3)  # fmt: skip
    text = texts[0]
    assert tok.count(text) == len(theirs.encode(text))
    compare(
        "count of 4 kB, µs", best(lambda: tok.count(text), 100) * 1e6, best(lambda: len(theirs.encode(text)), 100) * 1e6
    )


def os_cores() -> set[int]:
    import os

    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def best(work: Callable[[], Any], times: int) -> float:
    """Seconds of one call, the best of five rows of `times`."""
    return min(timed(lambda: [work() for _ in range(times)])[0] for _ in range(5)) / times


def compare(what: str, ours: float, theirs: float) -> None:
    print(f"  {what}: ours {ours:.2f}, tiktoken {theirs:.2f}: {theirs / ours:.1f}x")


def worst_texts(text: str) -> Iterator[tuple[str, Callable[[int], str | bytes]]]:
    """Texts of a given size that give caches, queues and scanners most to do."""
    choice = random.Random(1)
    letters = "".join(c for c in text if c.isalpha())
    yield "the text", lambda n: text.encode()[:n]
    yield "one letter", lambda n: "a" * n
    yield "spaces", lambda n: " " * n
    yield "digits", lambda n: "".join(choice.choices("0123456789", k=n))
    yield "random bytes", lambda n: choice.randbytes(n)
    yield "one unbroken word of the text's letters", lambda n: letters.encode()[:n].decode(errors="ignore")
    yield "one word of random letters", lambda n: "".join(choice.choices("abcdefghijklmnopqrstuvwxyz", k=n))
    yield "combining marks", lambda n: "\u0301" * (n // 2)
    yield "random words", lambda n: "".join(choice.choices("abcdefghijklmnopqrstuvwxyz     ", k=n))


def measure_worst(tok: Tokenizer, text: str) -> None:
    """Nanoseconds a byte of one text by a new tokenizer object, making it not counted, against ordinary text of 10 MB."""
    mean = 0.0
    for what, make in worst_texts(text):
        cells = []
        for size in (10, 1, 3):
            sample = make(size * 1_000_000)
            objects = [Tokenizer(tok.model) for _ in range(3)]
            seconds = min(timed(partial(new.encode_batch, [sample], 1))[0] for new in objects)
            cells.append(seconds / size * 1e3)
        mean = mean or cells[0]
        ten, one, three = cells
        print(
            f"  {what:40s} 1 MB {one:6.1f}   3 MB {three:6.1f}   10 MB {ten:6.1f} ns/byte   {ten / mean:4.1f}x the text's"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--vocab-size", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worst", action="store_true", help="texts made to be slow, at 1, 3 and 10 MB")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, one thread")
    for path in options.files or [None]:
        name, tok, text = learn(path, options.vocab_size)
        texts = documents(text.encode()[: options.megabytes * 1_000_000].decode(errors="ignore"))
        print(
            f"{name}: {sum(map(len, texts)) / 1e6:.1f} M characters in {len(texts)} documents, vocabulary {tok.vocab_size}"
        )
        if options.worst:
            measure_worst(tok, text)
            continue
        with tempfile.TemporaryDirectory() as folder:
            measure(tok, texts, options.rounds, Path(folder))
        measure_others(tok, texts)


if __name__ == "__main__":
    main()
