"""Every source counts alike; in little memory as in much; whatever threads, order and hash seed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounter, PretokenCounts, Pretokenizer, learn_bpe
from bpe_transformer.errors import ConfigError, CorpusError, InvalidUtf8Error, LearningError
from bpe_transformer.tokenizer.counting.spilling import parse_size

TEXTS = [
    "The low, lower\nnewest",
    "",
    "한국어 문장 3 마리",
    'quo"ted, "cells"',
    "tab\tand\r\nmore",
    "x" * 50,
    "\ufeffmark \u0301",
]
EXPECTED = dict(PretokenCounts.from_iterator(TEXTS).items())


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


PACKED: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstd}


def as_csv(texts: list[str]) -> bytes:
    lines = ["n,text", *(f'{i},"{text}"' for i, text in enumerate(text.replace('"', '""') for text in texts))]
    return "\r\n".join(lines).encode()


def as_jsonl(texts: list[str]) -> bytes:
    return "\n".join(
        json.dumps({"n": i, "text": text}, ensure_ascii=i % 2 == 0) for i, text in enumerate(texts)
    ).encode()


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("form", ["jsonl", "csv", "tsv", "txt"])
def test_files_of_all_kinds(tmp_path: Path, form: str, packed: str) -> None:
    lines = [text for text in TEXTS if "\n" not in text and "\t" not in text and text]
    data, texts = {
        "jsonl": (as_jsonl(TEXTS), TEXTS),
        "csv": (as_csv([text.replace("\r\n", "\n") for text in TEXTS]), [text.replace("\r\n", "\n") for text in TEXTS]),
        "tsv": ("\n".join(["n\ttext", *(f"{i}\t{line}" for i, line in enumerate(lines))]).encode(), lines),
        "txt": ("\n".join(lines).encode(), lines),
    }[form]
    file = tmp_path / f"texts.{form}{packed}"
    file.write_bytes(PACKED[packed](data))
    counts = PretokenCounts.from_files(file, documents="line", columns=["text"], num_threads=2)
    assert dict(counts.items()) == dict(PretokenCounts.from_iterator(texts).items())
    assert counts.num_documents == len(texts)
    assert counts.num_bytes == sum(len(text.encode()) for text in texts)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
@pytest.mark.parametrize("pattern", ["cl100k", r"\w+|\W"])
def test_columns_of_parquet_and_datasets(tmp_path: Path, kind: pa.DataType, pattern: str) -> None:
    import datasets

    array = pa.array([*TEXTS, None], pa.string()).cast(kind)
    table = pa.table({"text": array, "n": range(len(array))})
    pq.write_table(table, tmp_path / "texts.parquet", row_group_size=3)
    expected = dict(PretokenCounts.from_iterator(TEXTS, pattern).items())
    for columns in (["text"], None):
        counts = PretokenCounts.from_files(tmp_path / "texts.parquet", pattern, columns=columns)
        assert dict(counts.items()) == expected
        assert (counts.num_documents, counts.sources[0].missing) == (len(TEXTS), 1)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        dataset = datasets.Dataset(table)
        for data in (
            dataset,
            dataset.to_iterable_dataset(num_shards=2),
            dataset.shuffle(seed=1),
            dataset.select(range(8)),
        ):
            assert dict(PretokenCounts.from_dataset(data, ["text"], pattern).items()) == expected


def test_iterable_datasets_of_python_rows() -> None:
    import datasets

    dataset = datasets.IterableDataset.from_generator(lambda: ({"text": text, "n": 1} for text in TEXTS))
    assert dict(PretokenCounts.from_dataset(dataset, ["text"]).items()) == EXPECTED
    assert dict(PretokenCounts.from_dataset(dataset).items()) == EXPECTED
    with pytest.raises(CorpusError):
        PretokenCounts.from_dataset(dataset, ["n"])


def test_streams_and_several_members(tmp_path: Path) -> None:
    text = "The low, lower 한국어 " * 1000
    data = text.encode()
    expected = dict(PretokenCounts.from_iterator([text]).items())
    counter = PretokenCounter()
    counter.add_stream(io.BytesIO(data))
    assert (counter.sources[0].name, dict(counter.counts().items())) == ("standard input", expected)
    for suffix, pack in ((".gz", gzip.compress), (".zst", zstd)):
        file = tmp_path / f"text.txt{suffix}"
        file.write_bytes(pack(data[:12_345]) + pack(b"") + pack(data[12_345:]))
        assert dict(PretokenCounts.from_files(file).items()) == expected


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".zst", zstd)])
def test_packed_files_that_are_cut_off_or_damaged(tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    whole = pack(random.Random(1).randbytes(3000).hex().encode())
    file = tmp_path / f"text.txt{suffix}"
    damaged = [whole[:-1], whole[: len(whole) // 2], whole[:7], b"plain text"]
    if suffix == ".gz":  # these zst frames have no checksum
        damaged.append(whole[:99] + b"\0\0\0\0" + whole[103:])
    for data in damaged:
        file.write_bytes(data)
        with pytest.raises(CorpusError, match=rf"text\.txt\{suffix} cannot be decompressed .* get it anew"):
            PretokenCounts.from_files(file)
    file.write_bytes(b"")
    assert len(PretokenCounts.from_files(file)) == 0


@pytest.mark.parametrize(("name", "data", "columns", "message"), [
    ("a.jsonl", b'{"text": "low"}\n{"text": 3}', ["text"], r"a\.jsonl, line 2: text is 3, not a text"),
    ("a.jsonl", b'{"text": "low"}\n[]', ["text"], r"a\.jsonl, line 2: a list, not an object"),
    ("a.jsonl", b'{"text": "low"}\n{', ["text"], r"a\.jsonl, line 2: not JSON"),
    ("a.jsonl", b'{"text": "low"},{"text": "low"}', ["text"], r"a\.jsonl, line 1: not JSON"),
    ("a.jsonl", b'{"text": [1\n2]}\n{}, "between two lines \xee\x80\x80"', ["text"], r"a\.jsonl, line 1: not JSON"),
    ("a.jsonl", b'{"text": "low\nlower"}\n', ["text"], r"a\.jsonl, line 1: not JSON"),
    ("a.jsonl", b"\n\n" + b"[" * 10**5, ["text"], r"a\.jsonl, line 3: not JSON"),
    ("a.jsonl", b'{"text": "low"}', ["body"], r"a\.jsonl has no column body; its columns are text"),
    ("a.csv", b"n,text\n1,low,2", ["text"], r"a\.csv, line 2: 3 fields where the header has 2"),
    ("a.csv", b"n,text\n1,low", ["body"], r"a\.csv has no column body, only n, text"),
    ("a.csv", b'n,text\n1,"low', ["text"], r"a\.csv, line 2: "),
    ("a.csv", b"", None, r"a\.csv is empty"),
    ("a.parquet", b"PAR1", None, r"a\.parquet is not a Parquet file"),
])  # fmt: skip
def test_tables_that_cannot_be_read(
    tmp_path: Path, name: str, data: bytes, columns: list[str] | None, message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CorpusError, match=message):
        PretokenCounts.from_files(tmp_path / name, columns=columns)


def test_bad_bytes_in_tables_name_the_place(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"text": "low"}\n{"text": "caf\xe9"}\n')
    with pytest.raises(InvalidUtf8Error, match=r"a\.jsonl is not UTF-8: byte 0xe9 at position 29"):
        PretokenCounts.from_files(file)
    counts = PretokenCounts.from_files(file, errors="replace")
    assert dict(counts.items()) == {b"low": 1, b"caf": 1, "\ufffd".encode(): 1}
    assert counts.sources[0].replaced == 1


def test_all_texts_of_a_row_without_columns(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": "low", "n": 1, "b": "new"}\n{"c": "low", "a": null}\n')
    counts = PretokenCounts.from_files(tmp_path / "a.jsonl")
    assert dict(counts.items()) == {b"low": 2, b"new": 1}
    counts = PretokenCounts.from_files(tmp_path / "a.jsonl", columns=["a"])
    assert (dict(counts.items()), counts.sources[0].missing) == ({b"low": 1}, 1)


def many_words(seed: int, number: int) -> list[str]:
    choose = random.Random(seed)
    words = [
        f"{choose.choice('가나다abc')}{int(number * choose.random() ** 2)}" * choose.choice([1, 1, 1, 9])
        for _ in range(number)
    ]
    return [" ".join(words[i : i + 50]) for i in range(0, number, 50)]


@pytest.mark.parametrize("threads", [1, 3])
def test_little_memory_counts_exactly_the_same(tmp_path: Path, threads: int) -> None:
    texts, weights = [many_words(seed, 60_000) for seed in (1, 2)], [0.3, 2]
    parts = [PretokenCounts.from_iterator(part, "gpt2") for part in texts]

    def counter() -> PretokenCounter:
        counter = PretokenCounter("gpt2", threads, max_memory="4MiB", spill_dir=tmp_path)
        counter.add_texts(texts[0])
        counter.start_group()
        (tmp_path / "texts.txt").write_text("\n".join(texts[1]), encoding="utf-8")
        counter.add_file(tmp_path / "texts.txt", documents="line")
        (tmp_path / "texts.txt").unlink()
        assert counter.spilled_bytes > 200_000
        return counter

    for options, expected in (
        ({}, parts[0] + parts[1]),
        ({"weights": weights}, PretokenCounts.mix(parts, weights=weights)),
        ({"temperature": 2.5}, PretokenCounts.mix(parts, temperature=2.5)),
        ({"weights": weights, "min_count": 3}, PretokenCounts.mix(parts, weights=weights).at_least(3)),
    ):
        facts = counter().save(tmp_path / "counts.parquet", **options)
        loaded = PretokenCounts.load(tmp_path / "counts.parquet")
        assert dict(loaded.items()) == dict(expected.items())
        assert (loaded.dropped_words, loaded.dropped_occurrences) == (
            expected.dropped_words,
            expected.dropped_occurrences,
        )
        assert facts["total"] == expected.total
        assert [source.weight for source in loaded.sources] == [source.weight for source in expected.sources]
        assert [entry.name for entry in tmp_path.iterdir()] == ["counts.parquet"]


def test_what_does_not_fit_is_refused_with_a_remedy(tmp_path: Path) -> None:
    texts = many_words(1, 400_000)
    counter = PretokenCounter("gpt2", 1, max_memory="4MiB", spill_dir=tmp_path)
    counter.add_texts(texts)
    with pytest.raises(
        CorpusError, match=r"do not fit max_memory=4,194,304 bytes: 193,167 distinct ones so far; .*min_count, now 1"
    ):
        counter.counts()
    fits = PretokenCounter("gpt2", 1, max_memory="4MiB", spill_dir=tmp_path)
    fits.add_texts(texts)
    assert dict(fits.counts(min_count=20).items()) == dict(
        PretokenCounts.from_iterator(texts, "gpt2").at_least(20).items()
    )


def test_little_memory_is_not_used_up_needlessly(tmp_path: Path) -> None:
    counter = PretokenCounter("gpt2", 2, max_memory="100MB", spill_dir=tmp_path)
    counter.add_texts(["low lower"])
    assert dict(counter.counts().items()) == {b"low": 1, b" lower": 1}
    assert counter.spilled_bytes == 0
    with pytest.raises(LearningError, match="the counter is finished"):
        counter.counts()


@given(st.lists(st.dictionaries(st.binary(max_size=40).map(lambda data: "w" + data.hex()), st.integers(1, 2**64 - 1), max_size=8), max_size=5))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_parts_of_counts_saturate_alike_in_tables_and_runs(parts: list[dict[str, int]]) -> None:
    expected: dict[bytes, int] = {}
    for part in parts:
        for word, count in part.items():
            expected[word.encode()] = min(2**64 - 1, expected.get(word.encode(), 0) + count)
    for max_memory in (None, "4MiB"):
        counter = PretokenCounter("whitespace", 1, max_memory=max_memory)
        for part in parts:
            counter.add_counts(PretokenCounts.from_words(part))
            counter.start_group()
        counts = counter.counts()
        assert dict(counts.items()) == expected
        assert counts.saturated == (2**64 - 1 in expected.values())


@pytest.mark.parametrize(("size", "expected"), [("2GB", 2 * 10**9), ("512 MiB", 2**29), (5 * 10**6, 5 * 10**6), ("1.5gib", 3 * 2**29), ("9000k", 9 * 10**6)])  # fmt: skip
def test_amounts_of_memory(size: int | str, expected: int) -> None:
    assert parse_size(size) == expected


@pytest.mark.parametrize("size", ["", "2 apples", "-1GB", "1KB", 0, "GB"])
def test_amounts_of_memory_that_are_none(size: int | str) -> None:
    with pytest.raises(ConfigError, match="max_memory="):
        PretokenCounter(max_memory=size)


_DIGEST = """
import hashlib, random, sys
from bpe_transformer import PretokenCounter, learn_bpe
seed, threads, memory, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] or None, sys.argv[4]
texts = open(path, encoding="utf-8").read().split("\\0")
random.Random(seed).shuffle(texts)
counter = PretokenCounter("cl100k", threads, max_memory=memory)
counter.add_texts(texts)
counts = counter.counts()
facts = counts.save(path + str(seed))
file = open(path + str(seed), "rb").read()
print(hashlib.sha256(repr(sorted(counts.items())).encode()).hexdigest()[:16], learn_bpe(counts, 600, special_tokens=["<s>"]).digest)
"""


def fixed_texts() -> list[str]:
    """The same on every machine: no random generator of a library has a part in them."""
    syllables = ["low", "er", "new", "est", "wid", "한", "국", "어", "é", "ß", "1", "23", "'s", "-", "字", "\u0301"]
    state, texts = 12345, []
    for _ in range(400):
        words = []
        for _ in range(30):
            state = (state * 1103515245 + 12345) % 2**31
            words.append("".join(syllables[(state >> shift) % (5 + shift)] for shift in range(4, 4 + (state >> 8) % 4)))
        texts.append(" ".join(words) + ".\n")
    return texts


# From this test's first run. Another digest means another tokenizer for everybody: never change it along with the code.
GOLDEN_COUNTS = "8cec35e4350b6b56"
GOLDEN_TOKENIZER = "4c614094b0e0bf728afe2eb55a3b2f3996786358baa09d3f31d78639d8aa9e20"


def test_one_digest_for_any_threads_order_seed_and_memory(tmp_path: Path) -> None:
    path = tmp_path / "texts"
    path.write_text("\0".join(fixed_texts()), encoding="utf-8")
    said, files = set(), set()
    for seed, threads, memory in ((0, 1, ""), (1, 2, ""), (2, 5, "4MiB"), (3, 3, "")):
        command = [sys.executable, "-c", _DIGEST, str(seed), str(threads), memory, str(path)]
        environment = {**os.environ, "PYTHONHASHSEED": str(seed * 1000 + 1)}
        said.add(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
        files.add(hashlib.sha256(Path(f"{path}{seed}").read_bytes()).hexdigest())
    assert said == {f"{GOLDEN_COUNTS} {GOLDEN_TOKENIZER}\n"}
    assert len(files) == 1


def test_digests_do_not_know_how_texts_are_kept(tmp_path: Path) -> None:
    texts = fixed_texts()
    (tmp_path / "a.jsonl.gz").write_bytes(
        gzip.compress("\n".join(json.dumps({"text": text}) for text in texts).encode())
    )
    pq.write_table(pa.table({"text": texts[::-1]}), tmp_path / "a.parquet")
    split = Pretokenizer("cl100k")
    for file in ("a.jsonl.gz", "a.parquet"):
        assert (
            learn_bpe(PretokenCounts.from_files(tmp_path / file, split), 600, special_tokens=["<s>"]).digest
            == GOLDEN_TOKENIZER
        )
