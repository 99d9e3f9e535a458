"""tiktoken's vocabularies of tokens with ranks, to and from models: the merges are recovered from the ranks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter

from bpe_transformer import _core
from bpe_transformer.errors import FormatError
from bpe_transformer.lazy import NDArray, np
from bpe_transformer.tokenizer.formats.checks import check_ids, largest_id
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, Column


@dataclass(frozen=True)
class RankColumns:
    """Distinct tokens and their ranks, (N,), as they were read; the ranks are not checked yet."""

    tokens: list[bytes]
    ranks: NDArray[np.uint32] | range

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def of(cls, tokens: list[bytes], ranks: memoryview) -> RankColumns:
        if tokens and _core.counts_up(ranks):
            return cls(tokens, range(ranks[0], ranks[0] + len(tokens)))
        return cls(tokens, np.asarray(ranks))

    def as_pairs(self) -> list[tuple[bytes, int]]:
        ranks = self.ranks if isinstance(self.ranks, range) else self.ranks.tolist()
        return list(zip(self.tokens, ranks, strict=True))


Ranks = Mapping[bytes, int] | Iterable[tuple[bytes, int]] | RankColumns


def model_of(ranks: Ranks, pretokenizer: Pretokenizer, special_tokens: Mapping[str, int]) -> BpeModel:
    """A model that encodes as tiktoken does with these ranks, which are the ids. Raises `FormatError`.

    tiktoken first looks up the whole pre-token, and merges only if it is not a token. The ids differ from those of merging
    only for tokens that no merges produce; a model with such tokens has `ignore_merges`.
    """
    names, id_of_rank, size = _by_rank(ranks, special_tokens)
    present = {token for token in names if len(token) == 1}
    if len(present) < 256:
        missing = next(byte for byte in range(256) if bytes([byte]) not in present)
        raise FormatError(f"byte 0x{missing:02x} has no rank; a vocabulary of ranks needs all 256 bytes")
    tokens = [b""] * size
    if isinstance(id_of_rank, range):
        tokens[id_of_rank.start : id_of_rank.stop] = names
    else:
        for token, rank in zip(names, id_of_rank.tolist(), strict=True):
            tokens[rank] = token
    for text, id in special_tokens.items():
        tokens[id] = text.encode()
    first = id_of_rank.start if isinstance(id_of_rank, range) else 0
    *columns, unreachable, _ = _core.recover_merges(names, False, first)
    left, right, merged = (_ids_of(column, id_of_rank) for column in columns)
    return BpeModel(
        unit="byte",
        pretokenizer=pretokenizer,
        tokens=tuple(tokens),
        left=left,
        right=right,
        merged_ids=merged,
        special_tokens=dict(special_tokens),
        ignore_merges=len(unreachable) > 0,
    )


def _ids_of(ranks: memoryview, id_of_rank: NDArray[np.uint32] | range) -> Column:
    """The ids of ranks; those of a range are ids already."""
    return ranks if isinstance(id_of_rank, range) else id_of_rank[np.asarray(ranks)]


def _by_rank(ranks: Ranks, special_tokens: Mapping[str, int]) -> tuple[list[bytes], NDArray[np.uint32] | range, int]:
    """(tokens by rank, their ranks, vocab_size), checked; columns in order are checked as they are. Raises `FormatError`."""
    if isinstance(ranks, RankColumns):
        ids, distinct = ranks.ranks, set(special_tokens.values())
        in_order = isinstance(ids, range) or (len(ids) > 0 and bool((ids[1:] > ids[:-1]).all()))
        taken = filter(ids.__contains__, distinct) if isinstance(ids, range) else distinct.intersection(ids.tolist())
        apart = len(distinct) == len(special_tokens) and not any(True for _ in taken)
        largest = max([int(ids[-1]), *distinct]) if in_order else 0
        if in_order and apart and min(distinct, default=0) >= 0 and largest <= largest_id(len(ids) + len(distinct)):
            return ranks.tokens, ids, largest + 1
        ranks = ranks.as_pairs()  # to say what is wrong, or to bring them in order
    checked = _checked(ranks)
    size = check_ids({**checked, **special_tokens}, "ranks")
    by_rank = sorted(checked.items(), key=itemgetter(1))
    return [token for token, _ in by_rank], np.array([rank for _, rank in by_rank], np.uint32), size


def _checked(ranks: Mapping[bytes, int] | Iterable[tuple[bytes, int]]) -> dict[bytes, int]:
    pairs = list(ranks.items() if isinstance(ranks, Mapping) else ranks)
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise FormatError(f"ranks hold {pair!r}, which is not a pair of bytes and a rank")
        if type(pair[0]) is not bytes or not pair[0]:
            raise FormatError(f"ranks hold the token {pair[0]!r}, which is not bytes, or empty")
    found: dict[bytes, int] = dict(pairs)
    if len(found) < len(pairs):
        seen: set[bytes] = set()
        twice = next(token for token, _ in pairs if token in seen or seen.add(token))  # type: ignore[func-returns-value]
        raise FormatError(f"token {twice!r} has two ranks")
    return found


def ranks_of(model: BpeModel, form: str) -> dict[bytes, int]:
    """The ranks with which tiktoken encodes as `model` does, without special tokens. Raises `FormatError` if none do."""
    if model.unit != "byte":
        raise FormatError(f"{form} holds bytes and their ranks; a vocabulary of characters cannot be written in it")
    outside = {*model.special_tokens.values()}
    ranked = [(token, id) for id, token in enumerate(model.tokens) if token and id not in outside]
    ranks = dict(ranked)
    if len(ranks) < len(ranked):
        twice = next(token for token, id in ranked if ranks[token] != id)
        raise FormatError(f"{form} cannot hold the token {twice!r} twice")
    read = model_of(ranks, model.pretokenizer, model.special_tokens)
    same = all(np.array_equal(getattr(read, name), getattr(model, name)) for name in ("left", "right", "merged_ids"))
    if not same or (read.ignore_merges and not model.ignore_merges):
        raise FormatError(
            f"{form} takes the order of ids for the order of merges, and finds other merges in these tokens; "
            "export to tokenizer.json"
        )
    return ranks
