"""Speed and memory of `prepare`: beside the encoder's own throughput, and beside `datasets.map` with `tokenizers`.

    python tests/benchmarks/data.py english.txt [--megabytes 40]       # speed, by lines and by documents of 4 kB
    python tests/benchmarks/data.py english.txt --memory 100 1000      # peak memory for so many MB of text

Equal ids are asserted before anything is timed. What is compared runs in turn in one process, so that another load on the
machine meets all alike; ratios are of the best runs, of CPU time and of wall time.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

VOCAB_SIZE = 16_000


def learned(text: str) -> Any:
    from bpe_transformer import PretokenCounts, learn_bpe

    counts = PretokenCounts.from_iterator(text[:20_000_000].split("\n"), "gpt2")
    return learn_bpe(counts, VOCAB_SIZE, special_tokens=["<pad>", "<s>", "</s>"])


def best_of(runs: int, jobs: dict[str, Callable[[], Any]]) -> dict[str, tuple[float, float]]:
    """(wall, CPU) seconds of the best run of each job; children count."""

    def cpu() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    best = dict.fromkeys(jobs, (float("inf"), float("inf")))
    for _ in range(runs):
        for name, job in jobs.items():
            wall, used = time.perf_counter(), cpu()
            job()
            wall, used = time.perf_counter() - wall, cpu() - used
            best[name] = (min(best[name][0], wall), min(best[name][1], used))
    return best


def speed(file: Path, megabytes: int, runs: int) -> None:
    import datasets
    import tokenizers

    from bpe_transformer.data import prepare_language_model

    datasets.disable_progress_bars()
    text = file.read_bytes()[: megabytes * 1_000_000].decode("utf-8", "ignore")
    tok, numbers = learned(text), count()
    with tempfile.TemporaryDirectory() as folder:
        tok.save(f"{folder}/tok")
        theirs = tokenizers.Tokenizer.from_file(f"{folder}/tok/tokenizer.json")
        eos = tok.special_tokens["</s>"]
        for name, rows in (
            ("lines", [line for line in text.split("\n") if line.strip()]),
            ("documents of 4 kB", [text[at : at + 4_000] for at in range(0, len(text), 4_000)]),
        ):
            dataset = datasets.Dataset.from_dict({"text": rows})
            column, size = dataset.data.column("text"), sum(len(row.encode()) for row in rows) / 1e6

            def prepare(dataset: Any = dataset) -> Any:
                return prepare_language_model(dataset, tok, out=f"{folder}/rows-{next(numbers)}")

            def with_map(dataset: Any = dataset) -> Any:
                def encode(batch: dict[str, list[str]]) -> dict[str, list[list[int]]]:
                    return {"ids": [[*one.ids, eos] for one in theirs.encode_batch(batch["text"])]}

                return dataset.map(encode, batched=True, remove_columns=["text"], load_from_cache_file=False)

            store = prepare()
            assert store.tolist() == [[*ids, eos] for ids in tok.encode_batch(rows, disallowed_special=()).tolist()]
            mapped = with_map()
            assert all(
                mapped[row]["ids"] == store[row].tolist() for row in range(0, len(rows), max(len(rows) // 500, 1))
            )
            best = best_of(
                runs,
                {
                    "encode_batch": lambda column=column: tok.encode_batch(column, disallowed_special=()),  # type: ignore[misc]
                    "prepare": prepare,
                    "datasets.map": with_map,
                },
            )
            print(f"{name}: {len(rows):,} rows, {size:.0f} MB")
            for job, (wall, used) in best.items():
                print(f"  {job:13} {size / wall:7.1f} MB/s, {size / used:7.1f} MB a CPU second")
            for what, index in (("wall", 0), ("CPU", 1)):
                own = best["encode_batch"][index] / best["prepare"][index]
                other = best["datasets.map"][index] / best["prepare"][index]
                print(f"  {what} time: {own:.2f} of encode_batch, {other:.1f} times datasets.map")


WORKER = """
import resource, sys
import datasets
from bpe_transformer import Tokenizer, TokenStore
from bpe_transformer.data import prepare_language_model
datasets.disable_progress_bars()
what, table, tok, out = sys.argv[1:]
tokenizer = Tokenizer.load(tok)
def status(name):
    return int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1]) / 1024
import threading, time
peak, done = 0.0, False
def watch():
    global peak
    while not done:
        peak = max(peak, status("RssAnon"))
        time.sleep(0.02)
begin = status("RssAnon")
thread = threading.Thread(target=watch); thread.start()
if what == "prepare":
    store = prepare_language_model(datasets.Dataset.from_file(table), tokenizer, out=out)
else:
    from bpe_transformer.data import load_stores
    from bpe_transformer.training import PRESETS
    from bpe_transformer.training.tasks import training_source
    begin = status("RssAnon")
    store, held_out, _ = load_stores(out, tokenizer)
    settings = PRESETS["tiny"].override({"family": "gpt", "max_len": 1024, "max_tokens": 16384})
    for epoch in (0, 1):
        for number, _ in zip(range(200), training_source(store, settings, tokenizer).batches(epoch)):
            pass
done = True; thread.join()
print(f"{store.num_ids:,} ids; anonymous memory {begin:.0f} MB before, {peak:.0f} MB at most; VmHWM {status('VmHWM'):.0f} MB")
"""


def memory(file: Path, sizes: list[int]) -> None:
    import pyarrow as pa

    data = file.read_bytes()
    tok = learned(data[:20_000_000].decode("utf-8", "ignore"))
    with tempfile.TemporaryDirectory() as folder:
        tok.save(f"{folder}/tok")
        documents = [document for document in data.decode("utf-8", "ignore").split("\n\n") if document]
        for size in sizes:
            table, wanted = f"{folder}/{size}.arrow", size * 1_000_000
            schema = pa.schema([("text", pa.large_string())])
            with pa.OSFile(table, "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
                while wanted > 0:
                    for at in range(0, len(documents), 1_000):
                        some = documents[at : at + 1_000]
                        writer.write_batch(pa.record_batch([pa.array(some, pa.large_string())], schema=schema))
                        wanted -= sum(map(len, some))
                        if wanted <= 0:
                            break
            for what in ("prepare", "train"):
                command = [sys.executable, "-c", WORKER, what, table, f"{folder}/tok", f"{folder}/{size}"]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                print(f"{size} MB, {what}: {done.stdout.strip() or done.stderr[-800:]}", flush=True)
            os.unlink(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--megabytes", type=int, default=40)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="+")
    chosen = parser.parse_args()
    if chosen.memory:
        memory(chosen.file, chosen.memory)
    else:
        speed(chosen.file, chosen.megabytes, chosen.runs)
    print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
