"""Listed corpora: what is bundled, what is generated, what recipes read from a local folder, and how they fail."""

from __future__ import annotations

import gzip
import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest

from bpe_transformer.corpora import python_stdlib
from bpe_transformer.data import corpus_info, count_corpus, list_corpora, load_corpus, read_stage
from bpe_transformer.data.corpora import recipe_files as sources
from bpe_transformer.data.corpora import table_cache
from bpe_transformer.data.corpora.recipes import Recipe, RecipeFile, all_recipes, parse_recipe
from bpe_transformer.errors import CorpusError, FormatError, InvalidUtf8Error


def test_low_lower_has_the_classic_counts() -> None:
    rows = load_corpus("low-lower").to_dict()
    assert dict(zip(rows["word"], rows["count"], strict=True)) == {"low": 5, "lower": 2, "newest": 6, "widest": 3}


def test_numbers_en_ko_is_a_dataset_of_its_splits() -> None:
    test = load_corpus("numbers-en-ko", "test")
    assert test.column_names == ["en", "ko", "kind"]
    assert len(test) == 1_000
    again = load_corpus("numbers-en-ko", "test")
    assert again.cache_files == test.cache_files
    assert again._fingerprint == test._fingerprint


def test_nothing_is_written_outside_the_datasets_cache(datasets_cache: Path) -> None:
    files = load_corpus("low-lower").cache_files
    assert all(datasets_cache in Path(file["filename"]).parents for file in files)


def test_every_recipe_is_complete() -> None:
    for info in list_corpora():
        assert info.kind in ("words", "text", "parallel", "labelled")
        assert all((info.description, info.licence, info.size, info.source, info.checksum, info.splits))
        assert set(info.text_columns) <= set(info.columns)
        recipe = all_recipes()[info.name]
        for split in recipe.splits.values():
            for file in split.files.values():
                assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
    names = {info.name for info in list_corpora()}
    assert names >= {"low-lower", "numbers-en-ko", "python-stdlib", "multi30k", "tiny-shakespeare", "wikitext-103"}
    assert names >= {"nsmc", "wmt14-en-de"}


def test_the_recipes_train_table_reaches_its_info() -> None:
    assert parse_recipe("mine", RECIPE.format(sha="0" * 64)).info.train == {"epochs": 3}


def test_a_broken_recipe_names_what_it_lacks() -> None:
    with pytest.raises(FormatError, match="licence"):
        parse_recipe("mine", RECIPE.format(sha="").replace("licence", "lizenz"))
    with pytest.raises(FormatError, match="TOML"):
        parse_recipe("mine", "= 3")


RECIPE = """
description = "two languages"
kind = "parallel"
licence = "CC0 1.0"
size = "2 pairs"
source = "https://example.org"
columns = ["en", "de"]
reader = "lines"
checksum = "of the files"
[train]
epochs = 3
[splits.train]
files.en = {{ path = "mine/train.en", sha256 = "{sha}" }}
files.de = {{ path = "mine/train.de" }}
"""


@pytest.fixture
def two_languages(tmp_path: Path) -> tuple[Recipe, Path]:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "train.en").write_text("one\ntwo\n")
    (folder / "train.de").write_text("eins\nzwei\n")
    return parse_recipe("mine", RECIPE.format(sha=hashlib.sha256(b"one\ntwo\n").hexdigest())), tmp_path


def test_a_recipes_file_is_found_below_the_folder_or_in_it(two_languages: tuple[Recipe, Path]) -> None:
    recipe, folder = two_languages
    file = recipe.splits["train"].files["en"]
    assert sources.locate(recipe, file, folder) == folder / "mine" / "train.en"
    assert sources.locate(recipe, file, folder / "mine") == folder / "mine" / "train.en"


def test_another_file_than_the_recipe_means_is_refused(two_languages: tuple[Recipe, Path]) -> None:
    recipe, folder = two_languages
    (folder / "mine" / "train.en").write_text("one\nzwo\n")
    with pytest.raises(CorpusError, match=r"SHA-256 .* get it anew from https://example\.org"):
        sources.locate(recipe, recipe.splits["train"].files["en"], folder)


def test_an_unknown_checksum_lets_any_file_pass(two_languages: tuple[Recipe, Path]) -> None:
    recipe, folder = two_languages
    (folder / "mine" / "train.de").write_text("eins\nzwo\n")
    assert sources.locate(recipe, recipe.splits["train"].files["de"], folder).name == "train.de"


def test_a_download_is_unpacked_and_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    upstream = tmp_path / "train.en.gz"
    upstream.write_bytes(gzip.compress(b"one\ntwo\n"))
    recipe = parse_recipe("mine", RECIPE.format(sha=""))
    right = RecipeFile("train.en", url=upstream.as_uri(), sha256=hashlib.sha256(b"one\ntwo\n").hexdigest())
    path = sources.locate(recipe, right, None)
    assert path.read_text() == "one\ntwo\n"
    upstream.unlink()
    assert sources.locate(recipe, right, None) == path  # from the cache
    other = tmp_path / "other.en.gz"
    other.write_bytes(gzip.compress(b"eins\n"))
    wrong = RecipeFile("other.en", url=other.as_uri(), sha256="0" * 64)
    with pytest.raises(CorpusError, match="other.en.gz has SHA-256"):
        sources.locate(recipe, wrong, None)
    assert not list((table_cache.cache_folder() / "downloads").rglob("*other*"))
    with pytest.raises(CorpusError, match="source_dir=…"):
        sources.locate(recipe, RecipeFile("x", url=(tmp_path / "none").as_uri()), None)


def test_a_missing_file_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no multi30k/train\.en.*github\.com/multi30k"):
        load_corpus("multi30k", source_dir=tmp_path)
    with pytest.raises(CorpusError, match="is not a folder"):
        load_corpus("multi30k", source_dir=tmp_path / "none")


@pytest.mark.parametrize("name", ["multi30k", "tiny-shakespeare"])
def test_without_a_network_the_error_names_from_dir(name: str) -> None:
    with pytest.raises(CorpusError, match=r"source_dir=…"):
        load_corpus(name)


def test_the_hub_out_of_reach_names_from_dir() -> None:
    code = (
        "from bpe_transformer.data import load_corpus; from bpe_transformer.errors import CorpusError\n"
        "try: load_corpus('wikitext-103', 'test')\n"
        "except CorpusError as problem: print(problem)"
    )
    env = {"HF_HUB_OFFLINE": "1", "PATH": "", "HF_HOME": "/nonexistent"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert "source_dir=…" in done.stdout
    assert "wiki.test.raw" in done.stdout


def test_wikitext_loads_from_a_folder_without_a_checksum(tmp_path: Path) -> None:
    (tmp_path / "wikitext-103-raw").mkdir()
    (tmp_path / "wikitext-103-raw" / "wiki.test.raw").write_text(" \n = Title = \n \n Text .\n")
    dataset = load_corpus("wikitext-103", "test", source_dir=tmp_path)
    assert dataset["text"][:] == [" = Title = ", " Text ."]
    stage = read_stage(dataset)
    assert stage is not None
    assert stage.dropped["blank line"].examples == 2


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("low-lowre", "train", "did you mean low-lower"),
        ("qqqq", "train", "listed are low-lower"),
        ("wiki-lower-xyz", "train", "listed are low-lower"),  # far from all
        ("python", "train", "did you mean python-docstring-modules or python-docstrings or python-stdlib?"),
        ("numbers-en-ko", "dev", "choose one of train, validation, test"),
        ("numbers-en-ko", "train[", "write it like"),
        ("numbers-en-ko", "test[a:b]", "test"),
        ("numbers-en-ko", "test[:0]", "empty"),
    ],
)
def test_wrong_names_and_splits(name: str, split: str, message: str) -> None:
    with pytest.raises(CorpusError, match=re.escape(message)):
        load_corpus(name, split)


def test_shares_of_a_split() -> None:
    whole = load_corpus("numbers-en-ko", "test")
    assert load_corpus("numbers-en-ko", "test[:10]")["en"][:] == whole["en"][:10]
    assert load_corpus("numbers-en-ko", "test[90%:]")["en"][:] == whole["en"][900:]


def test_python_stdlib_reads_the_running_python() -> None:
    train, validation = load_corpus("python-stdlib"), load_corpus("python-stdlib", "validation")
    assert train.column_names == ["path", "text"]
    paths = train["path"][:]
    assert paths == sorted(paths)
    assert not set(paths) & set(validation["path"][:])
    assert not any("site-packages" in path for path in paths)
    assert 0.9 < len(train) / (len(train) + len(validation)) < 0.99
    text = dict(zip(paths, train["text"][:], strict=True))
    assert text["tokenize.py"] == (python_stdlib.root() / "tokenize.py").read_text(encoding="utf-8")


def test_source_files_decode_by_their_coding_line_or_are_reported(tmp_path: Path) -> None:
    (tmp_path / "latin.py").write_bytes("# -*- coding: latin-1 -*-\n'é'\n".encode("latin-1"))
    (tmp_path / "bad.py").write_bytes(b"'\xff'\n")
    (tmp_path / "unknown.py").write_bytes(b"# coding: klingon\n")
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "other.py").write_text("1\n")
    assert python_stdlib.files(tmp_path) == ["bad.py", "latin.py", "unknown.py"]
    assert python_stdlib.read_source(tmp_path / "latin.py").endswith("'é'\n")
    for name in ("bad.py", "unknown.py"):
        with pytest.raises(ValueError, match="encoding|codec"):
            python_stdlib.read_source(tmp_path / name)


def test_every_stdlib_file_is_a_row_or_in_the_account() -> None:
    files = [path for path in python_stdlib.files() if python_stdlib.split_of(path) == "train"]
    dataset = load_corpus("python-stdlib")
    stage = read_stage(dataset)
    assert stage is not None
    assert len(dataset) + sum(amount.examples for amount in stage.dropped.values()) == len(files)
    unreadable = stage.dropped.get("cannot be read as source")
    assert len(stage.notes) == (unreadable.examples if unreadable else 0)


def test_docstrings_in_source_order() -> None:
    source = '"""Module."""\n\ndef f():\n    """First."""\n\nclass C:\n    """Second."""\n    def g(self): pass\n'
    assert python_stdlib.docstrings(source) == "Module.\n\nFirst.\n\nSecond."
    assert python_stdlib.docstrings("x = 1\n") == ""
    with pytest.raises(ValueError, match="does not parse"):
        python_stdlib.docstrings("def (")


def test_counts_of_listed_corpora() -> None:
    words = count_corpus("low-lower")
    assert dict(words.items()) == {b"low": 5, b"lower": 2, b"newest": 6, b"widest": 3}
    dataset = load_corpus("numbers-en-ko", "test")
    calls: list[tuple[int, int]] = []
    both = count_corpus("numbers-en-ko", split="test", progress=lambda done, total: calls.append((done, total)))
    english = count_corpus("numbers-en-ko", split="test", columns=["en"])
    korean = count_corpus("numbers-en-ko", split="test", columns=["ko"])
    assert dict((english + korean).items()) == dict(both.items())
    assert sum(len(token) * n for token, n in english.items()) == sum(len(en.encode()) for en in dataset["en"])
    assert calls[-1][0] == calls[-1][1] == sum(len((r["en"] + r["ko"]).encode()) for r in dataset)


def test_counts_of_several_corpora_add_up(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("low low\n")
    (tmp_path / "b.jsonl").write_text('{"text": "low lower"}\n')
    counts = count_corpus([str(tmp_path / "a.txt"), str(tmp_path / "b.jsonl")], pattern="whitespace")
    assert dict(counts.items()) == {b"low": 2, b" low": 1, b" lower": 1, b"\n": 1}


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ([], {}, "no corpus is named"),
        (["numbers-en-ko"], {"columns": ["fr"]}, "no column fr"),
        (["low-lower"], {"columns": ["count"]}, "not text"),
        (["nowhere.txt"], {}, "does not exist"),
    ],
)
def test_what_cannot_be_counted(names: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        count_corpus(names, **options)


def test_counting_names_file_and_byte_of_invalid_utf8(tmp_path: Path) -> None:
    file = tmp_path / "bad.txt"
    file.write_bytes(b"good\nb\xffd\n")
    with pytest.raises(InvalidUtf8Error, match=r"bad\.txt.*6"):
        count_corpus(str(file))
    assert count_corpus(str(file), errors="replace").total > 0


def test_info_of_listed_and_local_corpora(tmp_path: Path) -> None:
    assert corpus_info("numbers-en-ko").text_columns == ("en", "ko")
    table = tmp_path / "reviews.tsv"
    table.write_text("document\tlabel\ngut\t1\n")
    info = corpus_info(str(table))
    assert (info.columns, info.kind) == (("document", "label"), "labelled")
    with pytest.raises(CorpusError, match="did you mean"):
        corpus_info("multi30")
