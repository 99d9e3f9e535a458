"""Writes sound files of every kind that is read, damages them, and reads them again, in a process that may die of it.

    python tests/faults/corruption.py FOLDER FLIPS CUTS KIND...

Each attempt is a line of JSON: the file and what was done to it, and then what came of it. "same" and "refused" are right,
and "changed" where no checksum could tell; "silent", where one could, and anything else is wrong, as is an early end.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import BpeTransformerError

SPECIAL = ["<pad>", "<s>", "</s>"]
TEXTS = ["the low lower newest widest house", "가나 다라 마바", "", "a new house, 1,234 low houses!"] * 5
SECONDS = 20  # that one attempt may take
BYTES = 16 << 30  # of address space, beyond what the process has at the start


@dataclass(frozen=True)
class Kind:
    """Files of one kind.

    write: makes them in a folder. read: what they hold, as something to compare; it may also write. files: those to damage.
    checked: those of them that have a checksum, besides the ones that a manifest lists.
    """

    write: Callable[[Path], object]
    read: Callable[[Path], object]
    files: tuple[str, ...]
    checked: tuple[str, ...] = ()


def tokenizer() -> Tokenizer:
    return learn_bpe(PretokenCounts.from_iterator(TEXTS), 300, special_tokens=SPECIAL)


# --- vocabularies, traces, counts ----------------------------------------------------------------------------------------


def read_tokenizer(path: Path) -> object:
    loaded = Tokenizer.load(path)
    trace = loaded.trace
    steps = [] if trace is None else [str(step) for step in trace]
    return loaded.digest, steps, loaded.encode_batch(TEXTS, disallowed_special=()).tolist()


def without_manifest(write: Callable[[Path], object]) -> Callable[[Path], None]:
    def written(folder: Path) -> None:
        write(folder)
        for manifest in folder.rglob("manifest.json"):
            manifest.unlink()

    return written


def exported(form: str, name: str, **options: Any) -> Kind:
    def read(folder: Path) -> object:
        return Tokenizer.from_file(folder / name, **options).encode_batch(TEXTS, disallowed_special=()).tolist()

    def write(folder: Path) -> None:
        learned = learn_bpe(PretokenCounts.from_iterator(TEXTS, **options), 300)
        learned.export(folder if name == "vocab.json" else folder / name, form)

    return Kind(without_manifest(write), read, ("*",))


def read_counts(folder: Path) -> object:
    counts = PretokenCounts.load(folder / "counts.parquet")
    return sorted(counts.items()), str(counts.facts)


def read_word_list(folder: Path) -> object:
    return sorted(PretokenCounts.from_word_list(folder / "words.tsv").items())


def write_counts_facts(folder: Path) -> None:
    import pyarrow.parquet as pq

    PretokenCounts.from_iterator(TEXTS).save(folder / "counts.parquet")
    facts = pq.read_metadata(folder / "counts.parquet").metadata[b"bpe_transformer.counts"]
    (folder / "facts.json").write_bytes(facts)


def read_counts_facts(folder: Path) -> object:
    """As `read_counts`, of a file with the facts that lie beside it."""
    import pyarrow.parquet as pq

    table = pq.ParquetFile(folder / "counts.parquet").read()
    facts = {b"bpe_transformer.counts": (folder / "facts.json").read_bytes()}
    pq.write_table(table.replace_schema_metadata(facts), folder / "changed.parquet")
    counts = PretokenCounts.load(folder / "changed.parquet")
    return sorted(counts.items()), str(counts.facts), learn_bpe(counts, 260).digest


# --- ids -------------------------------------------------------------------------------------------------------------------


def encode_to(format: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "text.txt").write_text("\n".join(TEXTS), encoding="utf-8")
        learned = tokenizer()
        learned.encode_files(folder / "text.txt", folder / "out", format=format, documents="line")  # type: ignore[arg-type]
        learned.save(folder / "tok")

    return write


def read_encoded(folder: Path) -> object:
    from bpe_transformer import TokenStore

    loaded = TokenStore.load(folder / "out", Tokenizer.load(folder / "tok"))
    loaded.to_arrow().validate(full=True)
    Tokenizer.load(folder / "tok").decode_batch(iter(loaded))
    return loaded.tolist(), loaded.ledger, loaded.digest, loaded.sources


def stream_to(form: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        from bpe_transformer.tokenizer.files.id_writers import id_writer

        learned = tokenizer()
        learned.save(folder / "tok")
        starts = folder / "starts.npy" if form == "npy" else None
        with (folder / "ids").open("wb") as out:
            writer = id_writer(form, out, learned.vocab_size, row_starts_path=starts)  # type: ignore[arg-type]
            for start in range(0, len(TEXTS), 5):
                writer.write(learned.encode_batch(TEXTS[start : start + 5]))
            writer.close()

    return write


def read_stream(folder: Path) -> object:
    from bpe_transformer.tokenizer.files.id_streams import IdStream, decoded_rows

    codec = Tokenizer.load(folder / "tok").codec
    starts = folder / "starts.npy"
    with (folder / "ids").open("rb") as file:
        rows = IdStream(file).rows(codec, lambda stream: iter([stream.read()]), starts if starts.exists() else None)
        return b"".join(decoded_rows(codec, some, skip_special=False) for some in rows)


# --- corpora and prepared rows -----------------------------------------------------------------------------------------------


def use_cache(folder: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    datasets.config.HF_DATASETS_CACHE = folder / "cache"  # type: ignore[attr-defined]
    datasets.config.HF_HUB_OFFLINE = True


def corpus(name: str) -> Kind:
    def write(folder: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = [{"text": text, "number": index} for index, text in enumerate(TEXTS) if text]
        if name.endswith(".parquet"):
            pq.write_table(pa.Table.from_pylist(rows), folder / name)
            return
        if ".jsonl" in name:
            data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        elif ".csv" in name:
            data = "text,number\n" + "".join(f'"{row["text"]}",{row["number"]}\n' for row in rows)
        else:
            data = "\n".join(str(row["text"]) for row in rows)
        codec = {".gz": "gzip", ".zst": "zstd"}.get(Path(name).suffix)
        with pa.CompressedOutputStream(str(folder / name), codec) if codec else (folder / name).open("wb") as out:
            out.write(data.encode())

    def read(folder: Path) -> object:
        from bpe_transformer.data import load_corpus

        shutil.rmtree(folder / "cache", ignore_errors=True)
        use_cache(folder)
        return load_corpus(str(folder / name)).to_dict()

    return Kind(write, read, (name,))


def write_cache(folder: Path) -> None:
    (folder / "text.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS), encoding="utf-8")
    tokenizer().save(folder / "tok")
    read_cache(folder)


def read_cache(folder: Path) -> object:
    from bpe_transformer.data import load_corpus, prepare_language_model, read_stage

    use_cache(folder)
    rows = load_corpus(str(folder / "text.jsonl"))
    prepared = prepare_language_model(rows, Tokenizer.load(folder / "tok"), cache_dir=folder / "maps")
    return rows.to_dict(), read_stage(rows), prepared.to_dataset().to_dict(), prepared.ledger


def write_prepared(folder: Path) -> None:
    from datasets import Dataset

    from bpe_transformer.data import prepare_language_model

    use_cache(folder)
    learned = tokenizer()
    learned.save(folder / "tok")
    rows = Dataset.from_dict({"text": TEXTS})
    prepare_language_model(rows, learned, cache_dir=folder / "maps").save(folder / "rows")
    shutil.rmtree(folder / "maps")


def read_prepared(folder: Path) -> object:
    from bpe_transformer.data import TokenStore

    prepared = TokenStore.load(folder / "rows", Tokenizer.load(folder / "tok"))
    return prepared.to_dataset().to_dict(), prepared.ledger, prepared.task, prepared.lengths.tolist()


def read_recipe(folder: Path) -> object:
    from bpe_transformer.data.corpora.recipes import parse_recipe

    return parse_recipe("multi30k", (folder / "multi30k.toml").read_bytes().decode(errors="replace"))


def write_recipe(folder: Path) -> None:
    from importlib.resources import files

    text = (files("bpe_transformer.corpora") / "recipes" / "multi30k.toml").read_bytes()
    (folder / "multi30k.toml").write_bytes(text)


# --- models ------------------------------------------------------------------------------------------------------------------


def _train(folder: Path, *, resume: bool) -> object:
    from datasets import Dataset

    from bpe_transformer.data import prepare_language_model
    from bpe_transformer.training import Settings, train_language_model

    use_cache(folder)
    learned = Tokenizer.load(folder / "tok")
    rows = prepare_language_model(Dataset.from_dict({"text": TEXTS}), learned, cache_dir=folder / "maps")
    small = {"d_model": 8, "n_layers": 1, "n_heads": 2, "d_ff": 8, "max_len": 8, "epochs": 2, "max_tokens": 64}
    settings = Settings.preset("tiny").override({"family": "gpt"}, small, {"average_last": 2, "device": "cpu"})
    done = train_language_model(rows, rows, learned, settings=settings, directory=folder / "run", resume=resume)
    return done.steps, done.chosen, done.validation_loss, done.history


def write_run(folder: Path) -> None:
    tokenizer().save(folder / "tok")
    _train(folder, resume=False)


def read_checkpoint(folder: Path) -> object:
    from bpe_transformer.training import load_checkpoint
    from bpe_transformer.training.checkpoint import weights_of

    model, info, loaded = load_checkpoint(folder / "run")
    weights = {name: value.numpy().tobytes() for name, value in weights_of(model).items()}
    return weights, info, loaded.digest


def read_state(folder: Path) -> object:
    before = folder / "before"
    if not before.exists():
        shutil.copytree(folder / "run", before)
    try:
        return _train(folder, resume=True)
    finally:
        shutil.rmtree(folder / "run")
        shutil.copytree(before, folder / "run")


KINDS = {
    "tokenizer": Kind(lambda folder: tokenizer().save(folder), read_tokenizer, ("*",)),
    "tokenizer-alone": Kind(without_manifest(lambda folder: tokenizer().save(folder)), read_tokenizer, ("*",)),
    "gpt2": exported("gpt2", "vocab.json", pattern="gpt2"),
    "tiktoken": exported("tiktoken", "x.tiktoken", pattern="cl100k"),
    "counts": Kind(
        lambda folder: PretokenCounts.from_iterator(TEXTS).save(folder / "counts.parquet"), read_counts, ("*",)
    ),
    "counts-facts": Kind(write_counts_facts, read_counts_facts, ("facts.json",)),
    "word-list": Kind(
        lambda folder: (folder / "words.tsv").write_text("low\t5\nlower\t2\n가나\t7\n", encoding="utf-8"),
        read_word_list,
        ("*",),
    ),
    "encoded-npy": Kind(encode_to("npy"), read_encoded, ("out/*",)),
    "encoded-arrow": Kind(encode_to("arrow"), read_encoded, ("out/*",)),
    "encoded-npy-alone": Kind(without_manifest(encode_to("npy")), read_encoded, ("out/*",)),
    "encoded-arrow-alone": Kind(without_manifest(encode_to("arrow")), read_encoded, ("out/*",)),
    "stream-npy": Kind(stream_to("npy"), read_stream, ("ids", "starts.npy")),
    "stream-arrow": Kind(stream_to("arrow"), read_stream, ("ids",)),
    "stream-lines": Kind(stream_to("ids"), read_stream, ("ids",)),
    "stream-json": Kind(stream_to("json"), read_stream, ("ids",)),
    "corpus-parquet": corpus("x.parquet"),
    "corpus-jsonl": corpus("x.jsonl"),
    "corpus-csv-gz": corpus("x.csv.gz"),
    "corpus-txt-zst": corpus("x.txt.zst"),
    "cache": Kind(write_cache, read_cache, ("cache/**/*", "maps/*"), checked=("*",)),
    "prepared": Kind(write_prepared, read_prepared, ("rows/**/*",)),
    "prepared-alone": Kind(without_manifest(write_prepared), read_prepared, ("rows/**/*",)),
    "recipe": Kind(write_recipe, read_recipe, ("*",)),
    "checkpoint": Kind(write_run, read_checkpoint, ("run/*.json", "run/model.safetensors")),
    "checkpoint-alone": Kind(without_manifest(write_run), read_checkpoint, ("run/*.json", "run/model.safetensors")),
    "run-state": Kind(write_run, read_state, ("run/training.safetensors",), checked=("training.safetensors",)),
}


# --- damage ------------------------------------------------------------------------------------------------------------------


def damaged(data: bytes, draw: random.Random, flips: int, cuts: int) -> Iterator[tuple[str, bytes]]:
    """Copies of `data` with one byte that is another, half of them near an end, where headers are, and copies cut short."""
    for number in range(flips if data else 0):
        near = draw.randrange(min(len(data), 512))
        place = (draw.randrange(len(data)), near, draw.randrange(len(data)), len(data) - 1 - near)[number % 4]
        other = draw.choice(
            [value for value in (data[place] ^ 1 << draw.randrange(8), 0, 0x7F, 0xFF) if value != data[place]]
        )
        yield f"byte {place} is {other} in place of {data[place]}", data[:place] + bytes([other]) + data[place + 1 :]
    for number in range(cuts):
        length = (0, max(len(data) - 1, 0), len(data) // 2)[number] if number < 3 else draw.randrange(max(len(data), 1))
        yield f"cut to {length} of {len(data)} bytes", data[:length]


STRANGE: list[Any] = [None, -1, 2**64, 1e308, float("nan"), True, "", "x" * 300, [], {}, [[]], [None] * 3, {"a": {}}]


def rewritten(data: bytes, draw: random.Random, times: int) -> Iterator[tuple[str, bytes]]:
    """Copies of a JSON document in which one value is another, and one that is nested very deep."""
    for _ in range(times):
        document = json.loads(data)
        place: Any = document
        keys: list[Any] = []
        while isinstance(place, (dict, list)) and place and (len(keys) < 1 or draw.random() < 0.8):
            parent, key = place, draw.choice(list(place) if isinstance(place, dict) else range(len(place)))
            keys.append(key)
            place = parent[key]
        if keys:
            parent[key] = draw.choice([*STRANGE, "removed"])
            shown = str(parent[key])[:20]
            if parent[key] == "removed":
                del parent[key]
            yield f"{'.'.join(map(str, keys))} is {shown}", json.dumps(document).encode()
    yield "nested very deep", b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    yield "a list", b"[]"


def attempt(kind: Kind, folder: Path, expected: object) -> tuple[str, str]:
    try:
        found = kind.read(folder)
    except BpeTransformerError as problem:
        said = str(problem)
        return ("refused", said) if "\n" not in said and len(said) < 1500 else ("not one line", said)
    except BaseException:
        return "traceback", traceback.format_exc()
    return ("same" if _equal(found, expected) else "changed"), ""


def _equal(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return bool(np.array_equal(one, other))
    return repr(one) == repr(other)


def replace(path: Path, data: bytes) -> None:
    """As another file: what an earlier attempt mapped into memory stays as it was."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(data)
    os.replace(new, path)


def has_checksum(kind: Kind, path: Path, folder: Path) -> bool:
    if any(path.match(pattern) for pattern in kind.checked):
        return True
    for parent in path.parents:
        if (parent / "manifest.json").is_file():
            return path.relative_to(parent).as_posix() in json.loads((parent / "manifest.json").read_bytes())["files"]
        if parent == folder:
            break
    return False


def damage_all(name: str, folder: Path, flips: int, cuts: int) -> None:
    kind = KINDS[name]
    folder.mkdir(parents=True)
    kind.write(folder)
    expected = kind.read(folder)
    paths = sorted({path for pattern in kind.files for path in folder.glob(pattern) if path.is_file()})
    assert paths, f"{name}: nothing to damage"
    for path in paths:
        data, checked = path.read_bytes(), has_checksum(kind, path, folder)
        shown = f"{name}: {path.relative_to(folder).as_posix()}"
        draw = random.Random(shown)
        copies = damaged(data, draw, flips, cuts)
        if path.suffix == ".json":
            copies = itertools.chain(copies, rewritten(data, draw, flips))
        for what, changed in copies:
            print(json.dumps([shown, what]), end=" ", flush=True)
            replace(path, changed)
            signal.alarm(SECONDS)
            outcome, said = attempt(kind, folder, expected)
            signal.alarm(0)
            print(json.dumps(["silent" if checked and outcome == "changed" else outcome, said]), flush=True)
            replace(path, data)


def main(folder: Path, flips: int, cuts: int, names: list[str]) -> None:
    if sys.platform == "linux":
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, resource.RLIM_INFINITY))

    def too_slow(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    signal.signal(signal.SIGALRM, too_slow)
    for name in names:
        damage_all(name, folder / name, flips, cuts)
    print("end", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
