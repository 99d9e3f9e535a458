"""tiktoken's vocabularies of tokens with ranks, to and from models: the merges are recovered from the ranks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import itemgetter

import numpy as np

from bpe_transformer import _core
from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.formats.checks import check_ids
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

Ranks = Mapping[bytes, int] | Iterable[tuple[bytes, int]]


def model_of(ranks: Ranks, pretokenizer: Pretokenizer, special_tokens: Mapping[str, int]) -> BpeModel:
    """A model that encodes as tiktoken does with these ranks, which are the ids. Raises `FormatError`.

    tiktoken first looks up the whole pre-token, and merges only if it is not a token. The ids differ from those of merging
    only for tokens that no merges produce; a model with such tokens has `ignore_merges`.
    """
    checked = _checked(ranks)
    size = check_ids({**checked, **special_tokens}, "ranks")
    by_rank = sorted(checked.items(), key=itemgetter(1))
    present = {token for token, _ in by_rank if len(token) == 1}
    if len(present) < 256:
        missing = next(byte for byte in range(256) if bytes([byte]) not in present)
        raise FormatError(f"byte 0x{missing:02x} has no rank; a vocabulary of ranks needs all 256 bytes")
    tokens = [b""] * size
    for token, rank in by_rank:
        tokens[rank] = token
    for text, id in special_tokens.items():
        tokens[id] = text.encode()
    id_of_rank = np.fromiter((rank for _, rank in by_rank), np.uint32, len(by_rank))
    left, right, merged, unreachable, _ = _core.recover_merges([token for token, _ in by_rank], False)
    return BpeModel(
        unit="byte",
        pretokenizer=pretokenizer,
        tokens=tuple(tokens),
        left=id_of_rank[left],
        right=id_of_rank[right],
        merged_ids=id_of_rank[merged],
        special_tokens=dict(special_tokens),
        ignore_merges=len(unreachable) > 0,
    )


def _checked(ranks: Ranks) -> dict[bytes, int]:
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
