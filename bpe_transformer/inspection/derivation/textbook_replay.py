"""A replay of the textbook algorithm on a few words: every merge with all pair counts and the words after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bpe_transformer.errors import EncodingError
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict, visible

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Segmentation(View):
    """One word after some number of merges."""

    word: bytes
    count: int  # occurrences in the corpus
    ids: tuple[int, ...]
    tokens: tuple[bytes, ...]

    def as_dict(self) -> dict[str, Any]:
        tokens = [token_dict(token) for token in self.tokens]
        return {"word": token_dict(self.word), "count": self.count, "ids": list(self.ids), "tokens": tokens}


@dataclass(frozen=True, slots=True)
class PairCount(View):
    """A pair of adjacent tokens and how often it occurs."""

    left: int
    right: int
    tokens: tuple[bytes, bytes]
    count: int

    @property
    def pair(self) -> Pair:
        return self.left, self.right

    def as_dict(self) -> dict[str, Any]:
        tokens = [token_dict(token) for token in self.tokens]
        return {"left": self.left, "right": self.right, "tokens": tokens, "count": self.count}


@dataclass(frozen=True, slots=True)
class TraceStep(View):
    """One merge of a replay: the pair counts, the pair that won, and the words after it."""

    rank: int
    winner: PairCount
    runner_up: PairCount | None  # the second-best pair; None when there was only one
    tied: bool  # the runner-up had the same count, and the smaller ids decided
    new_id: int
    new_token: bytes
    vocab_size: int  # after this merge, special tokens included
    pairs: tuple[PairCount, ...]  # highest count first, then smallest (left id, right id)
    before: tuple[Segmentation, ...]
    after: tuple[Segmentation, ...]

    @property
    def words_touched(self) -> int:
        """Distinct words in which the pair occurred."""
        return sum(old.ids != new.ids for old, new in zip(self.before, self.after, strict=True))

    @property
    def tokens_left(self) -> int:
        """Tokens in the whole corpus after this merge."""
        return sum(len(word.ids) * word.count for word in self.after)

    def as_dict(self) -> dict[str, Any]:
        return {
            "rank": self.rank,
            "winner": self.winner.as_dict(),
            "runner_up": self.runner_up.as_dict() if self.runner_up else None,
            "tied": self.tied,
            "new_id": self.new_id,
            "new_token": token_dict(self.new_token),
            "vocab_size": self.vocab_size,
            "words_touched": self.words_touched,
            "tokens_left": self.tokens_left,
            "pairs": [pair.as_dict() for pair in self.pairs],
            "before": [word.as_dict() for word in self.before],
            "after": [word.as_dict() for word in self.after],
        }


@dataclass(frozen=True, slots=True)
class Alphabet(View):
    """The tokens of a vocabulary before any merge: base tokens and special tokens, in the order of their ids."""

    tokens: tuple[bytes, ...]
    special_tokens: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return {"tokens": [token_dict(token) for token in self.tokens], "special_tokens": list(self.special_tokens)}


def base_alphabet(tokenizer: Tokenizer) -> Alphabet:
    """The base tokens of `tokenizer` and its special tokens, both in the order of their ids."""
    special = sorted(tokenizer.special_tokens.items(), key=lambda item: item[1])
    names = tuple(name for name, _ in special)
    return Alphabet(tuple(tokenizer.token_bytes(token) for token in tokenizer.model.base_ids), names)


def replay_trace(counts: Mapping[str, int] | Mapping[bytes, int], tokenizer: Tokenizer) -> Iterator[TraceStep]:
    """Replays the merges of `tokenizer`, in the order in which they were learned, on `counts` (word → occurrences).

    On the counts it was learned from, every step agrees with `tokenizer.trace`. On other words the merges and the
    segmentations are the same, while counts, runner-up and ties describe those words; it ends with the last merge
    that occurs in them, and merges that do not occur are passed over.

    Every step counts every pair again, as the textbook does: meant for words that fit on a screen. For a trace of
    corpus scale take `trace_table`.

    Raises:
        EncodingError: a character of a word is not in the base alphabet.
    """
    base = base_tokens(tokenizer)
    smallest = len(base) + len(tokenizer.special_tokens)
    words = [first_segmentation(word, count, tokenizer, base) for word, count in counts.items()]
    for rank, pair in enumerate(tokenizer.merges):
        ranked = _ranked_pairs(words, tokenizer)
        if not ranked:
            return
        chosen = next((entry for entry in ranked if entry.pair == pair), None)
        if chosen is None:
            continue
        new_id = int(tokenizer.model.merged_ids[rank])
        merged = [_merge(word, pair, new_id, tokenizer) for word in words]
        runner_up = next((entry for entry in ranked if entry.pair != pair), None)
        yield TraceStep(
            rank=rank,
            winner=chosen,
            runner_up=runner_up,
            tied=runner_up is not None and runner_up.count == chosen.count,
            new_id=new_id,
            new_token=tokenizer.token_bytes(new_id),
            vocab_size=smallest + rank + 1,
            pairs=tuple(ranked),
            before=tuple(words),
            after=tuple(merged),
        )
        words = merged


def base_tokens(tokenizer: Tokenizer) -> dict[bytes, int]:
    """The base alphabet: token → id."""
    return {tokenizer.token_bytes(token): token for token in tokenizer.model.base_ids}


def first_segmentation(word: str | bytes, count: int, tokenizer: Tokenizer, base: Mapping[bytes, int]) -> Segmentation:
    """`word` as base tokens: its bytes, or its characters with the end-of-word mark on the last."""
    raw = word.encode() if isinstance(word, str) else bytes(word)
    if tokenizer.end_of_word:
        raw = raw.decode().strip().encode()  # the mark stands for the space around a word
    tokens = [bytes([byte]) for byte in raw] if tokenizer.unit == "byte" else [char.encode() for char in raw.decode()]
    if tokenizer.end_of_word and tokens:
        tokens[-1] += tokenizer.end_of_word.encode()
    unknown = next((token for token in tokens if token not in base), None)
    if unknown is not None:
        raise EncodingError(
            f"{visible(unknown)!r} in the word {visible(raw)!r} is not in the alphabet of this tokenizer; "
            "choose words made of characters it was learned from, or learn with unit='byte'"
        )
    return Segmentation(raw, count, tuple(base[token] for token in tokens), tuple(tokens))


def segmentation_of(word: bytes, ids: Sequence[int], tokenizer: Tokenizer) -> Segmentation:
    """`word` as the tokens with these ids; its count is not known and set to 0."""
    return Segmentation(word, 0, tuple(ids), tuple(map(tokenizer.token_bytes, ids)))


def _ranked_pairs(words: list[Segmentation], tokenizer: Tokenizer) -> list[PairCount]:
    """Every adjacent pair that may be merged, with its count, in the order in which pairs are chosen."""
    never = {name.encode() for name in tokenizer.special_tokens}  # no merge makes a special token
    counted: Counter[Pair] = Counter()
    for word in words:
        for pair in pairwise(word.ids):
            counted[pair] += word.count
    ranked = sorted(((pair, count) for pair, count in counted.items() if count), key=lambda item: (-item[1], item[0]))
    pairs = [
        PairCount(left, right, (tokenizer.token_bytes(left), tokenizer.token_bytes(right)), count)
        for (left, right), count in ranked
    ]
    return [pair for pair in pairs if b"".join(pair.tokens) not in never]


def _merge(word: Segmentation, pair: Pair, new_id: int, tokenizer: Tokenizer) -> Segmentation:
    """`word` with every occurrence of `pair`, from left to right, replaced by `new_id`."""
    ids: list[int] = []
    tokens: list[bytes] = []
    at = 0
    while at < len(word.ids):
        if word.ids[at : at + 2] == pair:
            ids.append(new_id)
            tokens.append(tokenizer.token_bytes(new_id))
            at += 2
        else:
            ids.append(word.ids[at])
            tokens.append(word.tokens[at])
            at += 1
    return Segmentation(word.word, word.count, tuple(ids), tuple(tokens)) if tuple(ids) != word.ids else word
