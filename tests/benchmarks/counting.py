"""How counting and learning grow with the corpus, and what each source of text costs: `python tests/benchmarks/counting.py FILE…`.

Every run is a process of its own; the least of several runs is printed, since the machine may be shared: seconds by the clock,
seconds of processor time, and the peak of memory. The first column of sizes are the first 10, 30 and 100 MB of each file,
then the whole file is counted packed, as a table, and with little memory, and the counts are checked to be equal first; with
`--threads 1`, the megabytes of text that a core counts in a second are those of the table. Beside a packed file stands what
unpacking it takes alone.
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
import pyarrow.parquet  # loading it is no part of what is timed
from bpe_transformer import PretokenCounter, PretokenCounts, learn_bpe
path, output, options, vocab_size = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4])
def used():
    return time.perf_counter(), time.process_time()
start = used()
add = options.pop("add", {})
counter = PretokenCounter("gpt2", options.pop("threads", 2), **options)
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


ALONE = """
import json, sys, time
import pyarrow
from bpe_transformer.io import ByteFile
start = time.perf_counter(), time.process_time()
with ByteFile(sys.argv[1]) as file:
    for _ in file.blocks():
        pass
print(json.dumps([time.perf_counter() - start[0], time.process_time() - start[1]]))
"""


def unpacked(runs: int, path: Path) -> list[float]:
    """Seconds by the clock and of processor time that a packed file takes to be unpacked, and nothing else."""
    done = [
        subprocess.run([sys.executable, "-c", ALONE, str(path)], capture_output=True, check=True) for _ in range(runs)
    ]
    return [min(column) for column in zip(*(json.loads(one.stdout) for one in done), strict=True)]


def write_rows(rows: list[str], folder: Path) -> list[Path]:
    """Files of each kind that hold these rows, each a text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    json_lines = "".join(json.dumps({"text": row}, ensure_ascii=False) + "\n" for row in rows).encode()
    (folder / "rows.jsonl").write_bytes(json_lines)
    (folder / "rows.jsonl.zst").write_bytes(pa.Codec("zstd").compress(json_lines, asbytes=True))
    quoted = ('"' + row.replace('"', '""') + '"' for row in rows)
    (folder / "rows.csv").write_text("\n".join(["text", *quoted]), encoding="utf-8", newline="")
    for codec in ("snappy", "zstd"):
        pq.write_table(pa.table({"text": rows}), folder / f"{codec}.parquet", compression=codec)
    return sorted(folder.iterdir())


def rows_of(text: str, size: int) -> list[str]:
    """The text as rows of whole lines, each of about `size` characters."""
    rows: list[str] = []
    kept: list[str] = []
    length = 0
    for line in text.split("\n"):
        kept.append(line)
        length += len(line) + 1
        if length >= size:
            rows.append("\n".join(kept))
            kept, length = [], 0
    return [*rows, "\n".join(kept)] if kept else rows


def sources(path: Path, folder: Path, runs: int, threads: int) -> None:
    import pyarrow as pa

    folder.mkdir()
    text = path.read_text(encoding="utf-8")
    whole = {name: folder / f"all.{name}" for name in ("txt", "txt.gz", "txt.zst", "flat.txt")}
    whole["txt"].write_text(text, encoding="utf-8", newline="")
    whole["flat.txt"].write_text(text.replace("\n", " "), encoding="utf-8")
    with gzip.open(whole["txt.gz"], "wb", 6) as packed:
        packed.write(text.encode())
    whole["txt.zst"].write_bytes(pa.Codec("zstd").compress(text.encode(), asbytes=True))
    print(f"{path.name}: sources, counted only, threads: {threads}; seconds by the clock (of processor time)")

    def show(name: str, file: Path, **options: Any) -> tuple[float, float]:
        wall, processor, _, _, peak, words, total = run(runs, file, threads=threads, **options)
        alone = unpacked(runs, file) if file.suffix in (".gz", ".zst") else None
        beside = f"  unpacking alone {alone[0]:.2f} ({alone[1]:.2f})" if alone else ""
        speed = len(text.encode()) / 1e6 / processor
        print(
            f"  {name:34} {wall:6.2f} ({processor:5.2f})  {speed:4.0f} MB/s a core  peak {peak:5.0f} MiB{beside}",
            flush=True,
        )
        return words, total

    show("one document, no line end", whole["flat.txt"])
    by_line = {
        name: show(f"{name}, lines", whole[name], add={"documents": "line"}) for name in ("txt", "txt.gz", "txt.zst")
    }
    for kind, size in (("lines", 1), ("documents of 3 kB", 3000)):
        found = {
            file.name: show(f"{file.name}, {kind}", file) for file in write_rows(rows_of(text, size), folder / kind)
        }
        assert len({*found.values(), *(by_line.values() if size == 1 else ())}) == 1, (by_line, found)
    expected = run(1, whole["txt"])[5:]
    for memory in ("16MB", "64MB", "256MB"):
        output = str(folder / "counts.parquet")
        wall, processor, _, _, peak, *same = run(runs, whole["txt"], output, threads=threads, max_memory=memory)
        assert same == expected
        print(f"  to a file within {memory:6} {wall:6.2f} ({processor:5.2f})  peak {peak:5.0f} MiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--sizes", nargs="*", type=int, default=[10, 30, 100], metavar="MB")
    parser.add_argument("--vocab-size", type=int, default=32768)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="of the sources")
    parser.add_argument("--only", choices=["growth", "sources"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for path in options.files:
            if options.only != "sources":
                growth(path, Path(folder), options.sizes, options.runs, options.vocab_size)
            if options.only != "growth":
                sources(path, Path(folder, path.stem), options.runs, options.threads)


if __name__ == "__main__":
    main()
