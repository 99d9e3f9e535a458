"""Text to ids: framing, the ledger, the cache and its key, saving and loading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from bpe_transformer import PretokenCounts, Pretokenizer, Tokenizer, learn_bpe
from bpe_transformer.data import (
    Amount,
    Ledger,
    SpecialIds,
    Stage,
    TokenStore,
    load_corpus,
    prepare_classification,
    prepare_language_model,
    prepare_translation,
)
from bpe_transformer.errors import CorpusError, DataLossError, DigestMismatchError, FormatError, SpecialTokenError
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
    assert [row["src_ids"] for row in prepared.to_dataset()] == [
        [*tokenizer.encode_ordinary(PAIRS["en"][row]), special.eos] for row in kept
    ]
    assert [row["tgt_ids"] for row in prepared.to_dataset()] == [
        [special.bos, *tokenizer.encode_ordinary(PAIRS["ko"][row]), special.eos] for row in kept
    ]
    (stage,) = prepared.ledger.stages
    assert stage.dropped["empty"].examples == 2
    assert stage.kept.examples == len(kept)
    total = sum(len(text.encode()) for side in PAIRS.values() for text in side)
    assert (stage.kept + prepared.ledger.dropped).bytes == total
    assert prepared.lengths.tolist() == [[len(r["src_ids"]), len(r["tgt_ids"])] for r in prepared.to_dataset()]


def test_max_len_counts_the_special_ids(tokenizer: Tokenizer, tmp_path: Path) -> None:
    pairs = datasets.Dataset.from_dict({"en": ["one", "q" * 4, "q" * 5], "ko": ["q" * 3, "q" * 3, "q"]})
    prepared = prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=5, cache_dir=tmp_path)
    assert prepared.lengths.max(axis=0).tolist() == [5, 5]
    assert prepared.ledger.dropped == Amount(1, 6)
    assert prepared.ledger.rows()[2].reason == "longer than max_len=5"
    with pytest.raises(CorpusError, match=r"nothing is left of 3 rows.*3 longer than max_len=3"):
        prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=3, cache_dir=tmp_path)


def test_documents_end_with_eos_and_read_stage_leads(tokenizer: Tokenizer, tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("one two\n\nthree </s> four\n")
    prepared = prepare_language_model(load_corpus(str(file)), tokenizer, cache_dir=tmp_path / "cache")
    eos = SpecialIds.of(tokenizer).eos
    texts = ["one two", "three </s> four"]
    assert [row["ids"] for row in prepared.to_dataset()] == [[*tokenizer.encode_ordinary(text), eos] for text in texts]
    assert [stage.name for stage in prepared.ledger.stages] == ["read", "encode"]
    assert prepared.ledger.dropped.examples == 1
    assert prepared.ledger.kept == Amount(2, sum(len(text) for text in texts))


def test_processes_do_not_change_the_rows(tokenizer: Tokenizer, tmp_path: Path) -> None:
    pairs = datasets.Dataset.from_dict({"en": [f"one {n}" for n in range(2_500)], "ko": ["하나"] * 2_500})
    one = prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=30, cache_dir=tmp_path / "1")
    two = prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=30, num_proc=2, cache_dir=tmp_path / "2")
    assert one.to_dataset()[:] == two.to_dataset()[:]
    assert one.ledger == two.ledger


def test_the_cache_belongs_to_the_tokenizer(pairs: datasets.Dataset, tokenizer: Tokenizer, tmp_path: Path) -> None:
    other = learn_bpe(PretokenCounts.from_words({"aa": 3}), 260, special_tokens=["<pad>", "<s>", "</s>"])
    assert other.digest != tokenizer.digest
    first = prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=90, cache_dir=tmp_path)
    files = set(tmp_path.iterdir())
    again = prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=90, cache_dir=tmp_path)
    assert set(tmp_path.iterdir()) == files
    assert again.to_dataset()[:] == first.to_dataset()[:]
    changed = prepare_translation(pairs, other, src="en", tgt="ko", max_len=90, cache_dir=tmp_path)
    assert len(set(tmp_path.iterdir())) == 2 * len(files)
    assert changed.to_dataset()[:] != first.to_dataset()[:]


def test_saved_and_loaded(pairs: datasets.Dataset, tokenizer: Tokenizer, tmp_path: Path) -> None:
    prepared = prepare_translation(pairs, tokenizer, src="en", tgt="ko", max_len=90, cache_dir=tmp_path / "cache")
    prepared.save(tmp_path / "out")
    loaded = TokenStore.load(tmp_path / "out", tokenizer)
    assert loaded.to_dataset()[:] == prepared.to_dataset()[:]
    assert (loaded.digest, loaded.task, loaded.ledger) == (prepared.digest, prepared.task, prepared.ledger)
    loaded.save(tmp_path / "out")  # over itself
    assert TokenStore.load(tmp_path / "out", tokenizer).to_dataset()[:] == prepared.to_dataset()[:]
    some = loaded.select([2, 0])
    some.save(tmp_path / "some")
    again = TokenStore.load(tmp_path / "some", tokenizer)
    assert again.tolist("tgt_ids") == some.tolist("tgt_ids") == [loaded.tolist("tgt_ids")[row] for row in (2, 0)]
    assert some.to_dataset()[:] == again.to_dataset()[:]


def test_what_is_not_loaded(pairs: datasets.Dataset, tokenizer: Tokenizer, tmp_path: Path) -> None:
    other = learn_bpe(PretokenCounts.from_words({"aa": 3}), 260, special_tokens=["<pad>", "<s>", "</s>"])
    prepare_language_model(pairs, tokenizer, column="ko", out=tmp_path / "out")
    with pytest.raises(DigestMismatchError, match="encode it again"):
        TokenStore.load(tmp_path / "out", other)
    with pytest.raises(FormatError, match=r"holds no token store \(store\.json is missing\); write one with prepare"):
        TokenStore.load(tmp_path, tokenizer)
    facts = tmp_path / "out" / "store.json"
    whole = facts.read_text()
    facts.write_text(whole[:20])
    with pytest.raises(FormatError, match="damaged"):
        TokenStore.load(tmp_path / "out", tokenizer)
    (tmp_path / "out" / "manifest.json").unlink()
    with pytest.raises(FormatError, match=r"store\.json is damaged"):
        TokenStore.load(tmp_path / "out", tokenizer)
    facts.write_text(whole.replace('"version": 1', '"version": 2'))
    with pytest.raises(
        FormatError, match=r"store\.json is of version 2 of the store format, and this .* up to version 1"
    ):
        TokenStore.load(tmp_path / "out", tokenizer)
    facts.unlink()
    (tmp_path / "out" / "prepared.json").touch()
    with pytest.raises(FormatError, match="was written by an earlier version.* write it again with prepare"):
        TokenStore.load(tmp_path / "out", tokenizer)


def test_rows_are_dropped_with_their_reasons_and_places(tmp_path: Path) -> None:
    accents_stripped = Pretokenizer(rewriting=(("replace", r"\p{M}", ""),))
    counts = PretokenCounts.from_iterator(["one"], pattern=accents_stripped)
    tokenizer = learn_bpe(counts, 300, special_tokens=["<pad>", "<s>", "</s>"])
    texts = ["one", None, " \u2003", "\u0301", "", "\u0301\u0301", "one"]  # accents are stripped by the normalizer
    assert tokenizer.encode("\u0301") == []
    store = prepare_language_model(datasets.Dataset.from_dict({"text": texts}), tokenizer, cache_dir=tmp_path)
    assert len(store) == 2
    (stage,) = store.ledger.stages
    assert stage.dropped == {"missing": Amount(1, 0), "empty": Amount(2, 4), "tokenises to nothing": Amount(2, 6)}
    assert stage.places["tokenises to nothing"] == ("row 3", "row 5")
    assert stage.received == Amount(7, sum(len((text or "").encode()) for text in texts))
    with pytest.raises(
        DataLossError, match=r"lost .*%.*more than the 1.000% that fail_above allows.*nothing \(row 3, row 5\)"
    ):
        prepare_language_model(
            datasets.Dataset.from_dict({"text": texts}), tokenizer, out=tmp_path / "x", fail_above=0.01
        )
    assert not (tmp_path / "x").exists()


def test_progress_counts_rows(tokenizer: Tokenizer, tmp_path: Path) -> None:
    pairs = datasets.Dataset.from_dict({"text": [f"one {n}" for n in range(2_500)]})
    seen: list[tuple[int, int]] = []
    options: dict[str, Any] = {"unit_bytes": 10_000, "cache_dir": tmp_path, "progress": lambda *now: seen.append(now)}
    for expected in ([(865, 2_500), (1_730, 2_500), (2_500, 2_500)], [(2_500, 2_500)]):  # the second from the cache
        seen.clear()
        prepare_language_model(pairs, tokenizer, **options)
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
    stage = Stage(
        "read", Amount(3, 30), {"blank line": Amount(1, 2)}, {"too long": Amount(1, 9)},
        {"blank line": ("line 3",)}, notes=("x.txt: byte 3",),
    )  # fmt: skip
    ledger = Ledger((stage,))
    assert Ledger.from_node(Node(json.loads(json.dumps(ledger.to_dict())))) == ledger
    assert [tuple(row) for row in ledger.rows()] == [
        ("read", "received", "", 4, 41, ()),
        ("read", "kept", "", 3, 30, ()),
        ("read", "dropped", "blank line", 1, 2, ("line 3",)),
        ("read", "truncated", "too long", 1, 9, ()),
    ]
    assert ledger.notes == ("read: x.txt: byte 3",)


def test_missing_values_count_as_empty(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = datasets.Dataset.from_dict({"text": ["one", None]})
    prepared = prepare_language_model(rows, tokenizer, cache_dir=tmp_path)
    assert np.array_equal(prepared.lengths, [[len(tokenizer.encode("one")) + 1]])
    assert prepared.ledger.dropped == Amount(1, 0)


def test_a_streamed_dataset_gives_the_same_rows_and_goes_on(tokenizer: Tokenizer, tmp_path: Path) -> None:
    texts = [None if row % 50 == 7 else f"one {row} two" for row in range(3_300)]
    rows = datasets.Dataset.from_dict({"text": texts, "other": texts[::-1], "label": [row % 2 for row in range(3_300)]})
    stream = rows.to_iterable_dataset(num_shards=3)
    whole = prepare_language_model(rows, tokenizer, out=tmp_path / "whole")

    def stop(done: int, _: int) -> None:
        if done > 2_000:
            raise KeyboardInterrupt

    how: dict[str, Any] = {"out": tmp_path / "streamed", "unit_bytes": 10_000}
    with pytest.raises(KeyboardInterrupt):
        prepare_language_model(stream, tokenizer, **how, progress=stop)
    reached: list[int] = []
    streamed = prepare_language_model(stream, tokenizer, **how, progress=lambda done, _: reached.append(done))
    assert reached[0] > 1_000  # the shards of the first call are there
    assert len(streamed.facts.shards) > 1
    assert streamed.tolist() == whole.tolist()
    assert streamed.ledger == whole.ledger
    pairs = [
        prepare_translation(source, tokenizer, src="text", tgt="other", max_len=20, out=tmp_path / f"pairs-{number}")
        for number, source in enumerate((rows, stream))
    ]
    assert [pairs[0].tolist(column) for column in pairs[0].columns] == [
        pairs[1].tolist(column) for column in pairs[1].columns
    ]
    with pytest.raises(CorpusError, match=r"a streamed dataset has no place in the cache; name a folder .* with out="):
        prepare_language_model(stream, tokenizer)
    labelled: dict[str, Any] = {"column": "text", "label": "label", "max_len": 20, "out": tmp_path / "labels"}
    with pytest.raises(CorpusError, match="labels in 'label' of a streamed dataset are not known before its end"):
        prepare_classification(stream, tokenizer, **labelled)
    for splits in (datasets.DatasetDict(train=rows), datasets.IterableDatasetDict(train=stream)):
        with pytest.raises(CorpusError, match="of several splits; give one of them: train"):
            prepare_classification(splits, tokenizer, **labelled)
