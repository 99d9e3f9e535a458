"""Which task and columns are chosen for a corpus, by one rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bpe_transformer.data import CorpusInfo, choose_columns, corpus_info
from bpe_transformer.errors import ConfigError, CorpusError


def info(kind: str, *columns: str, **train: object) -> CorpusInfo:
    return CorpusInfo(
        name="x",
        description="",
        kind=kind,  # type: ignore[arg-type]
        columns=columns,
        splits=("train",),
        licence="",
        size="",
        source="",
        train=train,
        text_columns=columns,
    )


def table(**roles: str) -> CorpusInfo:
    """A local table as its values show it."""
    texts = [name for name, role in roles.items() if role == "text"]
    found = info("parallel" if len(texts) == 2 else "labelled", *roles)
    return replace(found, roles=roles)


PARALLEL = info("parallel", "en", "de", "fr")
TABLE = info("labelled", "question", "answer")
RECIPE = info("parallel", "en", "de", "fr", task="translation", src="fr", tgt="de")
CODE = info("text", "path", "text", task="language-model", column="text")


@pytest.mark.parametrize(
    ("corpus", "named", "task", "columns"),
    [
        (PARALLEL, {}, "translation", ("en", "de")),
        (PARALLEL, {"src": "de"}, "translation", ("de", "en")),
        (PARALLEL, {"tgt": "en"}, "translation", ("de", "en")),
        (PARALLEL, {"src": "fr", "tgt": "en"}, "translation", ("fr", "en")),
        (PARALLEL, {"task": "language-model"}, "language-model", ("en",)),
        (PARALLEL, {"column": "fr"}, "language-model", ("fr",)),
        (TABLE, {}, "language-model", ("question",)),
        (TABLE, {"src": "question"}, "translation", ("question", "answer")),
        (info("text"), {}, "language-model", ("text",)),
        # a recipe's columns come before the corpus's own order, but never twice
        (RECIPE, {}, "translation", ("fr", "de")),
        (RECIPE, {"src": "en"}, "translation", ("en", "de")),
        (RECIPE, {"src": "de"}, "translation", ("de", "en")),
        (RECIPE, {"tgt": "fr"}, "translation", ("en", "fr")),
        (RECIPE, {"task": "language-model"}, "language-model", ("en",)),  # a recipe for another task says nothing
        (CODE, {}, "language-model", ("text",)),
        (CODE, {"column": "path"}, "language-model", ("path",)),
        (CODE, {"task": "translation"}, "translation", ("path", "text")),
    ],
)
def test_the_rule(corpus: CorpusInfo, named: dict[str, str], task: str, columns: tuple[str, ...]) -> None:
    chosen = choose_columns(corpus, **named)  # type: ignore[arg-type]
    assert (chosen.task, chosen.columns) == (task, columns)


@pytest.mark.parametrize(
    ("roles", "named", "task", "columns"),
    [
        ({"a": "text", "b": "text"}, {}, "translation", ("a", "b")),
        ({"id": "id", "a": "text", "b": "text"}, {}, "translation", ("a", "b")),
        ({"a": "text", "b": "text"}, {"src": "b"}, "translation", ("b", "a")),
        ({"id": "number", "document": "text", "label": "label"}, {}, "language-model", ("document",)),
        ({"id": "number", "document": "text", "stars": "label"}, {"task": "classification"}, "classification", None),
        ({"a": "text", "b": "text", "c": "text"}, {"src": "a", "tgt": "c"}, "translation", ("a", "c")),
        ({"word": "label"}, {}, "language-model", ("word",)),
    ],
)
def test_the_columns_of_a_table_by_their_values(
    roles: dict[str, str], named: dict[str, str], task: str, columns: tuple[str, ...] | None
) -> None:
    chosen = choose_columns(table(**roles), **named)  # type: ignore[arg-type]
    assert (chosen.task, chosen.columns) == (task, columns or ("document", "stars"))


@pytest.mark.parametrize(
    ("roles", "named", "message"),
    [
        ({"a": "text", "b": "text", "c": "text"}, {}, "a and b and c may all be its text.*column=.*src="),
        ({"a": "number", "b": "number"}, {}, r"no column of it looks like text; its columns are a \(number\), b"),
        ({"a": "text", "b": "text", "c": "text"}, {"src": "a"}, r"more than two columns of text \(b, c\)"),
        ({"a": "text", "b": "text"}, {"src": "en"}, "no column 'en'; its columns are a, b"),
        ({"a": "text", "b": "text"}, {"tgt": "de"}, "no column 'de'"),
        ({"a": "text", "b": "text"}, {"column": "c"}, "no column 'c'"),
        ({"a": "text", "b": "text"}, {"src": "a", "tgt": "a"}, "both 'a'"),
    ],
)
def test_a_choice_that_is_not_clear_is_the_users(roles: dict[str, str], named: dict[str, str], message: str) -> None:
    with pytest.raises((ConfigError, CorpusError), match=message):
        choose_columns(table(**roles), **named)  # type: ignore[arg-type]


def test_roles_are_seen_in_real_tables(tmp_path: Path) -> None:
    rows = "".join(f"{n}\tA film that is worth seeing, number {n}.\t{n % 2}\n" for n in range(60))
    (tmp_path / "rev.tsv").write_text("id\tdocument\tlabel\n" + rows)
    found = corpus_info(str(tmp_path / "rev.tsv"))
    assert found.roles == {"id": "number", "document": "text", "label": "label"}
    assert choose_columns(found).columns == ("document",)
    (tmp_path / "pairs.tsv").write_text("a\tb\n" + "".join(f"Hello {n} there\tHallo {n} du\n" for n in range(9)))
    assert choose_columns(corpus_info(str(tmp_path / "pairs.tsv"))).columns == ("a", "b")
    (tmp_path / "news.csv").write_text(
        "title,body\n" + "".join(f"News {n},{'A long story. ' * 40}\n" for n in range(9))
    )
    with pytest.raises(CorpusError, match="title and body may all be its text"):
        choose_columns(corpus_info(str(tmp_path / "news.csv")))
    (tmp_path / "x.jsonl").write_text('{"id": "a-1", "review": "not bad", "n": 3}\n{"review": "good one", "n": 4}\n')
    found = corpus_info(str(tmp_path / "x.jsonl"))
    assert found.roles == {"id": "id", "review": "text", "n": "number"}
    assert choose_columns(found).columns == ("review",)


@pytest.mark.parametrize(
    ("corpus", "named", "message"),
    [
        (info("text", "text"), {"task": "translation"}, "too few to translate between"),
        (PARALLEL, {"task": "summary"}, "task='summary' is unknown; choose translation or language-model"),
        (PARALLEL, {"task": "translation", "column": "en"}, "column='en' is not read with task='translation'"),
        (TABLE, {"task": "language-model", "tgt": "answer"}, "tgt='answer' is not read with task='language-model'"),
        (PARALLEL, {"src": "en", "column": "de"}, "name one or the other"),
    ],
)
def test_what_contradicts_itself_is_refused(corpus: CorpusInfo, named: dict[str, str], message: str) -> None:
    with pytest.raises((ConfigError, CorpusError), match=message):
        choose_columns(corpus, **named)  # type: ignore[arg-type]


def test_listed_corpora_have_their_recipes_columns() -> None:
    assert choose_columns(corpus_info("multi30k")).columns == ("en", "de")
    assert choose_columns(corpus_info("python-stdlib")).columns == ("text",)
    assert choose_columns(corpus_info("nsmc")).columns == ("document",)
