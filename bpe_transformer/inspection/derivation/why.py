"""Why a token is what it is, and why a text falls into the tokens it does.

Both are read off one record: the merges as the encoder fires them (`merging.Merges.fire`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

from bpe_transformer.errors import DecodingError, EncodingError
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict
from bpe_transformer.inspection.derivation.merge_replay import Fired, Merges
from bpe_transformer.inspection.derivation.pieces import Piece, PieceKind, Pieces, Specials

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

TokenKind = Literal["base", "merged", "whole", "special", "added"]
BorderCause = Literal["no merge", "taken", "split", "special"]
SHOWN_USES = 10


@dataclass(frozen=True, slots=True)
class TokenNode(View):
    """A token in a derivation tree, with the two it was made of; a base token has none."""

    id: int
    token: bytes
    rank: int | None  # of the merge that made it here; None for a base token
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
    """What a vocabulary has to hold of this one's merges, counted from the first, for something to be one token."""

    merges: int
    vocab_size: int | None  # that `Tokenizer.truncate` takes; None where ids do not follow the order of merges

    def as_dict(self) -> dict[str, Any]:
        return {"merges": self.merges, "vocab_size": self.vocab_size}


@dataclass(frozen=True, slots=True)
class TokenUse(View):
    """A merge that builds on a token."""

    rank: int
    id: int  # of what it makes
    token: bytes

    def as_dict(self) -> dict[str, Any]:
        return {"rank": self.rank, "id": self.id, "token": token_dict(self.token)}


@dataclass(frozen=True, slots=True)
class TokenWhy(View):
    """Where a token of a vocabulary comes from, and what is built on it.

    "base": in the alphabet. "merged": made by a merge. "whole": in the vocabulary, but no merge makes it, so only
    `ignore_merges` can give it. "special" and "added": set apart in a text before any merge.
    """

    id: int
    token: bytes
    kind: TokenKind
    tree: TokenNode | None  # None for what no merge makes, base tokens excepted
    reached: bool  # the merges, fired on its own bytes, end in this token; False happens in imported vocabularies
    ends_in: tuple[bytes, ...]  # the tokens that they do end in
    makers: tuple[int, ...]  # ranks of all merges that make it
    smallest: SmallestVocabulary | None  # None for a token that no merge makes
    uses: tuple[TokenUse, ...]  # the first merges that build on it
    num_uses: int  # all of them
    num_merges: int  # of the vocabulary
    digest: str  # of the tokenizer
    has_trace: bool  # False: ranks are known, counts are not

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "token": token_dict(self.token),
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


@dataclass(frozen=True, slots=True)
class Firing(View):
    """One merge, fired at one place of a pre-token. Places count its base tokens from 0."""

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
    """A merge that would have crossed a border, had not another merge taken one of its two tokens first."""

    ids: tuple[int, int]
    tokens: tuple[bytes, bytes]
    rank: int
    met: bool  # whether the two ever stood side by side; if not, one was taken before the other had come together
    taken: Literal["left", "right"]  # which of the two
    taken_by: Firing  # if they met, of a lower rank, or of the same further to the left

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
class Border(View):
    """Why two neighbouring tokens of an encoded text stayed apart.

    "no merge": the vocabulary has no merge of the two, nor of anything that ended and began at this border before. "taken":
    it has none of the two, but some of what ended and began here before; an earlier merge took a part of each, see `missed`.
    "split": they are of different pre-tokens, and no merge crosses those. "special": one of them is a special or added token.
    """

    ids: tuple[int, int]
    tokens: tuple[bytes, bytes]
    cause: BorderCause
    missed: tuple[MissedMerge, ...]  # in the order in which their parts were taken

    def as_dict(self) -> dict[str, Any]:
        return {
            "ids": list(self.ids),
            "tokens": [token_dict(token) for token in self.tokens],
            "cause": self.cause,
            "missed": [merge.as_dict() for merge in self.missed],
        }


@dataclass(frozen=True, slots=True)
class PieceWhy(View):
    """How one pre-token comes together."""

    source: bytes
    kind: PieceKind
    base_ids: tuple[int, ...]
    base_tokens: tuple[bytes, ...]
    firings: tuple[Firing, ...]  # in the order in which they fire
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
class TextWhy(View):
    """How a text becomes its tokens: the merges of every pre-token in the order in which they fire, and what stayed apart."""

    text: str
    pieces: tuple[PieceWhy, ...]
    borders: tuple[Border, ...]  # one between any two neighbouring tokens
    smallest: SmallestVocabulary | None  # in which the text is one token; None: it is not one in this vocabulary either
    num_merges: int  # of the vocabulary
    digest: str
    has_trace: bool

    @property
    def ids(self) -> list[int]:
        return [id for piece in self.pieces for id in piece.ids]

    def as_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "ids": self.ids,
            "pieces": [piece.as_dict() for piece in self.pieces],
            "borders": [border.as_dict() for border in self.borders],
            "smallest_vocabulary": self.smallest.as_dict() if self.smallest else None,
            "num_merges": self.num_merges,
            "digest": self.digest,
            "has_trace": self.has_trace,
        }


def why_token(tokenizer: Tokenizer, id: int) -> TokenWhy:
    """The derivation of a token down to the base alphabet.

    Raises:
        DecodingError: `id` is out of range, or no token has it.
    """
    token = tokenizer.token_bytes(id)
    if not token:
        raise DecodingError(
            f"id {id} has no token: this vocabulary leaves it out; give another id, or the token itself"
        )
    merges, model = Merges.of(tokenizer), tokenizer.model
    makers = tuple(merges.makers(id))
    base = merges.leaves(id)
    fired = merges.fire(base)
    tops = _trees(tokenizer, base, fired)
    reached = len(tops) == 1 and tops[0].id == id
    kind: TokenKind = "merged" if makers else "base"
    if id in model.special_tokens.values():
        kind = "special"
    elif id in model.added_tokens.values():
        kind = "added"
    elif not makers and not _in_alphabet(tokenizer, id):
        kind = "whole"
    uses = sorted({*(merges.left == id).nonzero()[0].tolist(), *(merges.right == id).nonzero()[0].tolist()})
    made = [int(merges.merged_ids[rank]) for rank in uses[:SHOWN_USES]]
    return TokenWhy(
        id=id,
        token=token,
        kind=kind,
        tree=tops[0] if reached and kind in ("base", "merged") else _recorded(tokenizer, id) if makers else None,
        reached=reached,
        ends_in=tuple(node.token for node in tops),
        makers=makers,
        smallest=_smallest_of(tokenizer, [merge.rank for merge in fired] if reached else makers[:1])
        if makers
        else None,
        uses=tuple(TokenUse(rank, new, tokenizer.token_bytes(new)) for rank, new in zip(uses, made, strict=False)),
        num_uses=len(uses),
        num_merges=len(merges),
        digest=tokenizer.digest,
        has_trace=tokenizer.trace is not None,
    )


def why_text(
    tokenizer: Tokenizer, text: str, *, allowed_special: Specials = (), disallowed_special: Specials = "all"
) -> TextWhy:
    """The merges that put `text` together, and for any two neighbouring tokens what kept them apart.

    Raises:
        EncodingError: `text` is empty, or cannot be encoded.
        SpecialTokenError: `text` holds a special token that is neither allowed nor exempt.
    """
    if not text:
        raise EncodingError("the text is empty, so there is nothing to explain; give some text")
    pieces = Pieces(tokenizer).of(text, allowed_special=allowed_special, disallowed_special=disallowed_special)
    whys: list[PieceWhy] = []
    borders: list[Border] = []
    for number, piece in enumerate(pieces):
        if number:
            borders.append(_between(tokenizer, pieces[number - 1], piece))
        base = piece.base if piece.kind == "merged" else ()
        firings = _firings(tokenizer, Merges.of(tokenizer).fire(base))
        borders += _inside(tokenizer, piece, firings)
        tokens = tuple(map(tokenizer.token_bytes, piece.ids))
        base_tokens = tuple(map(tokenizer.token_bytes, base))
        whys.append(PieceWhy(piece.source, piece.kind, base, base_tokens, tuple(firings), piece.ids, tokens))
    return TextWhy(
        text=text,
        pieces=tuple(whys),
        borders=tuple(borders),
        smallest=_smallest_for(tokenizer, whys),
        num_merges=len(tokenizer.model.merged_ids),
        digest=tokenizer.digest,
        has_trace=tokenizer.trace is not None,
    )


def count_of(tokenizer: Tokenizer, rank: int) -> int | None:
    """How often the pair of a merge stood in the learning corpus when it was merged; None where no trace says so."""
    step = tokenizer.trace.at_rank(rank) if tokenizer.trace is not None else None
    return None if step is None else step.count


def _in_alphabet(tokenizer: Tokenizer, id: int) -> bool:
    model = tokenizer.model
    token = model.tokens[id]
    if model.unit == "byte":
        return len(token) == 1
    bare = token.removesuffix((model.end_of_word or "").encode()) if id in model.word_ends else token
    return len(bare.decode()) == 1 or id in model.fallback_ids


def _trees(tokenizer: Tokenizer, base: Sequence[int], fired: Sequence[Fired]) -> list[TokenNode]:
    """What `fired` makes of `base`, a tree for every token in the end."""
    made = Merges.of(tokenizer).merged_ids
    nodes = {place: TokenNode(id, tokenizer.token_bytes(id), None, None) for place, id in enumerate(base)}
    for merge in fired:
        id = int(made[merge.rank])
        right, left = nodes.pop(merge.middle), nodes[merge.start]
        count = count_of(tokenizer, merge.rank)
        nodes[merge.start] = TokenNode(id, tokenizer.token_bytes(id), merge.rank, count, left, right)
    return list(nodes.values())


def tree_of_merge(tokenizer: Tokenizer, rank: int) -> TokenNode:
    """The tree of what the merge of `rank` makes, which has to exist."""
    model = tokenizer.model
    left, right = (_recorded(tokenizer, int(column[rank])) for column in (model.left, model.right))
    made = int(model.merged_ids[rank])
    return TokenNode(made, tokenizer.token_bytes(made), rank, count_of(tokenizer, rank), left, right)


def _recorded(tokenizer: Tokenizer, id: int) -> TokenNode:
    """The tree as the first merge that makes each token has it, whether or not the encoder gets there."""
    merges = Merges.of(tokenizer)
    done: dict[int, TokenNode] = {}
    waiting = [id]
    while waiting:
        token = waiting[-1]
        rank = merges.maker(token)
        if rank is None:
            done[token] = TokenNode(token, tokenizer.token_bytes(token), None, None)
        else:
            parts = int(merges.left[rank]), int(merges.right[rank])
            if missing := [part for part in parts if part not in done]:
                waiting += missing
                continue
            left, right = (done[part] for part in parts)
            done[token] = TokenNode(token, tokenizer.token_bytes(token), rank, count_of(tokenizer, rank), left, right)
        waiting.pop()
    return done[id]


def _firings(tokenizer: Tokenizer, fired: Sequence[Fired]) -> list[Firing]:
    merges = Merges.of(tokenizer)
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


def _between(tokenizer: Tokenizer, left: Piece, right: Piece) -> Border:
    ids = left.ids[-1], right.ids[0]
    cause: BorderCause = "special" if "special" in (left.kind, right.kind) else "split"
    return Border(ids, (tokenizer.token_bytes(ids[0]), tokenizer.token_bytes(ids[1])), cause, ())


@dataclass(slots=True)
class _Life:
    """A token beside a border: from which firing to which it stood there. The last of them was never taken."""

    id: int
    born: int = -1  # before any
    died: int | None = None


def _inside(tokenizer: Tokenizer, piece: Piece, firings: Sequence[Firing]) -> Iterator[Border]:
    """The borders between the tokens of one pre-token.

    A border outlives every merge beside it. What ended there one after another and what began there are known, and any
    merge of one of the former with one of the latter was forestalled by the firing that took the first of the two away.
    """
    if piece.kind != "merged":
        return
    merges = Merges.of(tokenizer)
    places = sorted(set(range(1, len(piece.base))) - {firing.middle for firing in firings})
    ended = {place: [_Life(piece.base[place - 1])] for place in places}
    began = {place: [_Life(piece.base[place])] for place in places}
    for time, firing in enumerate(firings):
        for lives in (began.get(firing.start), ended.get(firing.end)):
            if lives is not None:
                lives[-1].died = time
                lives.append(_Life(firing.new_id, born=time))
    for place in places:
        missed: list[tuple[int, int, MissedMerge]] = []
        for left, right in product(ended[place], began[place]):
            rank = merges.rank(left.id, right.id)
            deaths = [life.died for life in (left, right) if life.died is not None]
            if rank is None or not deaths:
                continue
            met = all(max(left.born, right.born) < died for died in deaths)
            tokens = tokenizer.token_bytes(left.id), tokenizer.token_bytes(right.id)
            taker = firings[min(deaths)]
            taken: Literal["left", "right"] = "left" if taker.end == place else "right"
            missed.append((min(deaths), rank, MissedMerge((left.id, right.id), tokens, rank, met, taken, taker)))
        ids = ended[place][-1].id, began[place][-1].id
        tokens = tokenizer.token_bytes(ids[0]), tokenizer.token_bytes(ids[1])
        forestalled = tuple(merge for _, _, merge in sorted(missed, key=lambda entry: entry[:2]))
        yield Border(ids, tokens, "taken" if forestalled else "no merge", forestalled)


def _smallest_for(tokenizer: Tokenizer, pieces: Sequence[PieceWhy]) -> SmallestVocabulary | None:
    """For a text of these pieces."""
    if len(pieces) != 1 or len(pieces[0].ids) != 1:
        return None
    (piece,) = pieces
    if piece.kind == "whole":  # a token as soon as the first merge that makes it is there
        return _smallest_of(tokenizer, Merges.of(tokenizer).makers(piece.ids[0])[:1])
    return _smallest_of(tokenizer, [firing.rank for firing in piece.firings])


def _smallest_of(tokenizer: Tokenizer, ranks: Sequence[int]) -> SmallestVocabulary:
    """The vocabulary that ends with the last of `ranks`.

    With fewer merges the encoder stops short of the first that is missing, and what one token is stays one; so the highest
    rank that fires says how many it takes.
    """
    merges = max(ranks, default=-1) + 1
    return SmallestVocabulary(merges, Merges.of(tokenizer).vocab_size(merges))
