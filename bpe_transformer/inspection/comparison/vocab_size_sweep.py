"""Compression by vocabulary size: one learned vocabulary measured at every smaller size, since merges are prefixes.

    sweep = sweep_vocab_sizes(tok, [SweepCorpus.of_files(tok, "english.txt"), SweepCorpus.of_files(tok, "korean.txt")])
    rich.print(sweep)
    sweep.corpora[0].knee                       # 16000

A corpus is reduced once to its distinct pre-tokens; every size then encodes each of these once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bpe_transformer.errors import LearningError
from bpe_transformer.inspection.base import metrics
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.word_spans import word_spans
from bpe_transformer.tokenizer.vocabulary.undone_merges import refuse_undone

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bpe_transformer.tokenizer import PretokenCounts, Tokenizer

Progress = Callable[[int, int], None]
DENSE = 12  # a vocabulary with no more sizes than this is measured at each
SENSITIVITY = 1.0  # kneedle's S, as its authors suggest for data that is complete


@dataclass(frozen=True, slots=True)
class SizeRow(View):
    """The metrics of a vocabulary of one size on one corpus; `inspection.base.metrics` defines them."""

    vocab_size: int
    num_tokens: int  # of the whole corpus
    bytes_per_token: float
    fertility: float | None  # tokens per word; None: the words are not known
    never_used: float | None  # share of the merged tokens that do not occur; None: there are no merges
    parity: float | None = None  # tokens over those of the first corpus; None: there is one corpus only

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CorpusSweep(View):
    """One corpus at every vocabulary size, smallest first."""

    name: str
    num_bytes: int  # of its text
    num_words: int | None
    rows: tuple[SizeRow, ...]
    knee: int | None  # vocab_size from which on growth pays less; see `knee`. None: there is none

    def as_dict(self) -> dict[str, Any]:
        rows = [row.as_dict() for row in self.rows]
        return {"name": self.name, "bytes": self.num_bytes, "words": self.num_words, "knee": self.knee, "sizes": rows}


@dataclass(frozen=True, slots=True)
class VocabSizeSweep(View):
    """Every corpus at every size of one learned vocabulary."""

    digest: str  # of the tokenizer
    vocab_size: int
    corpora: tuple[CorpusSweep, ...]
    from_trace: bool  # read off the trace of the learning corpus; no text was encoded

    def as_dict(self) -> dict[str, Any]:
        return {
            "digest": self.digest,
            "vocab_size": self.vocab_size,
            "from_trace": self.from_trace,
            "corpora": [corpus.as_dict() for corpus in self.corpora],
        }


@dataclass(frozen=True, eq=False)
class SweepCorpus:
    """A corpus for `sweep_vocab_sizes`: its pre-token counts, and the number of words and bytes of its text."""

    name: str
    counts: PretokenCounts  # split as the tokenizer splits
    num_words: int
    num_bytes: int

    @classmethod
    def of_files(
        cls, tokenizer: Tokenizer, paths: str | os.PathLike[str] | Sequence[str], *, name: str | None = None
    ) -> SweepCorpus:
        """Text files, each one document. Raises `CorpusError` and `InvalidUtf8Error`, as counting does."""
        from bpe_transformer.tokenizer import PretokenCounts

        files = [str(paths)] if isinstance(paths, (str, os.PathLike)) else [str(path) for path in paths]
        counts = PretokenCounts.from_files(files, tokenizer.model.pretokenizer)
        whole = PretokenCounts.from_files(files, "whitespace")
        return cls(name or Path(files[0]).name, counts, count_words(whole), counts.num_bytes)

    @classmethod
    def of_counts(cls, counts: PretokenCounts, *, name: str) -> SweepCorpus:
        """A corpus of counts without texts. A word that the split pattern cuts counts as several."""
        size = counts.num_bytes or sum(len(word) * number for word, number in counts.items())
        return cls(name, counts, count_words(counts), size)


def count_words(counts: PretokenCounts) -> int:
    """The number of words of a corpus, from its pre-tokens (see `metrics`). Exact if these were split at white space."""
    items = list(counts.items())
    if not items:
        return 0
    starts = np.cumsum([0, *(len(word) + 1 for word, _ in items[:-1])])
    text = b"\n".join(word for word, _ in items).decode("utf-8", "replace")
    found = np.searchsorted(starts, word_spans(text)[:, 0], side="right") - 1
    per_item = np.bincount(found, minlength=len(items)).tolist()
    return sum(number * count for number, (_, count) in zip(per_item, items, strict=True))


def sweep_vocab_sizes(
    tokenizer: Tokenizer,
    corpora: Sequence[SweepCorpus] = (),
    sizes: Sequence[int] | None = None,
    *,
    num_threads: int | None = None,
    progress: Progress | None = None,
) -> VocabSizeSweep:
    """Measures `tokenizer`, cut to each of `sizes` (default: `default_sizes`), on each corpus.

    Without corpora the learning corpus itself is measured, from the trace, at no cost: bytes per token and the tokens
    that later merges used up are known there, its words are not. `progress(done, total)` counts measurements.

    Raises:
        LearningError: a size that the vocabulary cannot be cut to, counts split differently from how the tokenizer splits, or
            neither corpora nor a trace from which the bytes of the learning corpus follow.
        EncodingError: a character outside the alphabet of a vocabulary without `<unk>`.
    """
    chosen = default_sizes(tokenizer) if sizes is None else sorted(set(sizes))
    cut = [(size, cut_to(tokenizer, size)) for size in chosen]
    if not corpora:
        return VocabSizeSweep(tokenizer.digest, tokenizer.vocab_size, (_from_trace(tokenizer, cut),), True)
    measured: list[CorpusSweep] = []
    for number, corpus in enumerate(corpora):
        rows: list[SizeRow] = []
        for step, (size, smaller) in enumerate(cut):
            reference = measured[0].rows[step].num_tokens if measured else None
            rows.append(_row(size, smaller, corpus, reference, len(corpora) > 1, num_threads))
            if progress is not None:
                progress(number * len(cut) + step + 1, len(corpora) * len(cut))
        measured.append(CorpusSweep(corpus.name, corpus.num_bytes, corpus.num_words, tuple(rows), _knee_of(rows)))
    return VocabSizeSweep(tokenizer.digest, tokenizer.vocab_size, tuple(measured), False)


def cut_to(tokenizer: Tokenizer, vocab_size: int) -> Tokenizer:
    """The vocabulary of the first merges, `vocab_size` tokens in all, to be measured.

    Where ids do not follow the merges, as in SentencePiece's vocabularies, which have their characters last, ids stay and
    those of later merges are without a token. Raises `LearningError` for a size that is out of reach.
    """
    from bpe_transformer.tokenizer import Tokenizer

    model = tokenizer.model
    if vocab_size != tokenizer.vocab_size:
        refuse_undone(model, LearningError, "no smaller size can be measured of")
    kept = len(model.left) - (tokenizer.vocab_size - vocab_size)
    try:
        return tokenizer.truncate(vocab_size)
    except LearningError:
        if len(np.unique(model.merged_ids)) < len(model.merged_ids):
            raise
        if not 0 <= kept <= len(model.left):
            smallest = tokenizer.vocab_size - len(model.left)
            raise LearningError(
                f"size {vocab_size} is out of reach: cut, this vocabulary has {smallest} to {tokenizer.vocab_size} tokens"
            ) from None
    later = set(model.merged_ids[kept:].tolist())
    tokens = tuple(b"" if id in later else token for id, token in enumerate(model.tokens))
    columns = {name: getattr(model, name)[:kept] for name in ("left", "right", "merged_ids")}
    return Tokenizer(replace(model, tokens=tokens, **columns))


def default_sizes(tokenizer: Tokenizer) -> list[int]:
    """Doublings of 1,000, up or down, between the base alphabet and the whole vocabulary; a small one in `DENSE` steps."""
    largest = tokenizer.vocab_size
    smallest = largest - len(tokenizer.model.left)
    if largest - smallest <= DENSE:
        return list(range(smallest, largest + 1))
    doublings = [size for power in range(-6, 24) if smallest < (size := round(1000 * 2.0**power)) < largest]
    if len(doublings) < 3:
        return [round(float(size)) for size in np.geomspace(smallest, largest, DENSE)]
    return [*([smallest] if len(doublings) < 4 else []), *doublings, largest]


def knee(x: Sequence[float], y: Sequence[float]) -> int | None:
    """The index at which a growing curve that flattens bends most, or None if it does not flatten.

    Kneedle for an increasing concave curve, without smoothing: x and y are scaled to [0, 1]; the difference curve is
    d(i) = y(i) - x(i); a local maximum d(i) is a knee if d then falls under d(i) - S · mean(x(i+1) - x(i)) before it
    rises to another one. Of several knees the one with the largest d is returned. x has to increase. The knee depends on
    where the curve ends: a vocabulary learned larger has a later one.

    Source: Satopaa, Albrecht, Irwin, Raghavan (2011), "Finding a 'Kneedle' in a Haystack: Detecting Knee Points in
    System Behavior", section III, https://doi.org/10.1109/ICDCSW.2011.20.

    >>> knee([0, 1, 2, 3, 4, 5], [0, 5, 8, 9, 9.5, 10])
    2
    """
    if len(x) != len(y):
        raise ValueError(f"{len(x)} values of x and {len(y)} of y; give as many of each")
    if len(x) < 3 or x[-1] <= x[0] or max(y) <= min(y):
        return None
    across = (np.asarray(x, float) - x[0]) / (x[-1] - x[0])
    up = (np.asarray(y, float) - min(y)) / (max(y) - min(y))
    d = up - across
    fall = SENSITIVITY * float(np.diff(across).mean())
    best: int | None = None
    candidate: int | None = None
    for i in range(1, len(d)):
        if i + 1 < len(d) and d[i - 1] < d[i] >= d[i + 1]:
            candidate = i
        elif candidate is not None and d[i] < d[candidate] - fall:
            best = candidate if best is None or d[candidate] > d[best] else best
            candidate = None
    return best


def _knee_of(rows: Sequence[SizeRow]) -> int | None:
    found = knee([row.vocab_size for row in rows], [row.bytes_per_token for row in rows])
    return None if found is None else rows[found].vocab_size


def _row(
    size: int, tokenizer: Tokenizer, corpus: SweepCorpus, reference: int | None, several: bool, threads: int | None
) -> SizeRow:
    from bpe_transformer.tokenizer.resizing.usage import token_usage

    usage = token_usage(tokenizer.codec, corpus.counts, threads)
    return SizeRow(
        vocab_size=size,
        num_tokens=usage.total,
        bytes_per_token=metrics.bytes_per_token(corpus.num_bytes, usage.total),
        fertility=metrics.fertility(usage.in_words, corpus.num_words),
        never_used=_share_unused(usage.counts[tokenizer.model.merged_ids]),
        parity=metrics.parity(usage.total, usage.total if reference is None else reference) if several else None,
    )


def _from_trace(tokenizer: Tokenizer, cut: Sequence[tuple[int, Tokenizer]]) -> CorpusSweep:
    trace = tokenizer.trace
    if trace is None or tokenizer.unit != "byte" or trace.first_rank:
        why = (
            "this tokenizer came without a trace"
            if trace is None
            else "a trace of characters does not tell how many bytes they had"
            if tokenizer.unit != "byte"
            else "the trace begins after the merges of the base vocabulary"
        )
        raise LearningError(f"{why}, so no size can be measured without a text; name one with corpora=…")
    left = np.concatenate([[trace.tokens_at_start], trace.tokens_left]).astype(np.int64)
    joined = left[:-1] - left[1:]  # how often each merge was carried out
    rows = []
    for size, smaller in cut:
        merges = len(smaller.model.left)
        occurrences = np.zeros(tokenizer.vocab_size, np.int64)
        np.add.at(occurrences, tokenizer.model.merged_ids[:merges], joined[:merges])
        np.subtract.at(occurrences, trace.left[:merges], joined[:merges])
        np.subtract.at(occurrences, trace.right[:merges], joined[:merges])
        unused = _share_unused(occurrences[tokenizer.model.merged_ids[:merges]])
        tokens = int(left[merges])
        rows.append(SizeRow(size, tokens, metrics.bytes_per_token(int(left[0]), tokens), None, unused))
    return CorpusSweep("learning corpus", int(left[0]), None, tuple(rows), _knee_of(rows))


def _share_unused(occurrences: NDArray[np.integer]) -> float | None:
    return float((occurrences == 0).mean()) if len(occurrences) else None
