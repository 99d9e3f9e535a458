"""Several tokenizers compared on the same texts by the metrics, and the words and lines where they differ most."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import BpeTransformerError, CorpusError, EncodingError, refuse_one_string
from bpe_transformer.inspection.base import metrics
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.comparison.segmentation_differences import Difference, differences
from bpe_transformer.inspection.tokens.chunked_text import ChunkedText
from bpe_transformer.inspection.tokens.measurement import Measurement, measure
from bpe_transformer.io.printable import times

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

TOTAL = "all texts"
_LINES = 4096  # encoded at a time


@dataclass(frozen=True, slots=True)
class TokenizerFacts(View):
    """A tokenizer in a comparison: its name, digest, size, unit and split pattern."""

    name: str
    digest: str
    vocab_size: int  # ids that have a token
    unit: str
    pattern: str

    def as_dict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Score(View):
    """The metrics of one tokenizer on one text, or on all texts."""

    tokenizer: str
    text: str
    measured: Measurement

    def as_dict(self) -> dict[str, Any]:
        return {"tokenizer": self.tokenizer, "text": self.text, **self.measured.as_dict()}


@dataclass(frozen=True, slots=True)
class Overlap(View):
    """The overlap of two vocabularies by the bytes of their tokens, without special and added tokens."""

    one: str
    other: str
    num_common: int  # tokens
    share: float  # Jaccard: of all tokens of both, 0 to 1
    weighted_share: float  # by use on all texts, see `metrics.weighted_overlap`

    def as_dict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Parity(View):
    """The tokens of a text relative to those of the text that it translates; see `metrics.parity`. Counted line by line."""

    tokenizer: str
    text: str
    reference: str
    num_lines: int
    num_tokens: int
    num_tokens_reference: int

    @property
    def parity(self) -> float:
        return metrics.parity(self.num_tokens, self.num_tokens_reference)

    def as_dict(self) -> dict[str, Any]:
        return {**{field.name: getattr(self, field.name) for field in fields(self)}, "parity": self.parity}


@dataclass(frozen=True)
class Comparison(View):
    """The result of a comparison: scores by text and tokenizer, then of all texts together if there are several."""

    tokenizers: tuple[TokenizerFacts, ...]
    scores: tuple[Score, ...]
    overlaps: tuple[Overlap, ...]
    parities: tuple[Parity, ...]
    words: tuple[Difference, ...]  # the largest differences in tokens, over all occurrences
    lines: tuple[Difference, ...]  # the largest differences in tokens

    @property
    def texts(self) -> tuple[str, ...]:
        """The labels of the texts, and `TOTAL` if there are several."""
        return tuple(dict.fromkeys(score.text for score in self.scores))

    def score(self, tokenizer: str, text: str) -> Score:
        """The score of a tokenizer on a text, both by name."""
        return next(score for score in self.scores if (score.tokenizer, score.text) == (tokenizer, text))

    def as_dict(self) -> dict[str, Any]:
        lists = ("tokenizers", "scores", "overlaps", "parities", "words", "lines")
        return {name: [item.as_dict() for item in getattr(self, name)] for name in lists}


def compare(
    tokenizers: Mapping[str, Tokenizer],
    texts: Sequence[tuple[str, ChunkedText]],
    *,
    parallel: Sequence[tuple[tuple[str, ChunkedText], tuple[str, ChunkedText]]] = (),
    limit: int = 5,
    progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Measures every tokenizer, by name, on every text. Special tokens in the texts are plain text.

    `texts` are (label, text); those of one label, such as a language, are measured together. Each of `parallel` is a text
    and its translation, line by line; both are measured as texts as well. `limit` words and lines show where tokenizers
    differ. `progress(bytes)` is called with what has been encoded since.

    Raises:
        CorpusError: no texts, one is missing or empty, or parallel texts have different numbers of lines.
        EncodingError: a tokenizer cannot encode a text; says which.
    """
    refuse_one_string(texts=texts, parallel=parallel)
    labelled = list(dict.fromkeys([*texts, *(side for pair in parallel for side in pair)]))
    if not tokenizers or not labelled:
        raise CorpusError("there is nothing to compare; give at least one tokenizer and one text")
    parities = [
        _parity(name, tokenizer, text, reference)
        for reference, text in parallel
        for name, tokenizer in tokenizers.items()
    ]
    scores = _scores(tokenizers, labelled, progress)
    last = scores[-1].text
    used = {score.tokenizer: score.measured.used for score in scores if score.text == last}
    words, lines = differences(tokenizers, labelled, limit) if len(tokenizers) > 1 and limit else ((), ())
    return Comparison(
        tokenizers=tuple(_facts(name, tokenizer) for name, tokenizer in tokenizers.items()),
        scores=tuple(scores),
        overlaps=tuple(_overlaps(tokenizers, used)),
        parities=tuple(parities),
        words=words,
        lines=lines,
    )


def _facts(name: str, tokenizer: Tokenizer) -> TokenizerFacts:
    model = tokenizer.model
    return TokenizerFacts(name, tokenizer.digest, model.num_tokens, model.unit, str(model.pretokenizer))


def _scores(
    tokenizers: Mapping[str, Tokenizer],
    texts: Sequence[tuple[str, ChunkedText]],
    progress: Callable[[int], None] | None,
) -> list[Score]:
    labels = list(dict.fromkeys(label for label, _ in texts))
    found: dict[tuple[str, str], Measurement] = {}
    for label, text in texts:
        for name, tokenizer in tokenizers.items():
            one = _measured(name, tokenizer, text, progress)
            before = found.get((label, name))
            found[label, name] = one if before is None else before + one
    scores = [Score(name, label, found[label, name]) for label in labels for name in tokenizers]
    if len(labels) > 1:
        for name in tokenizers:
            first, *rest = (found[label, name] for label in labels)
            scores.append(Score(name, TOTAL, sum(rest, start=first)))
    return scores


def _measured(
    name: str, tokenizer: Tokenizer, text: ChunkedText, progress: Callable[[int], None] | None
) -> Measurement:
    done = 0

    def report(now: int) -> None:
        nonlocal done
        if progress is not None:
            progress(now - done)
        done = now

    try:
        return measure(tokenizer, text, progress=report)
    except EncodingError as cause:
        raise EncodingError(f"{name} cannot encode {text.name}: {cause}") from cause


def _overlaps(tokenizers: Mapping[str, Tokenizer], used: Mapping[str, Any]) -> Iterator[Overlap]:
    counts = {name: _by_decoded_bytes(tokenizer, used[name]) for name, tokenizer in tokenizers.items()}
    for one, other in combinations(counts, 2):
        tokens, others = counts[one], counts[other]
        yield Overlap(
            one,
            other,
            len(tokens.keys() & others.keys()),
            metrics.overlap(tokens.keys(), others.keys()),
            metrics.weighted_overlap(tokens, others),
        )


def _by_decoded_bytes(tokenizer: Tokenizer, used: Any) -> dict[bytes, int]:
    model = tokenizer.model
    named = {*model.special_tokens.values(), *model.added_tokens.values()}
    counts: dict[bytes, int] = {}
    for id, (token, count) in enumerate(zip(model.decoded_bytes, used.tolist(), strict=True)):
        if token and id not in named:
            counts[token] = counts.get(token, 0) + count
    return counts


def _parity(
    name: str, tokenizer: Tokenizer, text: tuple[str, ChunkedText], reference: tuple[str, ChunkedText]
) -> Parity:
    sides = [side.lines() for _, side in (text, reference)]
    if len(sides[0]) != len(sides[1]):
        raise CorpusError(
            f"{text[1].name} has {times(len(sides[0]), 'line')} and {reference[1].name} {len(sides[1]):,}; line N of "
            "parallel texts has to say the same in both, so give files of as many lines"
        )
    try:
        tokens = [sum(_num_tokens(tokenizer, side)) for side in sides]
    except BpeTransformerError as cause:
        raise EncodingError(f"{name} cannot encode {text[1].name} or {reference[1].name}: {cause}") from cause
    return Parity(name, text[0], reference[0], len(sides[0]), tokens[0], tokens[1])


def _num_tokens(tokenizer: Tokenizer, lines: Sequence[str]) -> Iterator[int]:
    for at in range(0, len(lines), _LINES):
        yield len(tokenizer.encode_batch(lines[at : at + _LINES], disallowed_special=()).ids)
