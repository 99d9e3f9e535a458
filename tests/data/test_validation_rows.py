"""Rows to validate on: a split by name, the corpus's own, or a share held out."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

from bpe_transformer.data import hold_out, load_with_validation
from bpe_transformer.errors import CorpusError


@pytest.mark.parametrize(("rows", "held_out"), [(2, 1), (39, 1), (40, 2), (1_000, 50), (50_000, 1_000)])
def test_a_twentieth_is_held_out_at_the_end(rows: int, held_out: int) -> None:
    dataset = datasets.Dataset.from_dict({"n": range(rows)})
    train, validation = hold_out(dataset)
    assert [*train["n"], *validation["n"]] == list(range(rows))
    assert len(validation) == held_out


def test_the_corpus_s_own_split_comes_first() -> None:
    train, validation = load_with_validation("numbers-en-ko", "train[:10]")
    assert (len(train), len(validation)) == (10, 1_000)
    assert len(load_with_validation("numbers-en-ko", "train[:10]", "test[:5]")[1]) == 5


def test_local_files_give_a_share(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("one\ntwo\nthree\n")
    train, validation = load_with_validation(str(tmp_path / "x.txt"))
    assert (train["text"][:], validation["text"][:]) == (["one", "two"], ["three"])
    (tmp_path / "y.txt").write_text("one\n")
    with pytest.raises(CorpusError, match="1 rows, too few to hold one out"):
        load_with_validation(str(tmp_path / "y.txt"))
    with pytest.raises(CorpusError, match="no split 'validation'"):
        load_with_validation(str(tmp_path / "x.txt"), validation="validation")
