"""Decoding, counting and what else goes through the surface: `python tests/benchmarks/decoding.py FILE… [--megabytes N]`.

Beside tiktoken with the same ranks, documents of about 4 kB, one thread, texts and ids checked equal first; then how fast texts
are read from Arrow and NumPy, offsets are found, BPE-dropout draws, and files are encoded. Medians of five passes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bpe_transformer import PretokenCounts, learn_bpe
from bpe_transformer.tokenizer.splitting.patterns import PATTERNS


def median(work: Callable[[], object], rounds: int = 5) -> float:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def measure(path: Path, megabytes: int, vocab_size: int) -> None:
    import tiktoken

    data = path.read_bytes()[: megabytes * 1_000_000]
    tok = learn_bpe(PretokenCounts.from_iterator([data.decode(errors="ignore")], "cl100k"), vocab_size)
    table = dict(zip(tok.model.tokens, range(tok.vocab_size), strict=True))
    theirs = tiktoken.Encoding("ours", pat_str=PATTERNS["cl100k"], mergeable_ranks=table, special_tokens={})
    texts = [data[i : i + 4096].decode(errors="replace") for i in range(0, len(data), 4096)]
    encodings = tok.encode_batch(texts, 1)
    rows = encodings.tolist()
    if rows != [theirs.encode_ordinary(text) for text in texts] or tok.decode_batch(rows) != texts:
        sys.exit("ids or texts differ")
    print(f"{path.name}: {len(data) / 1e6:.1f} MB in {len(texts)} documents, {len(encodings.ids):,} ids")

    def show(name: str, ours: Callable[[], object], peer: Callable[[], object] | None = None) -> None:
        mine = median(ours)
        line = f"  {name:42s} {len(data) / mine / 1e6:6.0f} MB/s"
        if peer is not None:
            other = median(peer, 3)
            line += f"   tiktoken {len(data) / other / 1e6:4.0f}   ours is {other / mine:.1f}x"
        print(line)

    show("decode_batch, lists", lambda: tok.decode_batch(rows), lambda: theirs.decode_batch(rows, num_threads=1))
    show("decode_batch, Encodings", lambda: tok.decode_batch(encodings))
    show(
        "count_batch", lambda: tok.count_batch(texts, 1), lambda: [len(theirs.encode_ordinary(text)) for text in texts]
    )
    show("count", lambda: [tok.count(text) for text in texts])
    column, array = pa.array(texts), np.array(texts)
    show("encode_batch, list of str", lambda: tok.encode_batch(texts, 1))
    show("encode_batch, Arrow", lambda: tok.encode_batch(column, 1))
    show("encode_batch, NumPy U", lambda: tok.encode_batch(array, 1))
    show("encode_batch, dropout 0.1", lambda: tok.encode_batch(texts, 1, dropout=0.1, seed=0))
    show("encode_offsets, bytes", lambda: [tok.encode_offsets(text) for text in texts])
    show("encode_offsets, characters", lambda: [tok.encode_offsets(text, "char") for text in texts])
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "text.txt")
        source.write_bytes(data)
        for documents in ("file", "line"):
            out = Path(folder, documents)
            how: dict[str, Any] = {"documents": documents, "errors": "keep", "num_threads": 1, "overwrite": True}
            show(f"encode_files, a document a {documents}", partial(tok.encode_files, source, out, **how))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--megabytes", type=int, default=10)
    parser.add_argument("--vocab-size", type=int, default=100_000)
    options = parser.parse_args()
    for path in options.files:
        measure(path, options.megabytes, options.vocab_size)


if __name__ == "__main__":
    main()
