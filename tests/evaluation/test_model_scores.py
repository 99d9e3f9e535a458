"""Models scored on rows; the models here answer by rule, so that scores can be worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import datasets
import pytest

from bpe_transformer.errors import ConfigError, CorpusError
from bpe_transformer.evaluation import evaluate_language_model, evaluate_translator, scored_rows
from bpe_transformer.inference import TextGenerator, TextLikelihood, Translator


@dataclass
class Upper:
    """A translator that writes capitals."""

    info: Any

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam: int | None,
        length_penalty: float | None,
        progress: Callable[[int, int], None] | None,
    ) -> list[str]:
        return [text.upper() for text in texts]


@dataclass
class OneBitPerByte:
    info: Any

    def negative_log_likelihood(self, texts: Sequence[str], *, progress: Any) -> TextLikelihood:
        return TextLikelihood(math.log(2) * sum(len(text.encode()) for text in texts), 2 * len(texts))


UPPER = cast(Translator, Upper(SimpleNamespace(columns=("src", "tgt"))))
READER = cast(TextGenerator, OneBitPerByte(SimpleNamespace(columns=("text",))))
ROWS = datasets.Dataset.from_dict({"src": ["a b c d e", "x"], "tgt": ["A B C D E", "y"]})


def test_exact_match_names_the_misses() -> None:
    score = evaluate_translator(UPPER, ROWS, metric="exact-match")
    assert score.to_dict() == {
        "rows": 2,
        "metric": "exact-match",
        "score": 50.0,
        "left_out": 0,
        "matches": 1,
        "misses": [{"src": "x", "output": "X", "reference": "y"}],
        "outputs": ["A B C D E", "X"],
    }


def test_bleu_has_its_signature() -> None:
    score = evaluate_translator(UPPER, ROWS.select([0]))
    assert (score.metric, score.score, score.misses) == ("bleu", pytest.approx(100), None)
    assert "tok:13a" in score.to_dict()["signature"]


def test_bits_per_byte_and_perplexity() -> None:
    rows = datasets.Dataset.from_dict({"text": ["abcd", "  ", None, "ef"]})
    score = evaluate_language_model(READER, rows)
    assert (score.num_texts, score.num_bytes, score.num_ids) == (2, 6, 4)
    assert score.bits_per_byte == pytest.approx(1.0)
    assert score.perplexity == pytest.approx(2 ** (6 / 4))
    assert score.to_dict()["metric"] == "bits-per-byte"


def test_what_cannot_be_scored() -> None:
    with pytest.raises(ConfigError, match="metric='rouge' is unknown; choose bleu or exact-match"):
        evaluate_translator(UPPER, ROWS, metric="rouge")  # type: ignore[arg-type]
    with pytest.raises(CorpusError, match="translates src to tgt, but the corpus has no column 'tgt', only src"):
        evaluate_translator(UPPER, ROWS.select_columns(["src"]))
    with pytest.raises(CorpusError, match="trained on the column 'text', but the corpus has no column 'text'"):
        evaluate_language_model(READER, ROWS)
    with pytest.raises(CorpusError, match="holds no text to score"):
        evaluate_language_model(READER, datasets.Dataset.from_dict({"text": [" "]}))


def test_rows_that_are_left_out_count_the_bytes_that_were_read() -> None:
    rows = datasets.Dataset.from_dict({"src": ["a", " \n", None], "tgt": ["bc", "de", "f"], "kind": ["x", "y", " "]})
    found = scored_rows(rows, ("src", "tgt"), label="kind")
    assert (found.rows, found.numbers) == ((("a", "bc", "x"),), (1,))
    (stage,) = found.ledger.stages
    assert (stage.kept.bytes, stage.dropped["missing or blank"].bytes) == (3, 2 + 2 + 1)
