"""Counts as values: weights, mixtures, files of them, and what becomes of damaged ones."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounter, PretokenCounts, Pretokenizer
from bpe_transformer.errors import BpeTransformerError, ConfigError, CorpusError, FormatError, LearningError

MOST = 2**64 - 1
WORDS = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), st.integers(1, MOST), max_size=20)  # fmt: skip


def same(one: PretokenCounts, other: PretokenCounts) -> bool:
    return dict(one.items()) == dict(other.items()) and one.facts() == other.facts()


@given(
    words=WORDS,
    weight=st.one_of(
        st.integers(1, 10**6), st.floats(1e-9, 1e9), st.fractions("1/1000000", 1000, max_denominator=10**9)
    ),
)
@example(words={"a": MOST, "b": 1}, weight=0.5)
@example(words={"a": MOST}, weight=3)
@example(words={"a": 5, "b": 15, "c": 4}, weight=0.1)
@settings(max_examples=200, deadline=None)
def test_weights_are_exact_and_round_half_up(words: dict[str, int], weight: int | float | Fraction) -> None:
    exact = Fraction(str(weight)).limit_denominator(10**18)
    expected = {word.encode(): min(MOST, int(count * exact + Fraction(1, 2))) for word, count in words.items()}
    weighted = weight * PretokenCounts.from_words(words)
    assert dict(weighted.items()) == {word: count for word, count in expected.items() if count}
    lost = [count for word, count in words.items() if not expected[word.encode()]]
    assert (weighted.dropped_words, weighted.dropped_occurrences) == (len(lost), sum(lost))


def test_weights_that_are_none() -> None:
    counts = PretokenCounts.from_words({"low": 5})
    for weight in (0, -1, float("nan"), float("inf"), 1e-30, 2**64, True):
        with pytest.raises(ConfigError, match="weight="):
            counts * weight
    with pytest.raises(TypeError):
        counts * "2"  # type: ignore[operator]


def test_saturation_is_remembered() -> None:
    counts = PretokenCounts.from_words({"low": MOST, "new": 1})
    half = counts * 0.5
    assert max(count for _, count in half.items()) < MOST
    assert half.saturated
    assert (half + PretokenCounts.from_words({"new": 1})).saturated
    assert not PretokenCounts.from_words({"low": MOST - 1}).saturated
    assert (PretokenCounts.from_words({"low": MOST - 1}) * 2).saturated


def test_mixing_by_temperature() -> None:
    sizes = {"en": 900, "ko": 90, "sw": 10}
    parts = [PretokenCounts.from_words({name: size}) for name, size in sizes.items()]
    for temperature in (1, 1.5, 3, 100, float("inf"), 0.7):
        mixed = dict(PretokenCounts.mix(parts, temperature=temperature).items())
        total, wanted = sum(mixed.values()), {name: (size / 1000) ** (1 / temperature) for name, size in sizes.items()}
        for name, share in wanted.items():
            assert mixed[name.encode()] / total == pytest.approx(share / sum(wanted.values()), rel=0.06)
        assert all(mixed[name.encode()] >= size for name, size in sizes.items())  # nothing is counted down
    assert dict(PretokenCounts.mix(parts, temperature=1).items()) == {b"en": 900, b"ko": 90, b"sw": 10}
    assert dict(PretokenCounts.mix(parts, weights=[1, 2, Fraction(1, 2)]).items()) == {b"en": 900, b"ko": 180, b"sw": 5}


def test_mixtures_that_are_none() -> None:
    part = PretokenCounts.from_words({"low": 5})
    for options in (
        {},
        {"weights": [1], "temperature": 1},
        {"weights": [1, 2]},
        {"temperature": 0},
        {"temperature": -1},
    ):
        with pytest.raises(ConfigError):
            PretokenCounts.mix([part], **options)
    with pytest.raises(LearningError, match="no counts"):
        PretokenCounts.mix([], temperature=1)


@given(words=WORDS)
@settings(max_examples=50, deadline=None)
def test_files_give_back_what_was_saved(tmp_path_factory: pytest.TempPathFactory, words: dict[str, int]) -> None:
    path = tmp_path_factory.getbasetemp() / "counts.parquet"
    counts = PretokenCounts.from_words(words, Pretokenizer(r"\w+", "NFC", ("low",))) * 0.5
    facts = counts.save(path)
    assert same(PretokenCounts.load(path), counts)
    assert (facts["words"], facts["total"]) == (len(counts), counts.total)


def test_files_tell_where_counts_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("low lower\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    counts = PretokenCounts.from_files("a.txt", Pretokenizer("gpt2", "NFC"))
    counts.save("new/counts.parquet")
    loaded = PretokenCounts.load("new/counts.parquet")
    assert same(loaded, counts)
    assert [(source.name, source.num_documents, source.num_bytes) for source in loaded.sources] == [("a.txt", 1, 10)]
    assert "regex" in loaded.unicode
    assert "Unicode 18" in loaded.unicode
    assert same(PretokenCounts.load("new/counts.parquet") + counts, counts + counts)
    assert [entry.name for entry in Path("new").iterdir()] == ["counts.parquet"]


def test_any_reader_of_parquet_sees_words_in_their_order(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    PretokenCounts.from_words({"b": 1, "a" * 40: 2, "a": 3, "é": 4}).save(tmp_path / "counts.parquet")
    table = pq.read_table(tmp_path / "counts.parquet").to_pydict()
    assert table == {"word": [b"a", b"a" * 40, b"b", "é".encode()], "count": [3, 2, 1, 4]}


def test_rare_words_can_be_left_out(tmp_path: Path) -> None:
    counts = PretokenCounts.from_words({"low": 5, "new": 2, "old": 1})
    counts.save(tmp_path / "counts.parquet")
    loaded = PretokenCounts.load(tmp_path / "counts.parquet", min_count=3)
    assert dict(loaded.items()) == dict(counts.at_least(3).items()) == {b"low": 5}
    assert (loaded.dropped_words, loaded.dropped_occurrences) == (2, 3)


def test_unlike_counts_do_not_add_up(tmp_path: Path) -> None:
    one = PretokenCounts.from_iterator(["low"], "gpt2")
    for other in ("cl100k", Pretokenizer("gpt2", "NFC"), Pretokenizer("gpt2", protected=("low",))):
        with pytest.raises(LearningError, match="do not add up"):
            one + PretokenCounts.from_iterator(["low"], other)
    one.save(tmp_path / "counts.parquet")
    with pytest.raises(LearningError, match="do not add up"):
        PretokenCounter("cl100k").add_counts(tmp_path / "counts.parquet")
    older = PretokenCounts.load(tmp_path / "counts.parquet")
    older.count_facts = replace(older.count_facts, unicode="regex 2019.1.1")
    with pytest.raises(LearningError, match=r"regex 2019\.1\.1"):
        one + older


def test_a_format_version_from_the_future_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "counts.parquet"
    PretokenCounts.from_words({"low": 5}).save(path)
    table = pq.ParquetFile(path).read()  # with the file's metadata
    facts = json.loads(table.schema.metadata[b"bpe_transformer.counts"])
    assert facts["version"] == 1
    facts["version"] = 2
    pq.write_table(table.replace_schema_metadata({"bpe_transformer.counts": json.dumps(facts)}), path)
    with pytest.raises(FormatError, match=r"version 2 of the counts format, and this bpe-transformer reads version 1"):
        PretokenCounts.load(path)


def test_damaged_files_are_refused_or_read_right(tmp_path: Path) -> None:
    choose = random.Random(3)
    counts = PretokenCounts.from_words({f"word{i}": i * i + 1 for i in range(2000)})
    counts.save(tmp_path / "counts.parquet")
    whole = (tmp_path / "counts.parquet").read_bytes()
    damaged = tmp_path / "damaged.parquet"
    for size in [0, 1, 4, 12, len(whole) // 2, len(whole) - 9, len(whole) - 1]:
        damaged.write_bytes(whole[:size])
        with pytest.raises(FormatError, match=r"damaged\.parquet .*count anew"):
            PretokenCounts.load(damaged)
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        data[choose.randrange(len(whole))] ^= 1 << choose.randrange(8)
        damaged.write_bytes(data)
        try:
            assert dict(PretokenCounts.load(damaged).items()) == dict(counts.items())
        except BpeTransformerError:
            refused += 1
    assert refused > 100


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["low"]}), tmp_path / "texts.parquet")
    (tmp_path / "text.txt").write_text("low")
    with pytest.raises(FormatError, match=r"texts\.parquet holds no pre-token counts \(columns text\)"):
        PretokenCounts.load(tmp_path / "texts.parquet")
    with pytest.raises(FormatError, match=r"text\.txt is not a Parquet file"):
        PretokenCounts.load(tmp_path / "text.txt")
    with pytest.raises(CorpusError, match="not a file"):
        PretokenCounts.load(tmp_path / "nowhere.parquet")
    PretokenCounts.from_words({"low": 1}).save(tmp_path / "counts.parquet")
    with pytest.raises(CorpusError, match="holds counts, not texts"):
        PretokenCounts.from_files(tmp_path / "counts.parquet")


_FULL = """
import resource, sys
from bpe_transformer import PretokenCounter, PretokenCounts
path, folder, what = sys.argv[1:]
words = {f"some word number {i * 7919}": i + 1 for i in range(60_000)}
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    if what == "save":
        PretokenCounts.from_words(words).save(path)
    else:
        PretokenCounter("whitespace", max_memory="4MiB", spill_dir=folder).add_texts(words)
except OSError as problem:
    print(problem)
"""


@pytest.mark.parametrize("what", ["save", "spill"])
def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path, what: str) -> None:
    old = PretokenCounts.from_words({"low": 5})
    old.save(tmp_path / "counts.parquet")
    command = [sys.executable, "-c", _FULL, str(tmp_path / "counts.parquet"), str(tmp_path), what]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if what == "save":
        assert "counts.parquet could not be written: File too large; make room" in said
    else:
        assert "cannot write the temporary file of counts" in said
    assert [entry.name for entry in tmp_path.iterdir()] == ["counts.parquet"]
    assert same(PretokenCounts.load(tmp_path / "counts.parquet"), old)


def test_word_lists(tmp_path: Path) -> None:
    import gzip

    lines = b"low\t5\r\nnew york\t3\n\nlow\t2\ntab\tbed\t1\n"
    (tmp_path / "words.tsv").write_bytes(lines)
    (tmp_path / "words.tsv.gz").write_bytes(gzip.compress(lines))
    for name in ("words.tsv", "words.tsv.gz"):
        counts = PretokenCounts.from_word_list(tmp_path / name)
        assert dict(counts.items()) == {b"low": 7, b"new york": 3, b"tab\tbed": 1}


@pytest.mark.parametrize(
    "line", ["low", "low\t", "low\t0", "low\t-1", "low\t1.5", "low\t18446744073709551616", "\t5", "low 5", "low\t٣"]
)
def test_lines_that_are_no_counts(tmp_path: Path, line: str) -> None:
    (tmp_path / "words.tsv").write_text(f"a\t1\n{line}\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"words\.tsv, line 2: .*correct"):
        PretokenCounts.from_word_list(tmp_path / "words.tsv")
