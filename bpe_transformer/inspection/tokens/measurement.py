"""A tokenizer measured on a text: the counts that the metrics divide, from one pass in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from bpe_transformer.inspection.base import metrics
from bpe_transformer.inspection.base.token_kinds import TokenKinds
from bpe_transformer.inspection.base.word_spans import word_spans
from bpe_transformer.inspection.tokens.chunked_text import ChunkBoundaries, ChunkedText

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bpe_transformer.tokenizer import Tokenizer

_BATCH_BYTES = 8 << 20  # encoded at a time, on all cores


@dataclass(frozen=True, eq=False)
class Measurement:
    """Counts of one tokenizer on one text, and the metrics that follow from them (defined in `base.metrics`).

    `used` holds how often each id occurs, shape (vocab_size,)."""

    used: NDArray[np.int64]
    vocab_size: int  # of the tokenizer: ids that have a token
    num_bytes: int
    num_chars: int
    num_words: int
    num_tokens: int
    num_word_tokens: int  # tokens that hold at least one byte of a word
    num_whole_words: int
    num_unknown: int
    num_partial: int  # tokens that are not whole characters

    @property
    def bytes_per_token(self) -> float:
        return metrics.bytes_per_token(self.num_bytes, self.num_tokens)

    @property
    def fertility(self) -> float:
        return metrics.fertility(self.num_word_tokens, self.num_words)

    @property
    def share_whole_words(self) -> float:
        return metrics.share_whole_words(self.num_whole_words, self.num_words)

    @property
    def renyi_efficiency(self) -> float:
        """The Rényi efficiency over the whole vocabulary."""
        return metrics.renyi_efficiency(self.used, self.vocab_size)

    @property
    def unknown_rate(self) -> float:
        return metrics.unknown_rate(self.num_unknown, self.num_tokens)

    @property
    def byte_fallback_rate(self) -> float:
        return metrics.byte_fallback_rate(self.num_partial, self.num_tokens)

    @property
    def num_used(self) -> int:
        """The number of distinct tokens that occur."""
        return int(np.count_nonzero(self.used))

    def __add__(self, other: Measurement) -> Measurement:
        """The counts of both texts together. Raises ValueError for measurements of different vocabularies."""
        if self.used.shape != other.used.shape or self.vocab_size != other.vocab_size:
            raise ValueError(f"vocabularies of {len(self.used)} and {len(other.used)} ids do not add up")
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name != "vocab_size"}
        return Measurement(vocab_size=self.vocab_size, **sums)

    def as_dict(self) -> dict[str, Any]:
        names = ("num_bytes", "num_chars", "num_words", "num_tokens", "num_used", "bytes_per_token", "fertility")
        more = ("share_whole_words", "renyi_efficiency", "unknown_rate", "byte_fallback_rate")
        return {name: getattr(self, name) for name in (*names, *more)}


def measure(
    tokenizer: Tokenizer,
    text: ChunkedText | str,
    *,
    specials: dict[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Measurement:
    """Encodes a text of any size, chunk by chunk, and counts.

    `specials` are the arguments of `Tokenizer.encode` for special tokens; None takes them as plain text.
    `progress(bytes done)` is called on the way. Raises `EncodingError` for a text that cannot be encoded, and what `ChunkedText`
    raises for one that cannot be read.
    """
    source = ChunkedText("the text", text) if isinstance(text, str) else text
    kinds = TokenKinds(tokenizer)
    boundaries = ChunkBoundaries.of(tokenizer)
    used = np.zeros(tokenizer.vocab_size, np.int64)
    sums = np.zeros(5, np.int64)
    chunks = source.chunks(boundaries)
    encoder = SpanEncoder(tokenizer, {"disallowed_special": ()} if specials is None else specials)
    while batch := list(islice(chunks, _BATCH_BYTES // boundaries.chunk_bytes)):
        for chunk, (ids, starts, ends) in zip(batch, encoder.encode(batch), strict=True):
            used += np.bincount(ids, minlength=len(used))
            num_bytes = len(chunk) if chunk.isascii() else len(chunk.encode())
            words = word_spans(chunk)
            sums += (num_bytes, len(chunk), len(words), *_in_words(words, starts, ends, num_bytes))
            if boundaries.drop_space:
                sums[:2] += 1  # the space after it
        if progress is not None:
            progress(int(sums[0]))
    if boundaries.drop_space:
        sums[:2] -= 1  # none after the last
    num_bytes, num_chars, num_words, num_word_tokens, num_whole_words = sums.tolist()
    unknown = kinds.unknown_id
    return Measurement(
        used=used,
        vocab_size=tokenizer.model.num_tokens,
        num_bytes=num_bytes,
        num_chars=num_chars,
        num_words=num_words,
        num_tokens=int(used.sum()),
        num_word_tokens=num_word_tokens,
        num_whole_words=num_whole_words,
        num_unknown=0 if unknown is None else int(used[unknown]),
        num_partial=int(used[kinds.partial].sum()),
    )


EncodedSpans = tuple["NDArray[np.uint32]", "NDArray[np.int64]", "NDArray[np.int64]"]


class SpanEncoder:
    """Encodes texts, with the byte span of every token."""

    def __init__(self, tokenizer: Tokenizer, specials: dict[str, Any]) -> None:
        self.tokenizer = tokenizer
        self.specials = specials
        self.lengths = _token_lengths(tokenizer) if _tokens_concatenate_to_text(tokenizer) else None

    def encode(self, texts: list[str]) -> Iterator[EncodedSpans]:
        """For each text its ids, and the byte at which each token begins and the one after its end: shape (tokens,) each."""
        if self.lengths is None:
            for text in texts:
                found, places = self.tokenizer.encode_offsets(text, trim=False, **self.specials)
                yield np.asarray(found, np.uint32), places[:, 0], places[:, 1]
            return
        for ids in self.tokenizer.encode_batch(texts, **self.specials):
            lengths = self.lengths[ids]
            ends = np.cumsum(lengths)
            yield ids, ends - lengths, ends


def _token_lengths(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """The bytes that each id stands for, shape (vocab_size,)."""
    return np.fromiter(map(len, tokenizer.model.decoded_bytes), np.int64, tokenizer.vocab_size)


def _tokens_concatenate_to_text(tokenizer: Tokenizer) -> bool:
    """Whether the bytes of the tokens, concatenated, are the text, so that their lengths give their spans."""
    model = tokenizer.model
    split = model.pretokenizer
    changes = (split.normalizer is not None, not split.keeps_all, model.end_of_word, model.space_mark)
    return model.unit == "byte" and model.prefix_space == "never" and not any(changes)


def _in_words(
    words: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64], num_bytes: int
) -> tuple[int, int]:
    """How many tokens hold part of a word, and how many words no token boundary cuts."""
    if len(words) == 0 or len(starts) == 0:
        return 0, len(words)
    boundary = np.zeros(num_bytes + 1, np.int32)
    boundary[starts] = 1
    boundary[ends] = 1
    up_to = np.cumsum(boundary, dtype=np.int32)
    whole = int(np.count_nonzero(up_to[words[:, 1] - 1] == up_to[words[:, 0]]))
    change = np.zeros(num_bytes + 1, np.int8)
    change[words[:, 0]] = 1
    change[words[:, 1]] -= 1
    covered = np.zeros(num_bytes + 2, np.int32)
    np.cumsum(np.cumsum(change, dtype=np.int8), dtype=np.int32, out=covered[1:])
    return int(np.count_nonzero(covered[ends] > covered[starts])), whole
