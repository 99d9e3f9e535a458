"""The kind of each id of a vocabulary, the rank of the merge that makes it, and the count of that merge."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

from bpe_transformer.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bpe_transformer.tokenizer import Tokenizer

TokenKind = Literal["base", "fallback", "merged", "added", "special", "unknown"]
NO_RANK = -1


class TokenKinds:
    """The kinds and ranks of the ids of one tokenizer.

    A kind is "base" (one byte or character, or an imported token that no merge makes), "fallback" (`<0xED>`, which stands
    for a byte), "merged", "added" (found in every text before it is split) or "special"; "unknown" is the special token that
    stands for characters outside the alphabet.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        model = tokenizer.model
        names = {id: "special" for id in model.special_tokens.values()}
        names |= {id: "added" for id in model.added_tokens.values()}
        names |= dict.fromkeys(model.fallback_ids, "fallback")
        if model.unk_token is not None:
            names[model.special_tokens[model.unk_token]] = "unknown"
        self._named: dict[int, TokenKind] = names  # type: ignore[assignment]

    @cached_property
    def ranks(self) -> NDArray[np.int64]:
        """The lowest rank that makes each id, `NO_RANK` if no merge does; tokens that are undone have one as well."""
        ranks = np.full(len(self.tokenizer.model.tokens), NO_RANK, np.int64)
        merged_ids = self.tokenizer.model.merged_ids
        ranks[merged_ids[::-1]] = np.arange(len(merged_ids))[::-1]  # of several ranks the lowest is written last
        return ranks

    def rank(self, id: int) -> int | None:
        """The lowest rank that makes this id, None if no merge does."""
        rank = int(self.ranks[id])
        return None if rank == NO_RANK else rank

    def kind(self, id: int) -> TokenKind:
        """The kind of this id."""
        if (name := self._named.get(id)) is not None:
            return name
        return "base" if self.ranks[id] == NO_RANK else "merged"

    def merge_count(self, id: int) -> int | None:
        """How often the pair that makes this token occurred in the learning corpus when it was merged, from the trace.

        Later merges may have replaced it since. None for a token that no merge makes, and without a trace of that merge.
        """
        rank, trace = self.rank(id), self.tokenizer.trace
        if rank is None or trace is None or not trace.first_rank <= rank < trace.first_rank + len(trace):
            return None
        return int(trace.counts[rank - trace.first_rank])

    @cached_property
    def partial(self) -> NDArray[np.bool_]:
        """Which ids stand for bytes that are not whole characters."""
        decoded = self.tokenizer.model.decoded_bytes
        return np.fromiter(map(_is_partial, decoded), bool, len(decoded))

    @property
    def unknown_id(self) -> int | None:
        """The id of the unknown token, None if there is none."""
        model = self.tokenizer.model
        return None if model.unk_token is None else model.special_tokens[model.unk_token]


def _is_partial(token: bytes) -> bool:
    if token.isascii():
        return False
    try:
        token.decode()
    except UnicodeDecodeError:
        return True
    return False
