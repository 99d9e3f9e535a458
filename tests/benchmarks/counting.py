"""How counting and learning grow with the corpus, and what each source of text costs: `python tests/benchmarks/counting.py FILE…`.

Every run is a process of its own; the least of several runs is printed, since the machine may be shared: seconds by the clock,
seconds of processor time, and the peak of memory. The first column of sizes are the first 10, 30 and 100 MB of each file,
then the whole file is counted packed, as a table, and with little memory, and the counts are checked to be equal first.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

RUN = """
import json, sys, time
from typing import Any
from bpe_transformer import PretokenCounter, PretokenCounts, learn_bpe
path, output, options, vocab_size = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4])
def used():
    return time.perf_counter(), time.process_time()
start = used()
add = options.pop("add", {})
counter = PretokenCounter("gpt2", 2, **options)
counter.add_file(path, **add)
facts = counter.save(output) if output else None
counts = None if output else counter.counts()
counted = used()
if vocab_size:
    learn_bpe(counts, vocab_size)
learned = used()
with open("/proc/self/status") as status:  # unlike getrusage, knows nothing of the parent
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
total = (facts["words"], facts["total"]) if output else (len(counts), counts.total)
print(json.dumps([counted[0] - start[0], counted[1] - start[1], learned[0] - counted[0], learned[1] - counted[1], peak, *total]))
"""


def run(runs: int, path: Path, output: str = "", vocab_size: int = 0, **options: object) -> list[float]:
    """The least of each figure."""
    arguments = [str(path), output, json.dumps(options), str(vocab_size)]
    results = []
    for _ in range(runs):
        done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=True)
        results.append(json.loads(done.stdout))
    return [min(column) for column in zip(*results, strict=True)]


def growth(path: Path, folder: Path, sizes: list[int], runs: int, vocab_size: int) -> None:
    print(f"{path.name}: vocabulary {vocab_size}; seconds by the clock (of processor time)")
    print("      MB   words     counting          learning       peak MiB")
    data = path.read_bytes()
    for size in sizes:
        part = folder / "part.txt"
        part.write_bytes(data[: size * 10**6].decode(errors="ignore").encode())
        wall, processor, learn, learn_processor, peak, words, _ = run(runs, part, vocab_size=vocab_size)
        print(
            f"  {size:6} {int(words):9,} {wall:6.2f} ({processor:5.2f}) {learn:9.2f} ({learn_processor:5.2f}) {peak:10.0f}",
            flush=True,
        )


def sources(path: Path, folder: Path, runs: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    kinds = {
        name: folder / f"all.{name}" for name in ("txt", "txt.gz", "txt.zst", "flat.txt", "jsonl", "csv", "parquet")
    }
    kinds["txt"].write_text(text, encoding="utf-8", newline="")
    kinds["flat.txt"].write_text(text.replace("\n", " "), encoding="utf-8")
    with gzip.open(kinds["txt.gz"], "wb", 6) as packed:
        packed.write(text.encode())
    kinds["txt.zst"].write_bytes(pa.Codec("zstd").compress(text.encode(), asbytes=True))
    kinds["jsonl"].write_text("\n".join(json.dumps({"text": line}) for line in lines), encoding="utf-8")
    quoted = ('"' + line.replace('"', '""') + '"' for line in lines)
    kinds["csv"].write_text("\n".join(["text", *quoted]), encoding="utf-8", newline="")
    pq.write_table(pa.table({"text": lines}), kinds["parquet"])
    print(f"{path.name}: sources, counted only; seconds by the clock (of processor time)")
    by_line: dict[str, tuple[float, float]] = {}
    for name, file in kinds.items():
        options: dict[str, Any] = {"add": {"documents": "line"}} if name.startswith("txt") else {}
        wall, processor, _, _, peak, words, total = run(runs, file, **options)
        if name != "flat.txt":
            by_line[name] = (words, total)
        print(f"  {name:10} {wall:6.2f} ({processor:5.2f})  peak {peak:5.0f} MiB", flush=True)
    assert len(set(by_line.values())) == 1, by_line
    expected = run(1, kinds["txt"])[5:]
    for memory in ("16MB", "64MB", "256MB"):
        wall, processor, _, _, peak, *found = run(runs, kinds["txt"], str(folder / "counts.parquet"), max_memory=memory)
        assert found == expected
        print(f"  to a file within {memory:6} {wall:6.2f} ({processor:5.2f})  peak {peak:5.0f} MiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--sizes", nargs="*", type=int, default=[10, 30, 100], metavar="MB")
    parser.add_argument("--vocab-size", type=int, default=32768)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["growth", "sources"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for path in options.files:
            if options.only != "sources":
                growth(path, Path(folder), options.sizes, options.runs, options.vocab_size)
            if options.only != "growth":
                sources(path, Path(folder), options.runs)


if __name__ == "__main__":
    main()
