"""Two merge histories side by side: where they diverge, what they share, and what moved.

Tokens are compared by the bytes they stand for in text, never by their ids, so two runs may differ in corpus, size, unit,
order of the alphabet or the way a space is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict
from bpe_transformer.inspection.derivation.token_lookup import unknown_rank_error
from bpe_transformer.inspection.history.trace_rows import TraceRow, trace_row

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

SHOWN = 10
_DEPTHS = (100, 1_000, 10_000, 100_000)


@dataclass(frozen=True, slots=True)
class OptionDifference(View):
    """A setting in which two tokenizers differ, as text."""

    name: str
    a: str
    b: str

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "a": self.a, "b": self.b}


@dataclass(frozen=True, slots=True)
class SharedTokens(View):
    """How many tokens of the first N merges are the same in both runs."""

    merges: int  # how many merges of each run are compared
    shared: int
    share: float  # of the distinct tokens of these merges, in the run that has more of them

    def as_dict(self) -> dict[str, Any]:
        return {"merges": self.merges, "shared": self.shared, "share": self.share}


@dataclass(frozen=True, slots=True)
class MovedToken(View):
    """A token of both runs and the lowest rank that makes it in each."""

    token: bytes  # what it stands for in text
    rank_a: int
    rank_b: int

    @property
    def factor(self) -> float:
        """The ratio of the later to the earlier place, both counted from 1."""
        low, high = sorted((self.rank_a + 1, self.rank_b + 1))
        return high / low

    def as_dict(self) -> dict[str, Any]:
        return {
            "token": token_dict(self.token),
            "rank_a": self.rank_a,
            "rank_b": self.rank_b,
            "factor": self.factor,
        }


@dataclass(frozen=True, slots=True)
class RankedToken(View):
    """A token of one run only and the lowest rank that makes it."""

    token: bytes
    rank: int

    def as_dict(self) -> dict[str, Any]:
        return {"token": token_dict(self.token), "rank": self.rank}


@dataclass(frozen=True, slots=True)
class TraceDiff(View):
    """How two merge histories differ. "a" is the first run, "b" the second; only merged tokens are compared."""

    digest_a: str
    digest_b: str
    merges_a: int
    merges_b: int
    options: tuple[OptionDifference, ...]
    same_merges: int  # from the first on, before the first difference
    first_a: TraceRow | None  # the first merge that differs, in each run; None where a run has ended
    first_b: TraceRow | None
    tokens_a: int  # distinct
    tokens_b: int
    shared_tokens: int
    shared_pairs: int  # merges of the same two tokens, at whatever rank
    by_depth: tuple[SharedTokens, ...]
    median_shift: float  # of the ranks of shared tokens, up or down, in merges
    largest_shift: int
    moved: tuple[MovedToken, ...]  # shared tokens with the largest factor between their ranks
    only_a: tuple[RankedToken, ...]  # the first tokens that b lacks
    only_b: tuple[RankedToken, ...]

    @property
    def overlap(self) -> float:
        """Shared tokens among all tokens of both runs (Jaccard's index)."""
        return self.shared_tokens / (self.tokens_a + self.tokens_b - self.shared_tokens)

    def as_dict(self) -> dict[str, Any]:
        return {
            "a": {"digest": self.digest_a, "merges": self.merges_a, "tokens": self.tokens_a},
            "b": {"digest": self.digest_b, "merges": self.merges_b, "tokens": self.tokens_b},
            "options": [option.as_dict() for option in self.options],
            "same_merges": self.same_merges,
            "first_difference": {
                "a": self.first_a.as_dict() if self.first_a else None,
                "b": self.first_b.as_dict() if self.first_b else None,
            },
            "shared_tokens": self.shared_tokens,
            "shared_pairs": self.shared_pairs,
            "overlap": self.overlap,
            "by_depth": [depth.as_dict() for depth in self.by_depth],
            "median_shift": self.median_shift,
            "largest_shift": self.largest_shift,
            "moved": [token.as_dict() for token in self.moved],
            "only_a": [token.as_dict() for token in self.only_a],
            "only_b": [token.as_dict() for token in self.only_b],
        }


def trace_diff(a: Tokenizer, b: Tokenizer) -> TraceDiff:
    """Aligns the merges of two tokenizers.

    Raises:
        LearningError: one of them has no merges.
    """
    pairs_a, pairs_b = _pairs(a), _pairs(b)
    if not pairs_a or not pairs_b:
        raise unknown_rank_error(0, 0)
    ranks_a, ranks_b = _ranks(pairs_a), _ranks(pairs_b)
    shorter = min(len(pairs_a), len(pairs_b))
    same = next((rank for rank in range(shorter) if pairs_a[rank] != pairs_b[rank]), shorter)
    shared = ranks_a.keys() & ranks_b.keys()
    moved = [MovedToken(token, ranks_a[token], ranks_b[token]) for token in shared]
    shifts = np.array([abs(token.rank_a - token.rank_b) for token in moved] or [0])
    moved.sort(key=lambda token: (-token.factor, token.rank_a, token.token))
    return TraceDiff(
        digest_a=a.digest,
        digest_b=b.digest,
        merges_a=len(pairs_a),
        merges_b=len(pairs_b),
        options=tuple(_options(a, b)),
        same_merges=same,
        first_a=trace_row(a, same) if same < len(pairs_a) else None,
        first_b=trace_row(b, same) if same < len(pairs_b) else None,
        tokens_a=len(ranks_a),
        tokens_b=len(ranks_b),
        shared_tokens=len(shared),
        shared_pairs=len(set(pairs_a) & set(pairs_b)),
        by_depth=tuple(_at_depth(ranks_a, ranks_b, depth) for depth in _depths(len(pairs_a), len(pairs_b))),
        median_shift=float(np.median(shifts)),
        largest_shift=int(shifts.max()),
        moved=tuple(token for token in moved[:SHOWN] if token.rank_a != token.rank_b),
        only_a=_only(ranks_a, ranks_b),
        only_b=_only(ranks_b, ranks_a),
    )


def _pairs(tokenizer: Tokenizer) -> list[tuple[bytes, bytes]]:
    """By rank, the text bytes of the two sides of each merge."""
    decoded = tokenizer.model.decoded_bytes
    return [(decoded[left], decoded[right]) for left, right in tokenizer.merges]


def _ranks(pairs: list[tuple[bytes, bytes]]) -> dict[bytes, int]:
    ranks: dict[bytes, int] = {}
    for rank, (left, right) in enumerate(pairs):
        ranks.setdefault(left + right, rank)
    return ranks


def _depths(a: int, b: int) -> list[int]:
    return sorted({depth for depth in (*_DEPTHS, min(a, b)) if depth <= min(a, b)})


def _at_depth(a: dict[bytes, int], b: dict[bytes, int], depth: int) -> SharedTokens:
    first_a, first_b = ({token for token, rank in ranks.items() if rank < depth} for ranks in (a, b))
    return SharedTokens(depth, len(first_a & first_b), len(first_a & first_b) / max(len(first_a), len(first_b)))


def _only(ranks: dict[bytes, int], other: dict[bytes, int]) -> tuple[RankedToken, ...]:
    found: list[RankedToken] = []
    for token, rank in ranks.items():  # by rank
        if token not in other:
            found.append(RankedToken(token, rank))
            if len(found) == SHOWN:
                break
    return tuple(found)


def _options(a: Tokenizer, b: Tokenizer) -> list[OptionDifference]:
    """The settings in which two models differ, without ids and tokens, which the merges show."""
    names = ("unit", "pretokenizer", "end_of_word", "unk_token", "space_mark", "prefix_space")
    flags = ("byte_fallback", "fuse_unk", "ignore_merges")
    pairs = [(name, getattr(a.model, name), getattr(b.model, name)) for name in names + flags]
    pairs.append(("special tokens", list(a.special_tokens), list(b.special_tokens)))
    pairs.append(("base alphabet", f"{len(a.model.base_ids):,} tokens", f"{len(b.model.base_ids):,} tokens"))
    return [OptionDifference(name.replace("_", " "), _text(x), _text(y)) for name, x, y in pairs if x != y]


def _text(value: Any) -> str:
    if value is None or value is False or value == []:
        return "none" if value is not False else "no"
    return "yes" if value is True else ",".join(value) if isinstance(value, list) else str(value)
