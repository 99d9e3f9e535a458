"""The derivation of a text: the merges of every pre-token in order, and why neighbouring tokens were not merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, Literal

from bpe_transformer.errors import EncodingError
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict
from bpe_transformer.inspection.derivation.encoded_pretokens import (
    EncodedPretoken,
    PretokenEncoder,
    PretokenKind,
    SpecialTokens,
)
from bpe_transformer.inspection.derivation.merge_index import FiredMerge, MergeIndex
from bpe_transformer.inspection.derivation.token_derivation import SmallestVocabulary, count_of, smallest_vocabulary

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

BoundaryCause = Literal["no merge", "taken", "split", "special", "undone"]


@dataclass(frozen=True, slots=True)
class Firing(View):
    """One merge applied at one place of a pre-token. Places count its base tokens from 0."""

    rank: int
    count: int | None  # of the pair in the learning corpus when it was merged; None without a trace
    ids: tuple[int, int]
    tokens: tuple[bytes, bytes]
    new_id: int
    new_token: bytes
    start: int  # the left token covers [start, middle), the right one [middle, end)
    middle: int
    end: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "rank": self.rank,
            "count": self.count,
            "ids": list(self.ids),
            "tokens": [token_dict(token) for token in self.tokens],
            "new_id": self.new_id,
            "new_token": token_dict(self.new_token),
            "start": self.start,
            "middle": self.middle,
            "end": self.end,
        }


@dataclass(frozen=True, slots=True)
class MissedMerge(View):
    """A merge across a token boundary that did not happen, because another merge took one of its two tokens first."""

    ids: tuple[int, int]
    tokens: tuple[bytes, bytes]
    rank: int
    met: bool  # whether the two ever stood side by side; if not, one was taken before the other was built
    taken: Literal["left", "right"]  # which of the two
    taken_by: Firing  # if they met: of a lower rank, or of the same rank further to the left

    def as_dict(self) -> dict[str, Any]:
        return {
            "ids": list(self.ids),
            "tokens": [token_dict(token) for token in self.tokens],
            "rank": self.rank,
            "met": self.met,
            "taken": self.taken,
            "taken_by": self.taken_by.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class TokenBoundary(View):
    """Why two neighbouring tokens of an encoded text were not merged.

    "no merge": the vocabulary has no merge of the two, nor of any tokens that met at this boundary before. "taken": it has
    merges of tokens that ended and began here before, but earlier merges took one of the two, see `missed`. "split": the
    two are of different pre-tokens, and no merge crosses those. "special": one of them is a special or added token.
    "undone": they were merged, but the vocabulary does not have what they made, see `undone`.
    """

    ids: tuple[int, int]
    tokens: tuple[bytes, bytes]
    cause: BoundaryCause
    missed: tuple[MissedMerge, ...]  # in the order of the merges that prevented them
    undone: bytes | None = None  # the token that was split here in the end

    def as_dict(self) -> dict[str, Any]:
        return {
            "ids": list(self.ids),
            "tokens": [token_dict(token) for token in self.tokens],
            "cause": self.cause,
            "missed": [merge.as_dict() for merge in self.missed],
            "undone": None if self.undone is None else token_dict(self.undone),
        }


@dataclass(frozen=True, slots=True)
class PretokenDerivation(View):
    """The derivation of one pre-token."""

    source: bytes
    kind: PretokenKind
    base_ids: tuple[int, ...]
    base_tokens: tuple[bytes, ...]
    firings: tuple[Firing, ...]  # in the order in which they were applied
    ids: tuple[int, ...]
    tokens: tuple[bytes, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "source": token_dict(self.source),
            "kind": self.kind,
            "base_ids": list(self.base_ids),
            "base_tokens": [token_dict(token) for token in self.base_tokens],
            "firings": [firing.as_dict() for firing in self.firings],
            "ids": list(self.ids),
            "tokens": [token_dict(token) for token in self.tokens],
        }


@dataclass(frozen=True, slots=True)
class TextDerivation(View):
    """The derivation of a text: the merges of every pre-token in order, and why neighbouring tokens were not merged."""

    text: str
    pretokens: tuple[PretokenDerivation, ...]
    boundaries: tuple[TokenBoundary, ...]  # one between any two neighbouring tokens
    smallest: SmallestVocabulary | None  # in which the text is one token; None: it is not one in this vocabulary either
    num_merges: int  # of the vocabulary
    digest: str
    has_trace: bool

    @property
    def ids(self) -> list[int]:
        return [id for pretoken in self.pretokens for id in pretoken.ids]

    def as_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "ids": self.ids,
            "pieces": [pretoken.as_dict() for pretoken in self.pretokens],
            "borders": [boundary.as_dict() for boundary in self.boundaries],
            "smallest_vocabulary": self.smallest.as_dict() if self.smallest else None,
            "num_merges": self.num_merges,
            "digest": self.digest,
            "has_trace": self.has_trace,
        }


def derive_text(
    tokenizer: Tokenizer, text: str, *, allowed_special: SpecialTokens = (), disallowed_special: SpecialTokens = "all"
) -> TextDerivation:
    """The merges that build the tokens of `text`, and for any two neighbouring tokens why they were not merged.

    Raises:
        EncodingError: `text` is empty, or cannot be encoded.
        SpecialTokenError: `text` holds a special token that is neither allowed nor exempt.
    """
    if not text:
        raise EncodingError("the text is empty, so there is nothing to explain; give some text")
    encoded = PretokenEncoder(tokenizer).encode(
        text, allowed_special=allowed_special, disallowed_special=disallowed_special
    )
    pretokens: list[PretokenDerivation] = []
    boundaries: list[TokenBoundary] = []
    for number, pretoken in enumerate(encoded):
        if number:
            boundaries.append(_boundary_between(tokenizer, encoded[number - 1], pretoken))
        base_ids = pretoken.base_ids if pretoken.kind == "merged" else ()
        firings = _firings(tokenizer, MergeIndex.of(tokenizer).fire(base_ids))
        boundaries += _boundaries_inside(tokenizer, pretoken, firings)
        pretokens.append(
            PretokenDerivation(
                source=pretoken.source,
                kind=pretoken.kind,
                base_ids=base_ids,
                base_tokens=tuple(map(tokenizer.token_bytes, base_ids)),
                firings=tuple(firings),
                ids=pretoken.ids,
                tokens=tuple(map(tokenizer.token_bytes, pretoken.ids)),
            )
        )
    return TextDerivation(
        text=text,
        pretokens=tuple(pretokens),
        boundaries=tuple(boundaries),
        smallest=_smallest_for_text(tokenizer, pretokens),
        num_merges=len(tokenizer.model.merged_ids),
        digest=tokenizer.digest,
        has_trace=tokenizer.trace is not None,
    )


def _firings(tokenizer: Tokenizer, fired: Sequence[FiredMerge]) -> list[Firing]:
    merges = MergeIndex.of(tokenizer)
    firings = []
    for merge in fired:
        ids = int(merges.left[merge.rank]), int(merges.right[merge.rank])
        new_id = int(merges.merged_ids[merge.rank])
        firings.append(
            Firing(
                rank=merge.rank,
                count=count_of(tokenizer, merge.rank),
                ids=ids,
                tokens=(tokenizer.token_bytes(ids[0]), tokenizer.token_bytes(ids[1])),
                new_id=new_id,
                new_token=tokenizer.token_bytes(new_id),
                start=merge.start,
                middle=merge.middle,
                end=merge.end,
            )
        )
    return firings


def _boundary_between(tokenizer: Tokenizer, left: EncodedPretoken, right: EncodedPretoken) -> TokenBoundary:
    ids = left.ids[-1], right.ids[0]
    cause: BoundaryCause = "special" if "special" in (left.kind, right.kind) else "split"
    return TokenBoundary(ids, (tokenizer.token_bytes(ids[0]), tokenizer.token_bytes(ids[1])), cause, ())


@dataclass(slots=True)
class _Neighbour:
    """A token beside a boundary, and the numbers of the firings that built it and that merged it into a longer one."""

    id: int
    built_at: int = -1  # -1: a base token
    taken_at: int | None = None  # None: it is still there in the end


def _boundaries_inside(
    tokenizer: Tokenizer, pretoken: EncodedPretoken, firings: Sequence[Firing]
) -> Iterator[TokenBoundary]:
    """The boundaries between the tokens of one pre-token.

    All tokens that ever ended or began at a boundary are known. A merge of one that ended there with one that began there
    did not happen because some firing took one of the two first; that firing is named.
    """
    if pretoken.kind != "merged":
        return
    base_ids = pretoken.base_ids
    undone = _undone_boundaries(tokenizer, pretoken, firings)
    places = sorted({*range(1, len(base_ids))} - {firing.middle for firing in firings} | {*undone})
    ended = {place: [_Neighbour(base_ids[place - 1])] for place in places}
    began = {place: [_Neighbour(base_ids[place])] for place in places}
    for number, firing in enumerate(firings):
        for neighbours in (began.get(firing.start), ended.get(firing.end)):
            if neighbours is not None:
                neighbours[-1].taken_at = number
                neighbours.append(_Neighbour(firing.new_id, built_at=number))
    for place in places:
        if place in undone:
            yield undone[place]
            continue
        missed = tuple(_missed_merges(tokenizer, place, ended[place], began[place], firings))
        merges = MergeIndex.of(tokenizer)
        ids = merges.in_the_end([ended[place][-1].id])[-1], merges.in_the_end([began[place][-1].id])[0]
        tokens = tokenizer.token_bytes(ids[0]), tokenizer.token_bytes(ids[1])
        yield TokenBoundary(ids, tokens, "taken" if missed else "no merge", missed)


def _undone_boundaries(
    tokenizer: Tokenizer, pretoken: EncodedPretoken, firings: Sequence[Firing]
) -> dict[int, TokenBoundary]:
    """By place, the boundaries inside tokens that were merged and then undone."""
    model = tokenizer.model
    if not model.undone:
        return {}
    merged = {place: id for place, id in enumerate(pretoken.base_ids)}
    for firing in firings:
        del merged[firing.middle]
        merged[firing.start] = firing.new_id
    found = {}
    for place, id in merged.items():
        becomes = model.undone.get(id, ())
        for left, right in pairwise(becomes):
            place += int(model.widths[left])
            tokens = tokenizer.token_bytes(left), tokenizer.token_bytes(right)
            found[place] = TokenBoundary((left, right), tokens, "undone", (), tokenizer.token_bytes(id))
    return found


def _missed_merges(
    tokenizer: Tokenizer,
    place: int,
    ended: Sequence[_Neighbour],
    began: Sequence[_Neighbour],
    firings: Sequence[Firing],
) -> list[MissedMerge]:
    """The merges across the boundary at `place` that an earlier firing prevented, in the order of those firings."""
    found: list[tuple[int, int, MissedMerge]] = []
    for left, right in product(ended, began):
        rank = MergeIndex.of(tokenizer).rank(left.id, right.id)
        taken_at = [neighbour.taken_at for neighbour in (left, right) if neighbour.taken_at is not None]
        if rank is None or not taken_at:
            continue
        met = all(max(left.built_at, right.built_at) < number for number in taken_at)
        tokens = tokenizer.token_bytes(left.id), tokenizer.token_bytes(right.id)
        taker = firings[min(taken_at)]
        taken: Literal["left", "right"] = "left" if taker.end == place else "right"
        found.append((min(taken_at), rank, MissedMerge((left.id, right.id), tokens, rank, met, taken, taker)))
    return [missed for _, _, missed in sorted(found, key=lambda entry: entry[:2])]


def _smallest_for_text(tokenizer: Tokenizer, pretokens: Sequence[PretokenDerivation]) -> SmallestVocabulary | None:
    """The smallest vocabulary in which the text is one token; None for a text that is not one token."""
    if len(pretokens) != 1 or len(pretokens[0].ids) != 1:
        return None
    (pretoken,) = pretokens
    if pretoken.kind == "whole":  # a token as soon as the first merge that makes it is there
        return smallest_vocabulary(tokenizer, MergeIndex.of(tokenizer).ranks_of(pretoken.ids[0])[:1])
    return smallest_vocabulary(tokenizer, [firing.rank for firing in pretoken.firings])
