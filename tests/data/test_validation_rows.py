"""Rows to validate on: a split by name, a file, the corpus's own, or rows that are really taken out of the training rows."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

from bpe_transformer.data import KnownRows, Reading, hold_out, load_with_validation
from bpe_transformer.errors import CorpusError


@pytest.mark.parametrize(("rows", "held_out"), [(2, 1), (39, 1), (40, 2), (1_000, 50), (50_000, 1_000)])
def test_a_twentieth_is_drawn_by_the_seed(rows: int, held_out: int) -> None:
    dataset = datasets.Dataset.from_dict({"n": range(rows)})
    train, validation = hold_out(dataset, seed=3)
    kept, drawn = train["n"][:], validation["n"][:]
    assert sorted([*kept, *drawn]) == list(range(rows))
    assert kept == sorted(kept)
    assert len(drawn) == held_out
    assert hold_out(dataset, seed=3)[1]["n"][:] == drawn
    if rows > 100:
        assert hold_out(dataset, seed=4)[1]["n"][:] != drawn
        assert min(drawn) < rows / 2 < max(drawn)  # not the last rows


def test_every_label_gives_its_share() -> None:
    labels = ["common"] * 900 + ["rare"] * 80 + ["seldom"] * 20
    dataset = datasets.Dataset.from_dict({"label": labels})
    found = list(hold_out(dataset, label="label")[1]["label"])
    assert {name: found.count(name) for name in sorted(set(labels))} == {"common": 45, "rare": 4, "seldom": 1}


def test_the_corpus_s_own_split_comes_first() -> None:
    train, validation, notes, _ = load_with_validation("numbers-en-ko", "train[:10]")
    assert (len(train), len(validation)) == (10, 1_000)
    assert notes == ("validation: 1,000 rows of the split validation",)
    assert len(load_with_validation("numbers-en-ko", "train[:10]", "test[:5]").validation) == 5


def test_a_share_of_the_training_split_is_taken_out_of_it() -> None:
    train, validation, notes, _ = load_with_validation("numbers-en-ko", "train[:100]", "train[90:200]")
    assert (len(train), len(validation)) == (90, 110)
    assert not set(zip(train["en"], train["ko"], strict=True)) & set(
        zip(validation["en"], validation["ko"], strict=True)
    )
    assert "taken out of the training rows" in notes[0]
    with pytest.raises(CorpusError, match=r"takes all 10 rows of 'train\[:10\]'"):
        load_with_validation("numbers-en-ko", "train[:10]", "train[:50]")


def test_local_files_give_a_share_and_folders_their_own(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("one\ntwo\nthree\n")
    train, validation, notes, ledgers = load_with_validation(str(tmp_path / "x.txt"), seed=5)
    assert (len(train), len(validation)) == (2, 1)
    assert notes == ("validation: 1 of 3 rows held out, drawn with seed 5",)
    assert [stage.name for stage in ledgers[0].stages] == ["read", "split"]
    assert ledgers[0].stages[1].dropped["held out for validation"].examples == 1
    assert ledgers[0].stages[1].loss == 0
    (tmp_path / "y.txt").write_text("one\n")
    with pytest.raises(CorpusError, match="1 row, too few to hold one out"):
        load_with_validation(str(tmp_path / "y.txt"))
    with pytest.raises(CorpusError, match="no split 'validation'"):
        load_with_validation(str(tmp_path / "x.txt"), validation="validation")
    named = load_with_validation(str(tmp_path / "x.txt"), validation=str(tmp_path / "y.txt"))
    assert (named.train["text"][:], named.validation["text"][:]) == (["one", "two", "three"], ["one"])
    assert "1 of 3 training rows are also validation rows" in named.notes[1]
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "train.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n')
    (folder / "val.jsonl").write_text('{"text": "c"}\n')
    own = load_with_validation(str(folder))
    assert (own.train["text"][:], own.validation["text"][:]) == (["a", "b"], ["c"])


def test_the_end_of_few_documents_is_held_out(tmp_path: Path) -> None:
    text = "".join(f"line {n} of a novel\n" for n in range(100))
    (tmp_path / "novel.txt").write_text(text)
    file = Reading(documents="file")
    train, validation, notes, _ = load_with_validation(str(tmp_path / "novel.txt"), reading=file, documents=True)
    assert train["text"][0] + validation["text"][0] == text
    assert train["text"][0].endswith("\n")
    assert 0.03 < len(validation["text"][0]) / len(text) < 0.08
    assert notes == ("validation: the last twentieth of the text, held out",)
    (tmp_path / "word.txt").write_text("a")
    with pytest.raises(CorpusError, match="too short to hold a part of it out"):
        load_with_validation(str(tmp_path / "word.txt"), reading=file, documents=True)


def test_duplicates_are_told_and_dropped_with_an_account(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a\nb\na\nc\nd\n")
    (tmp_path / "dev.txt").write_text("c\ne\n")
    told = load_with_validation(str(tmp_path))
    assert len(told.train) == 5
    assert told.notes[1].startswith("1 of 5 training rows are also validation rows")
    dropped = load_with_validation(str(tmp_path), dedup=True)
    assert dropped.train["text"][:] == ["a", "b", "d"]
    assert dropped.notes[1] == (
        "duplicates: 1 training rows that are also validation rows and 1 that repeat an earlier one dropped, 3 kept"
    )
    assert [str(stage) for stage in dropped.ledgers[0].stages[1:]] == [
        "dedup: 5 rows, 5 bytes in, 3 rows, 3 bytes kept; 1 row of 1 byte dropped: also a validation row (row 3); "
        "1 row of 1 byte dropped: repeats an earlier row (row 2)"
    ]
    (tmp_path / "dev.txt").write_text("a\nb\nc\nd\n")
    with pytest.raises(CorpusError, match="dedup leaves none"):
        load_with_validation(str(tmp_path), dedup=True)


def test_columns_that_are_only_read_do_not_decide_which_rows_are_the_same(tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("en,ko,more\n" + "".join(f"{n % 30},{n % 30},{n}\n" for n in range(60)))
    plain = load_with_validation(str(table), columns=("en", "ko"), dedup=True)
    more = load_with_validation(str(table), columns=("en", "ko"), also=("more", "ko"), dedup=True)
    assert more.train.column_names == ["en", "ko", "more"]
    assert more.train.select_columns(["en", "ko"])[:] == plain.train[:]
    assert more.notes == plain.notes
    assert len(plain.train) < 30


def test_rows_are_found_among_known_ones(tmp_path: Path) -> None:
    known = KnownRows(datasets.Dataset.from_dict({"en": [*"abcdefghijklmnopqrstuvwxyz"]}), ("en",))
    rows = datasets.Dataset.from_dict({"text": ["a", "b", "b", "ä", None, "ab"]})
    assert known.count(rows, ("text",)) == 3
    assert known.count(rows.select([3, 4]), ("text",)) == 0
    few = KnownRows(datasets.Dataset.from_dict({"text": [" one two three\n", None, ""]}), ("text",))
    rows = datasets.Dataset.from_dict({"text": ["two", "one two three, four", "five", " ", None]})
    assert few.count(rows, ("text",)) == 2
    with pytest.raises(CorpusError, match="columns='text'"):
        few.count(rows, "text")
