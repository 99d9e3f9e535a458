"""Scores of trained models on a corpus: translators, language models, masked language models and classifiers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from bpe_transformer.errors import ConfigError, CorpusError, refuse_one_string
from bpe_transformer.evaluation.metrics import (
    accuracy,
    bits_per_byte,
    bleu,
    bleu_tokenizer,
    chrf,
    exact_match,
    language_of,
    macro_f1,
    perplexity,
)
from bpe_transformer.evaluation.rows import ScoredRows, scored_rows
from bpe_transformer.ledger import Ledger

if TYPE_CHECKING:
    import datasets

    from bpe_transformer.inference import Classifier, MaskFiller, TextGenerator, Translator

Metric = Literal["bleu", "exact-match"]
METRICS: tuple[Metric, ...] = ("bleu", "exact-match")
Progress = Callable[[int, int], None]  # (done, total)


@dataclass(frozen=True)
class Miss:
    """A translation that differs from its reference."""

    src: str
    output: str
    reference: str

    def to_dict(self) -> dict[str, str]:
        return {"src": self.src, "output": self.output, "reference": self.reference}


@dataclass(frozen=True)
class TranslationScore:
    """How a translator did on some rows.

    Attributes:
        score: BLEU, 0 to 100, or the percentage of outputs that equal their reference.
        outputs: a translation of each row that was scored, in order.
        signature: how BLEU was computed; None for exact match.
        misses: the rows whose output is not the reference; None for BLEU.
        chrf, chrf_signature: chrF2 of the same outputs, 0 to 100; None for exact match.
        num_left_out: rows without a source or without a reference: null, or blank.
        ledger: the account of them, as in every score.
    """

    metric: Metric
    score: float
    outputs: tuple[str, ...]
    signature: str | None = None
    misses: tuple[Miss, ...] | None = None
    chrf: float | None = None
    chrf_signature: str | None = None
    num_left_out: int = 0
    ledger: Ledger = field(default=Ledger(), compare=False)

    @property
    def num_rows(self) -> int:
        return len(self.outputs)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data: dict[str, Any] = {"rows": self.num_rows, "metric": self.metric, "score": self.score}
        data["left_out"] = self.num_left_out
        if self.misses is None:
            data |= {"signature": self.signature, "chrf": self.chrf, "chrf_signature": self.chrf_signature}
        else:
            data["matches"] = self.num_rows - len(self.misses)
            data["misses"] = [miss.to_dict() for miss in self.misses]
        return {**data, "outputs": list(self.outputs)}


@dataclass(frozen=True)
class LanguageModelScore:
    """How well a language model predicts some texts; `num_bytes` are of UTF-8, `num_ids` are those predicted."""

    bits_per_byte: float
    perplexity: float
    num_texts: int
    num_bytes: int
    num_ids: int
    num_left_out: int = 0  # null or blank texts
    ledger: Ledger = field(default=Ledger(), compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "rows": self.num_texts,
            "left_out": self.num_left_out,
            "metric": "bits-per-byte",
            "score": self.bits_per_byte,
            "perplexity": self.perplexity,
            "bytes": self.num_bytes,
            "ids": self.num_ids,
        }


@dataclass(frozen=True)
class MaskedLanguageModelScore:
    """How well a masked language model predicts hidden ids: its accuracy (0 to 1) and perplexity on `num_masked` of them."""

    accuracy: float
    perplexity: float
    num_texts: int
    num_masked: int
    num_left_out: int = 0  # null or blank texts
    ledger: Ledger = field(default=Ledger(), compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "rows": self.num_texts,
            "left_out": self.num_left_out,
            "metric": "masked-accuracy",
            "score": 100 * self.accuracy,
            "perplexity": self.perplexity,
            "masked": self.num_masked,
        }


@dataclass(frozen=True)
class ClassificationScore:
    """How a classifier did on some rows.

    Attributes:
        accuracy, macro_f1: 0 to 1.
        outputs: the label given to each row that has text and a label, in order.
        num_left_out: rows without text or without a label.
    """

    accuracy: float
    macro_f1: float
    outputs: tuple[str, ...]
    num_left_out: int
    ledger: Ledger = field(default=Ledger(), compare=False)

    @property
    def num_rows(self) -> int:
        return len(self.outputs)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "rows": self.num_rows,
            "metric": "accuracy",
            "score": 100 * self.accuracy,
            "macro_f1": 100 * self.macro_f1,
            "left_out": self.num_left_out,
            "outputs": list(self.outputs),
        }


def evaluate_translator(
    translator: Translator,
    rows: datasets.Dataset,
    *,
    metric: Metric = "bleu",
    references: Sequence[str] = (),
    tokenize: str | None = None,
    beam: int | None = None,
    length_penalty: float | None = None,
    progress: Progress | None = None,
) -> TranslationScore:
    """Translates the source column of `rows` and compares with the target column, both named as in training.

    Rows without a source or without a reference, null or blank, are left out and counted.

    Args:
        references: columns with further references, for BLEU and chrF.
        tokenize: BLEU's tokenizer; None: that of the target language, which the column's name or its letters tell.
        beam, length_penalty, progress: as in `Translator.translate`.

    Raises:
        ConfigError: an unknown metric or tokenizer, or further references with exact match.
        CorpusError: a column is missing or holds no texts, or there is no row to score.
    """
    refuse_one_string(references=references)
    if metric not in METRICS:
        raise ConfigError(f"metric={metric!r} is unknown; choose {' or '.join(METRICS)}")
    if metric == "exact-match" and references:
        raise ConfigError("metric='exact-match' compares with one reference; leave the others out, or choose 'bleu'")
    src, tgt = translator.info.columns
    columns = (src, tgt, *references)
    _check_columns(rows, columns, f"the model translates {src} to {tgt}")
    found = scored_rows(rows, columns)
    if not found.rows:
        raise CorpusError(
            f"no row has text in {' and '.join(map(repr, columns))}; give rows with at least one to translate and compare"
        )
    texts, wanted = found.column(0), [list(row[1:]) for row in found.rows]
    outputs = translator.translate(texts, beam=beam, length_penalty=length_penalty, progress=progress)
    account: dict[str, Any] = {"num_left_out": found.num_left_out, "ledger": found.ledger}
    if metric == "bleu":
        chosen = tokenize or bleu_tokenizer(language_of(tgt, [row[0] for row in wanted]))
        scored, characters = bleu(outputs, wanted, tokenize=chosen), chrf(outputs, wanted)
        return TranslationScore(
            metric,
            scored.score,
            tuple(outputs),
            signature=scored.signature,
            chrf=characters.score,
            chrf_signature=characters.signature,
            **account,
        )
    first = [row[0] for row in wanted]
    matched = exact_match(outputs, first)
    misses = tuple(Miss(texts[row], outputs[row], first[row]) for row in matched.misses)
    return TranslationScore(metric, 100 * matched.share, tuple(outputs), misses=misses, **account)


def evaluate_language_model(
    model: TextGenerator, rows: datasets.Dataset, *, progress: Progress | None = None
) -> LanguageModelScore:
    """Scores the texts of `rows`, in the column named as in training; blank ones are left out.

    `progress` is called with the number of ids read and of all ids.

    Raises:
        CorpusError: the column is missing, or there is no text.
    """
    found = _texts(rows, model.info.columns)
    texts = found.column(0)
    loss, num_ids = model.negative_log_likelihood(texts, progress=progress)
    num_bytes = found.ledger.kept.bytes
    figures = (bits_per_byte(loss, num_bytes), perplexity(loss, num_ids), len(texts), num_bytes, num_ids)
    return LanguageModelScore(*figures, found.num_left_out, found.ledger)


def evaluate_masked_language_model(
    model: MaskFiller, rows: datasets.Dataset, *, progress: Progress | None = None
) -> MaskedLanguageModelScore:
    """Hides ids of the texts of `rows` as in training, the same ones every time; otherwise as `evaluate_language_model`."""
    found = _texts(rows, model.info.columns)
    score = model.score(found.column(0), progress=progress)
    likelihood = perplexity(score.negative_log_likelihood, max(score.num_masked, 1))
    figures = (score.accuracy, likelihood, len(found.rows), score.num_masked)
    return MaskedLanguageModelScore(*figures, found.num_left_out, found.ledger)


def evaluate_classifier(
    model: Classifier, rows: datasets.Dataset, *, progress: Progress | None = None
) -> ClassificationScore:
    """Compares the label of each text of `rows` with the one in the label column, both named as in training.

    Rows without text or label are left out and counted. `progress` is called with the number of texts done and of all texts.

    Raises:
        CorpusError: a column is missing, a label is none of the model's, or there is no row to score.
    """
    column, label = model.info.columns
    _check_columns(rows, (column, label), f"the model learned {label!r} from {column!r}")
    found = scored_rows(rows, (column,), label=label)
    for row, (_, name) in zip(found.numbers, found.rows, strict=True):
        if name not in model.info.labels:
            shown = ", ".join(model.info.labels[:10]) + (", …" if len(model.info.labels) > 10 else "")
            raise CorpusError(f"row {row:,} has the label {name!r}, which the model does not know; it knows {shown}")
    if not found.rows:
        raise CorpusError(f"no row has both a text in {column!r} and a label in {label!r}; give rows with at least one")
    outputs = [written.label for written in model.classify(found.column(0), progress=progress)]
    actual = found.column(1)
    figures = (accuracy(outputs, actual), macro_f1(outputs, actual), tuple(outputs))
    return ClassificationScore(*figures, found.num_left_out, found.ledger)


def _texts(rows: datasets.Dataset, columns: Sequence[str]) -> ScoredRows:
    """The texts of the one column that the model was trained on."""
    (column,) = columns
    _check_columns(rows, (column,), f"the model was trained on the column {column!r}")
    found = scored_rows(rows, (column,))
    if not found.rows:
        raise CorpusError(f"column {column!r} holds no text to score; give rows with at least one")
    return found


def _check_columns(rows: datasets.Dataset, columns: Sequence[str], use: str) -> None:
    missing = [column for column in columns if column not in rows.column_names]
    if missing:
        raise CorpusError(
            f"{use}, but the corpus has no column {missing[0]!r}, only {', '.join(rows.column_names)}; "
            "evaluate on the corpus it was trained on, or one like it"
        )
