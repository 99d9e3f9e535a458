"""Which task and columns are chosen for a corpus, by one rule."""

from __future__ import annotations

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
