"""Scores: sacreBLEU's BLEU and chrF, exact match, perplexity and bits per byte."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bpe_transformer.errors import ConfigError, CorpusError, refuse_one_string

# one text, a text a row, or several references a row
References = str | Sequence[str] | Sequence[Sequence[str]]
# of languages written without spaces, by their code
_TOKENIZERS = {"zh": "zh", "ja": "ja-mecab", "th": "char", "lo": "char", "km": "char", "my": "char"}
_EXTRAS = {"ja-mecab": "japanese", "ko-mecab": "korean"}  # of this package, by the tokenizer that needs one
_NAMES = {
    "chinese": "zh",
    "zho": "zh",
    "cmn": "zh",
    "yue": "zh",
    "japanese": "ja",
    "jpn": "ja",
    "thai": "th",
    "tha": "th",
}


@dataclass(frozen=True)
class Bleu:
    """A score of a corpus (0 to 100), BLEU or chrF, and the signature that says how it was computed."""

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


def bleu(hypotheses: str | Sequence[str], references: References, *, tokenize: str = "13a") -> Bleu:
    """sacreBLEU, cased (Post 2018). One pair of texts, or many; a row may have several references.

    tokenize: how words are told apart, a name of sacreBLEU: `bleu_tokenizer` knows the one of a language.
    Raises `ConfigError` for a tokenizer that sacreBLEU does not have, or whose package is missing.

    >>> bleu("Ein Hund rennt im Schnee.", "Ein Hund rennt im Schnee.").score
    100.0
    >>> round(bleu(["我喜欢猫。"], [["我喜欢狗。", "我爱猫。"]], tokenize="zh").score, 2)
    50.0
    """
    from sacrebleu.metrics import BLEU

    texts, by_reference = _paired(hypotheses, references)
    if tokenize not in BLEU.TOKENIZERS:
        raise ConfigError(f"tokenize={tokenize!r} is unknown; choose one of {', '.join(BLEU.TOKENIZERS)}")
    try:
        metric = BLEU(tokenize=tokenize, lowercase=False)
    except (ImportError, RuntimeError):
        package = f"bpe-transformer[{_EXTRAS[tokenize]}]" if tokenize in _EXTRAS else f"sacrebleu[{tokenize}]"
        raise ConfigError(
            f"tokenize={tokenize!r} needs a package that is not installed; run pip install '{package}', or choose 'char'"
        ) from None
    score = metric.corpus_score(texts, by_reference)
    return Bleu(round(float(score.score), 10), str(metric.get_signature()))


def chrf(hypotheses: str | Sequence[str], references: References) -> Bleu:
    """sacreBLEU's chrF2: n-grams of characters, which no tokenizer has to find (Popović 2015); texts as for `bleu`.

    >>> round(chrf("고양이 세 마리", "고양이 네 마리").score, 2)
    28.06
    """
    from sacrebleu.metrics import CHRF

    texts, by_reference = _paired(hypotheses, references)
    metric = CHRF()
    score = metric.corpus_score(texts, by_reference)
    return Bleu(round(float(score.score), 10), str(metric.get_signature()))


def bleu_tokenizer(language: str) -> str:
    """The tokenizer of sacreBLEU for a language by its code, such as "zh" or "ja_JP".

    "char" stands for languages written without spaces that sacreBLEU has no words for. Korean has spaces; choose
    "ko-mecab" to count its morphemes.

    >>> [bleu_tokenizer(code) for code in ("de", "zh-CN", "ja", "th")]
    ['13a', 'zh', 'ja-mecab', 'char']
    """
    return _TOKENIZERS.get(re.split("[-_]", language.lower())[0], "13a")


def language_of(name: str, texts: Sequence[str]) -> str:
    """The language of a column, as a code: its name where that is one, else that of most letters if they tell it.

    Han alone is taken for Chinese, Han with kana for Japanese; "" for what letters do not tell.
    """
    refuse_one_string(texts=texts)
    code = re.split("[-_]", name.lower())[0]
    if code in _TOKENIZERS or code in _NAMES:
        return _NAMES.get(code, code)
    letters = [char for text in texts[:1000] for char in text if char.isalpha()]
    kana = sum("\u3040" <= char <= "\u30ff" for char in letters)
    han = sum("\u4e00" <= char <= "\u9fff" for char in letters)
    if kana + han <= len(letters) / 2 or not letters:
        return ""
    return "ja" if kana > len(letters) / 20 else "zh"


def exact_match(hypotheses: str | Sequence[str], references: str | Sequence[str]) -> ExactMatch:
    """Whole texts, compared character by character: one pair, or many.

    >>> exact_match(["세 마리", "네 권"], ["세 마리", "다섯 권"])
    ExactMatch(matches=1, total=2, misses=(1,))
    """
    if isinstance(hypotheses, str) != isinstance(references, str):
        raise CorpusError("a text and a list of texts cannot be compared; give two texts, or two lists of them")
    texts, wanted = _as_list(hypotheses), _as_list(references)
    _check(texts, wanted)
    misses = tuple(row for row, (h, r) in enumerate(zip(texts, wanted, strict=True)) if h != r)
    return ExactMatch(len(texts) - len(misses), len(texts), misses)


def perplexity(negative_log_likelihood: float, num_ids: int) -> float:
    """exp of the mean negative log-likelihood (nats) a token; comparable only under one tokenizer."""
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
    refuse_one_string(predicted=predicted, actual=actual)
    _check(predicted, actual)
    return sum(p == a for p, a in zip(predicted, actual, strict=True)) / len(actual)


def macro_f1(predicted: Sequence[str], actual: Sequence[str]) -> float:
    """The mean, over all labels that occur on either side, of each label's F1, 0 to 1: rare labels count like others.

    F1 = 2·tp / (2·tp + fp + fn), which is 0 for a label that is never right.

    >>> round(macro_f1(["a", "b", "b", "b"], ["a", "b", "a", "b"]), 4)
    0.7333
    """
    refuse_one_string(predicted=predicted, actual=actual)
    _check(predicted, actual)
    scores = []
    for label in {*predicted, *actual}:
        right = sum(p == a == label for p, a in zip(predicted, actual, strict=True))
        wrong = sum((p == label) != (a == label) for p, a in zip(predicted, actual, strict=True))
        scores.append(2 * right / (2 * right + wrong))
    return math.fsum(scores) / len(scores)


def _as_list(texts: str | Sequence[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)


def _paired(hypotheses: str | Sequence[str], references: References) -> tuple[list[str], list[list[str]]]:
    """The hypotheses, and the first, second, … references of all rows; `CorpusError` where these cannot be paired."""
    if isinstance(references, str) and not isinstance(hypotheses, str):
        raise CorpusError("a list of texts cannot be compared with one text; give two texts, or two lists of them")
    texts = _as_list(hypotheses)
    rows = [references] if isinstance(references, str) or isinstance(hypotheses, str) else list(references)
    several = [[row] if isinstance(row, str) else list(row) for row in rows]
    _check(texts, several)
    counts = {len(row) for row in several}
    if len(counts) != 1 or 0 in counts:
        raise CorpusError(
            f"rows have {' or '.join(map(str, sorted(counts)))} references; give every row equally many, and at least one"
        )
    return texts, [list(reference) for reference in zip(*several, strict=True)]


def _check(hypotheses: Sequence[object], references: Sequence[object]) -> None:
    if len(hypotheses) != len(references) or not references:
        raise CorpusError(
            f"{len(hypotheses)} hypotheses and {len(references)} references cannot be scored; "
            "give as many of one as of the other, and at least one"
        )
