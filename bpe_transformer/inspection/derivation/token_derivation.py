"""The derivation of a token: the tree of merges that builds it from base tokens, and the tokens built on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bpe_transformer.errors import DecodingError
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict
from bpe_transformer.inspection.derivation.merge_index import FiredMerge, MergeIndex

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

TokenOrigin = Literal["base", "merged", "whole", "special", "added"]
SHOWN_USES = 10


@dataclass(frozen=True, slots=True)
class TokenNode(View):
    """A token in a derivation tree, with the two tokens it was merged from; a base token has none."""

    id: int
    token: bytes
    rank: int | None  # of its merge; None for a base token
    count: int | None  # of that pair in the learning corpus when it was merged; None without a trace
    left: TokenNode | None = None
    right: TokenNode | None = None

    def leaves(self) -> Iterator[TokenNode]:
        """Its base tokens, from left to right."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            if node.left is None or node.right is None:
                yield node
            else:
                waiting += [node.right, node.left]

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "token": token_dict(self.token),
            "rank": self.rank,
            "count": self.count,
            "left": self.left.as_dict() if self.left else None,
            "right": self.right.as_dict() if self.right else None,
        }


@dataclass(frozen=True, slots=True)
class SmallestVocabulary(View):
    """The smallest vocabulary, in merges from the first, in which a text is one token."""

    merges: int
    vocab_size: int | None  # that `Tokenizer.truncate` takes; None where ids do not follow the order of merges

    def as_dict(self) -> dict[str, Any]:
        return {"merges": self.merges, "vocab_size": self.vocab_size}


@dataclass(frozen=True, slots=True)
class LongerToken(View):
    """A token that a merge builds from another, with the rank of that merge."""

    rank: int
    id: int  # of the longer token
    token: bytes

    def as_dict(self) -> dict[str, Any]:
        return {"rank": self.rank, "id": self.id, "token": token_dict(self.token)}


@dataclass(frozen=True, slots=True)
class TokenDerivation(View):
    """The derivation of a token, and the tokens built on it.

    "base": in the alphabet. "merged": made by a merge. "whole": in the vocabulary, but no merge makes it, so only
    `ignore_merges` can give it. "special" and "added": found in a text before it is split.
    """

    id: int
    token: bytes
    kind: TokenOrigin
    tree: TokenNode | None  # None for tokens that no merge makes, except base tokens
    reached: bool  # the merges, fired on its own bytes, end in this token; False happens in imported vocabularies
    ends_in: tuple[bytes, ...]  # the tokens that they end in
    makers: tuple[int, ...]  # ranks of all merges that make it
    smallest: SmallestVocabulary | None  # None for a token that no merge makes
    uses: tuple[LongerToken, ...]  # the first merges that build on it
    num_uses: int  # all of them
    num_merges: int  # of the vocabulary
    digest: str  # of the tokenizer
    has_trace: bool  # False: ranks are known, counts are not
    becomes: tuple[bytes, ...] = ()  # of a token that the vocabulary does not have: what it is split into in the end

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "token": token_dict(self.token),
            "becomes": [token_dict(token) for token in self.becomes],
            "kind": self.kind,
            "tree": self.tree.as_dict() if self.tree else None,
            "reached": self.reached,
            "ends_in": [token_dict(token) for token in self.ends_in],
            "makers": list(self.makers),
            "smallest_vocabulary": self.smallest.as_dict() if self.smallest else None,
            "uses": [use.as_dict() for use in self.uses],
            "num_uses": self.num_uses,
            "num_merges": self.num_merges,
            "digest": self.digest,
            "has_trace": self.has_trace,
        }


def derive_token(tokenizer: Tokenizer, id: int) -> TokenDerivation:
    """The derivation of a token down to the base alphabet.

    Raises:
        DecodingError: `id` is out of range, or no token has it.
    """
    token = tokenizer.token_bytes(id)
    if not token:
        raise DecodingError(
            f"id {id} has no token: this vocabulary leaves it out; give another id, or the token itself"
        )
    merges = MergeIndex.of(tokenizer)
    makers = tuple(merges.ranks_of(id))
    base = merges.base_ids_of(id)
    fired = merges.fire(base)
    trees = _trees_after(tokenizer, base, fired)
    reached = len(trees) == 1 and trees[0].id == id
    kind = _origin(tokenizer, id, merged=bool(makers))
    uses = sorted({*(merges.left == id).nonzero()[0].tolist(), *(merges.right == id).nonzero()[0].tolist()})
    shown = [(rank, int(merges.merged_ids[rank])) for rank in uses[:SHOWN_USES]]
    tree, smallest = None, None
    if makers:
        tree = _tree_by_first_merges(tokenizer, id)
        smallest = smallest_vocabulary(tokenizer, [merge.rank for merge in fired] if reached else makers[:1])
    return TokenDerivation(
        id=id,
        token=token,
        kind=kind,
        tree=trees[0] if reached and kind in ("base", "merged") else tree,
        reached=reached,
        ends_in=tuple(tree.token for tree in trees),
        makers=makers,
        smallest=smallest,
        uses=tuple(LongerToken(rank, longer, tokenizer.token_bytes(longer)) for rank, longer in shown),
        num_uses=len(uses),
        num_merges=len(merges),
        digest=tokenizer.digest,
        has_trace=tokenizer.trace is not None,
        becomes=tuple(map(tokenizer.token_bytes, tokenizer.model.undone.get(id, ()))),
    )


def _origin(tokenizer: Tokenizer, id: int, *, merged: bool) -> TokenOrigin:
    if id in tokenizer.model.special_tokens.values():
        return "special"
    if id in tokenizer.model.added_tokens.values():
        return "added"
    if merged:
        return "merged"
    return "base" if _in_alphabet(tokenizer, id) else "whole"


def count_of(tokenizer: Tokenizer, rank: int) -> int | None:
    """How often the pair of a merge occurred in the learning corpus when it was merged; None without a trace of it."""
    step = tokenizer.trace.at_rank(rank) if tokenizer.trace is not None else None
    return None if step is None else step.count


def _in_alphabet(tokenizer: Tokenizer, id: int) -> bool:
    model = tokenizer.model
    token = model.tokens[id]
    if model.unit == "byte":
        return len(token) == 1
    bare = token.removesuffix((model.end_of_word or "").encode()) if id in model.word_ends else token
    return len(bare.decode()) == 1 or id in model.fallback_ids


def _trees_after(tokenizer: Tokenizer, base: Sequence[int], fired: Sequence[FiredMerge]) -> list[TokenNode]:
    """A tree for each token that `base` ends in after the merges in `fired`."""
    merged_ids = MergeIndex.of(tokenizer).merged_ids
    nodes = {place: TokenNode(id, tokenizer.token_bytes(id), None, None) for place, id in enumerate(base)}
    for merge in fired:
        id = int(merged_ids[merge.rank])
        right, left = nodes.pop(merge.middle), nodes[merge.start]
        count = count_of(tokenizer, merge.rank)
        nodes[merge.start] = TokenNode(id, tokenizer.token_bytes(id), merge.rank, count, left, right)
    return list(nodes.values())


def tree_of_merge(tokenizer: Tokenizer, rank: int) -> TokenNode:
    """The tree of the token that the merge of `rank` makes. The merge has to exist."""
    model = tokenizer.model
    left, right = (_tree_by_first_merges(tokenizer, int(column[rank])) for column in (model.left, model.right))
    merged = int(model.merged_ids[rank])
    return TokenNode(merged, tokenizer.token_bytes(merged), rank, count_of(tokenizer, rank), left, right)


def _tree_by_first_merges(tokenizer: Tokenizer, id: int) -> TokenNode:
    """The tree in which each token is built by the first merge that makes it, whether or not the encoder builds it so."""
    merges = MergeIndex.of(tokenizer)
    done: dict[int, TokenNode] = {}
    waiting = [id]
    while waiting:
        token = waiting[-1]
        rank = merges.first_rank_of(token)
        if rank is None:
            done[token] = TokenNode(token, tokenizer.token_bytes(token), None, None)
        else:
            pair = int(merges.left[rank]), int(merges.right[rank])
            if missing := [side for side in pair if side not in done]:
                waiting += missing
                continue
            left, right = (done[side] for side in pair)
            done[token] = TokenNode(token, tokenizer.token_bytes(token), rank, count_of(tokenizer, rank), left, right)
        waiting.pop()
    return done[id]


def smallest_vocabulary(tokenizer: Tokenizer, ranks: Sequence[int]) -> SmallestVocabulary:
    """The vocabulary that ends with the highest of `ranks`: without that merge the token would not be built."""
    merges = max(ranks, default=-1) + 1
    return SmallestVocabulary(merges, MergeIndex.of(tokenizer).vocab_size(merges))
