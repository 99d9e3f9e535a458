"""Scores: sacreBLEU, exact match, perplexity and bits per byte."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bpe_transformer.errors import CorpusError


@dataclass(frozen=True)
class Bleu:
    """Corpus BLEU (0 to 100) and the signature that says how it was computed."""

    score: float
    signature: str


@dataclass(frozen=True)
class ExactMatch:
    """How many of `total` outputs equal their reference, and where the others are (row numbers from 0)."""

    matches: int
    total: int
    misses: tuple[int, ...]

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.matches / self.total


def bleu(hypotheses: Sequence[str], references: Sequence[str]) -> Bleu:
    """sacreBLEU with its 13a tokenization, cased, one reference a row (Post 2018).

    >>> bleu(["Ein Hund rennt im Schnee."], ["Ein Hund rennt im Schnee."]).score
    100.0
    """
    from sacrebleu.metrics import BLEU

    _check(hypotheses, references)
    metric = BLEU(tokenize="13a", lowercase=False)
    score = metric.corpus_score(list(hypotheses), [list(references)])
    return Bleu(round(float(score.score), 10), str(metric.get_signature()))


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> ExactMatch:
    """Whole texts, compared character by character.

    >>> exact_match(["세 마리", "네 권"], ["세 마리", "다섯 권"])
    ExactMatch(matches=1, total=2, misses=(1,))
    """
    _check(hypotheses, references)
    misses = tuple(row for row, (h, r) in enumerate(zip(hypotheses, references, strict=True)) if h != r)
    return ExactMatch(len(hypotheses) - len(misses), len(hypotheses), misses)


def perplexity(negative_log_likelihood: float, num_ids: int) -> float:
    """exp of the mean negative log-likelihood (nats) an id; comparable only under one tokenizer."""
    return math.exp(negative_log_likelihood / num_ids)


def bits_per_byte(negative_log_likelihood: float, num_bytes: int) -> float:
    """Negative log-likelihood of a whole text (nats), in bits by its UTF-8 bytes: comparable under any tokenizer.

    >>> round(bits_per_byte(math.log(2) * 16, 8), 6)
    2.0
    """
    return negative_log_likelihood / math.log(2) / num_bytes


def accuracy(predicted: Sequence[str], actual: Sequence[str]) -> float:
    """The share of labels that are right, 0 to 1.

    >>> accuracy(["a", "b", "b", "b"], ["a", "b", "a", "b"])
    0.75
    """
    _check(predicted, actual)
    return sum(p == a for p, a in zip(predicted, actual, strict=True)) / len(actual)


def macro_f1(predicted: Sequence[str], actual: Sequence[str]) -> float:
    """The mean, over all labels that occur on either side, of each label's F1, 0 to 1: rare labels count like others.

    F1 = 2·tp / (2·tp + fp + fn), which is 0 for a label that is never right.

    >>> round(macro_f1(["a", "b", "b", "b"], ["a", "b", "a", "b"]), 4)
    0.7333
    """
    _check(predicted, actual)
    scores = []
    for label in {*predicted, *actual}:
        right = sum(p == a == label for p, a in zip(predicted, actual, strict=True))
        wrong = sum((p == label) != (a == label) for p, a in zip(predicted, actual, strict=True))
        scores.append(2 * right / (2 * right + wrong))
    return math.fsum(scores) / len(scores)


def _check(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    if len(hypotheses) != len(references) or not references:
        raise CorpusError(
            f"{len(hypotheses)} hypotheses and {len(references)} references cannot be scored; "
            "give as many of one as of the other, and at least one"
        )
