"""Text to ids: framing, the ledger, the cache and its key, saving and loading."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import numpy as np
import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.data import (
    Amount,
    Ledger,
    Prepared,
    SpecialIds,
    Stage,
    load_corpus,
    prepare_language_model,
    prepare_translation,
)
from bpe_transformer.errors import CorpusError, DigestMismatchError, FormatError, SpecialTokenError
from bpe_transformer.io import Node

PAIRS = {
    "en": ["one two", "", "three <s> four", "one two three four five one two three", "five"],
    "ko": ["하나 둘", "셋", "셋 넷", "하나", "  "],
}


@pytest.fixture
def pairs() -> datasets.Dataset:
    return datasets.Dataset.from_dict(PAIRS)


def test_pairs_are_framed_and_the_ledger_adds_up(pairs: datasets.Dataset, tokenizer: Tokenizer, tmp_path: Path) -> None:
    prepared = prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=20, cache_dir=tmp_path)
    special = SpecialIds.of(tokenizer)
    lengths = [len(tokenizer.encode_ordinary(text)) for text in PAIRS["en"]]
    kept = [row for row in (0, 2, 3) if lengths[row] < 20]
    assert [row["src_ids"] for row in prepared.dataset] == [
        [*tokenizer.encode_ordinary(PAIRS["en"][row]), special.eos] for row in kept
    ]
    assert [row["tgt_ids"] for row in prepared.dataset] == [
        [special.bos, *tokenizer.encode_ordinary(PAIRS["ko"][row]), special.eos] for row in kept
    ]
    (stage,) = prepared.ledger.stages
    assert stage.dropped["empty"].examples == 2
    assert stage.kept.examples == len(kept)
    total = sum(len(text.encode()) for side in PAIRS.values() for text in side)
    assert (stage.kept + prepared.ledger.dropped).bytes == total
    assert prepared.lengths.tolist() == [[len(r["src_ids"]), len(r["tgt_ids"])] for r in prepared.dataset]


def test_max_len_counts_the_special_ids(tokenizer: Tokenizer, tmp_path: Path) -> None:
    pairs = datasets.Dataset.from_dict({"en": ["one", "q" * 4, "q" * 5], "ko": ["q" * 3, "q" * 3, "q"]})
    prepared = prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=5, cache_dir=tmp_path)
    assert prepared.lengths.max(axis=0).tolist() == [5, 5]
    assert prepared.ledger.dropped == Amount(1, 6)
    assert prepared.ledger.rows()[1].reason == "longer than max_len=5"
    with pytest.raises(CorpusError, match=r"nothing is left of 3 rows.*3 longer than max_len=3"):
        prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=3, cache_dir=tmp_path)


def test_documents_end_with_eos_and_read_stage_leads(tokenizer: Tokenizer, tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("one two\n\nthree </s> four\n")
    prepared = prepare_language_model(load_corpus(str(file)), tokenizer, cache_dir=tmp_path / "cache")
    eos = SpecialIds.of(tokenizer).eos
    texts = ["one two", "three </s> four"]
    assert [row["ids"] for row in prepared.dataset] == [[*tokenizer.encode_ordinary(text), eos] for text in texts]
    assert [stage.name for stage in prepared.ledger.stages] == ["read", "encode"]
    assert prepared.ledger.dropped.examples == 1
    assert prepared.ledger.kept == Amount(2, sum(len(text) for text in texts))


def test_processes_do_not_change_the_rows(tokenizer: Tokenizer, tmp_path: Path) -> None:
    pairs = datasets.Dataset.from_dict({"en": [f"one {n}" for n in range(2_500)], "ko": ["하나"] * 2_500})
    one = prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=30, cache_dir=tmp_path / "1")
    two = prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=30, num_proc=2, cache_dir=tmp_path / "2")
    assert one.dataset[:] == two.dataset[:]
    assert one.ledger == two.ledger


def test_the_cache_belongs_to_the_tokenizer(pairs: datasets.Dataset, tokenizer: Tokenizer, tmp_path: Path) -> None:
    other = learn_bpe(PretokenCounts.from_words({"aa": 3}), 260, special_tokens=["<pad>", "<s>", "</s>"])
    assert other.digest != tokenizer.digest
    first = prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=90, cache_dir=tmp_path)
    files = set(tmp_path.iterdir())
    again = prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=90, cache_dir=tmp_path)
    assert set(tmp_path.iterdir()) == files
    assert again.dataset[:] == first.dataset[:]
    changed = prepare_translation(pairs, other, src="en", tgt="ko", max_len=90, cache_dir=tmp_path)
    assert len(set(tmp_path.iterdir())) == 2 * len(files)
    assert changed.dataset[:] != first.dataset[:]


def test_saved_and_loaded(pairs: datasets.Dataset, tokenizer: Tokenizer, tmp_path: Path) -> None:
    prepared = prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=90, cache_dir=tmp_path / "cache")
    prepared.save(tmp_path / "out")
    loaded = Prepared.load(tmp_path / "out", tokenizer)
    assert loaded.dataset[:] == prepared.dataset[:]
    assert (loaded.digest, loaded.task, loaded.ledger) == (prepared.digest, prepared.task, prepared.ledger)
    loaded.save(tmp_path / "out")  # over itself
    assert Prepared.load(tmp_path / "out", tokenizer).dataset[:] == prepared.dataset[:]


def test_what_is_not_loaded(pairs: datasets.Dataset, tokenizer: Tokenizer, tmp_path: Path) -> None:
    other = learn_bpe(PretokenCounts.from_words({"aa": 3}), 260, special_tokens=["<pad>", "<s>", "</s>"])
    prepare_language_model(pairs, tokenizer, column="ko", cache_dir=tmp_path / "cache").save(tmp_path / "out")
    with pytest.raises(DigestMismatchError, match="prepare it again"):
        Prepared.load(tmp_path / "out", other)
    with pytest.raises(FormatError, match=r"prepared\.json is missing"):
        Prepared.load(tmp_path, tokenizer)
    facts = tmp_path / "out" / "prepared.json"
    whole = facts.read_text()
    facts.write_text(whole[:20])
    with pytest.raises(FormatError, match="damaged"):
        Prepared.load(tmp_path / "out", tokenizer)
    facts.write_text(whole)
    next((tmp_path / "out" / "rows").glob("*.json")).write_text("{")
    with pytest.raises(FormatError, match=r"rows/.*\.json has 1 bytes where manifest\.json has"):
        Prepared.load(tmp_path / "out", tokenizer)
    (tmp_path / "out" / "manifest.json").unlink()
    with pytest.raises(FormatError, match="damaged"):
        Prepared.load(tmp_path / "out", tokenizer)


def test_rows_of_a_later_version_are_refused_by_name(
    pairs: datasets.Dataset, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    prepare_language_model(pairs, tokenizer, column="ko", cache_dir=tmp_path / "cache").save(tmp_path / "out")
    facts = tmp_path / "out" / "prepared.json"
    assert json.loads(facts.read_text())["version"] == 1
    (tmp_path / "out" / "manifest.json").unlink()
    facts.write_text(json.dumps({"version": 2, "what": "nobody knows yet"}))
    with pytest.raises(
        FormatError, match=r"prepared\.json is of version 2, and this bpe-transformer reads up to version 1"
    ):
        Prepared.load(tmp_path / "out", tokenizer)


def test_progress_counts_rows(tokenizer: Tokenizer, tmp_path: Path) -> None:
    pairs = datasets.Dataset.from_dict({"text": [f"one {n}" for n in range(2_500)]})
    seen: list[tuple[int, int]] = []
    for expected in ([(1_000, 2_500), (2_000, 2_500), (2_500, 2_500)], [(2_500, 2_500)]):  # the second from the cache
        seen.clear()
        prepare_language_model(pairs, tokenizer, cache_dir=tmp_path, progress=lambda *now: seen.append(now))
        assert seen == expected


def test_wrong_columns_and_tokenizers(pairs: datasets.Dataset, tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no column 'de'; its columns are en, ko"):
        prepare_translation(pairs, tokenizer, src="en", tgt="de", max_len=9, cache_dir=tmp_path)
    numbers = datasets.Dataset.from_dict({"text": [1, 2]})
    with pytest.raises(CorpusError, match="int64, not text"):
        prepare_language_model(numbers, tokenizer, cache_dir=tmp_path)
    with pytest.raises(CorpusError, match="max_len=2"):
        prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=2, cache_dir=tmp_path)
    bare = learn_bpe(PretokenCounts.from_words({"aa": 3}), 258, special_tokens=["<pad>"])
    with pytest.raises(SpecialTokenError, match="no special token for the role bos"):
        SpecialIds.of(bare)


def test_a_ledger_is_plain_data() -> None:
    stage = Stage("read", Amount(3, 30), {"blank line": Amount(1, 2)}, {"too long": Amount(1, 9)}, ("x.txt: byte 3",))
    ledger = Ledger((stage,))
    assert Ledger.from_node(Node(json.loads(json.dumps(ledger.to_dict())))) == ledger
    assert [tuple(row) for row in ledger.rows()] == [
        ("read", "kept", "", 3, 30),
        ("read", "dropped", "blank line", 1, 2),
        ("read", "truncated", "too long", 1, 9),
    ]
    assert ledger.notes == ("read: x.txt: byte 3",)


def test_missing_values_count_as_empty(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = datasets.Dataset.from_dict({"text": ["one", None]})
    prepared = prepare_language_model(rows, tokenizer, cache_dir=tmp_path)
    assert np.array_equal(prepared.lengths, [[len(tokenizer.encode("one")) + 1]])
    assert prepared.ledger.dropped == Amount(1, 0)
