"""The tokens of a whole file in figures: counts, the most frequent, longest and rarest tokens, and scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bpe_transformer.inspection.base.scripts import scripts_of
from bpe_transformer.inspection.base.token_kinds import TokenKind, TokenKinds
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict
from bpe_transformer.inspection.tokens.chunked_text import ChunkedText
from bpe_transformer.inspection.tokens.measurement import Measurement, measure

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class TokenUse(View):
    """A token and how often a text holds it."""

    id: int
    token: bytes
    used: int  # times in the text
    share: float  # of all tokens of the text, 0 to 1
    rank: int | None
    kind: TokenKind
    merge_count: (
        int | None
    )  # how often its pair occurred in the learning corpus when it was merged; None without a trace

    def as_dict(self) -> dict[str, Any]:
        names = ("id", "used", "share", "rank", "kind", "merge_count")
        return {"token": token_dict(self.token), **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True, slots=True)
class ScriptUse(View):
    """All tokens of one script; "mixed", "partial bytes" and others as in `scripts.scripts_of`."""

    script: str
    num_tokens: int  # distinct ones that occur
    used: int
    share: float  # of all tokens of the text, 0 to 1
    num_bytes: int  # of the text that they hold

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("script", "num_tokens", "used", "share", "num_bytes")}


@dataclass(frozen=True)
class FileSummary(View):
    """The tokens of a file in figures.

    `top`: the most frequent tokens. `rarest`: the least frequent that occur at all, those learned first before the others.
    `longest`: by characters, then bytes. `by_script` and `by_kind` cover all tokens of the file, most used first.
    """

    name: str
    digest: str  # of the tokenizer
    measured: Measurement
    top: tuple[TokenUse, ...]
    rarest: tuple[TokenUse, ...]
    longest: tuple[TokenUse, ...]
    by_script: tuple[ScriptUse, ...]
    by_kind: dict[str, int]  # kind to how many tokens of the file are of it

    def as_dict(self) -> dict[str, Any]:
        lists = ("top", "rarest", "longest", "by_script")
        return {
            "name": self.name,
            "digest": self.digest,
            **self.measured.as_dict(),
            "vocab_size": self.measured.vocab_size,
            **{name: [use.as_dict() for use in getattr(self, name)] for name in lists},
            "by_kind": self.by_kind,
        }


def summarize(
    tokenizer: Tokenizer,
    text: ChunkedText | str,
    *,
    limit: int = 10,
    specials: dict[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> FileSummary:
    """Encodes a file, or a string, of any size in bounded memory; `limit` tokens in each list.

    `specials` are the arguments of `Tokenizer.encode` for special tokens; None takes them as plain text.

    Raises:
        CorpusError: the file is missing or empty. InvalidUtf8Error: it is not UTF-8.
        EncodingError: it holds a character that the tokenizer cannot encode.
    """
    source = ChunkedText("the text", text) if isinstance(text, str) else text
    measured = measure(tokenizer, source, specials=specials, progress=progress)
    kinds = TokenKinds(tokenizer)
    ids = np.flatnonzero(measured.used)
    by_use = np.lexsort((ids, -measured.used[ids]))
    by_rarity = np.lexsort((kinds.ranks[ids], measured.used[ids]))
    decoded = tokenizer.model.decoded_bytes
    texts = {id: decoded[id].decode("utf-8", "replace") for id in ids.tolist()}
    by_length = sorted(texts, key=lambda id: (-len(texts[id]), -len(decoded[id]), id))

    def uses(chosen: Iterable[int]) -> tuple[TokenUse, ...]:
        return tuple(_use(kinds, int(id), measured) for id in chosen)

    return FileSummary(
        name=source.name,
        digest=tokenizer.digest,
        measured=measured,
        top=uses(ids[by_use[:limit]]),
        rarest=uses(ids[by_rarity[:limit]]),
        longest=uses(by_length[:limit]),
        by_script=_by_script(kinds, ids.tolist(), measured),
        by_kind=_by_kind(kinds, ids.tolist(), measured),
    )


def _use(kinds: TokenKinds, id: int, measured: Measurement) -> TokenUse:
    used = int(measured.used[id])
    token = kinds.tokenizer.token_bytes(id)
    share = used / measured.num_tokens
    return TokenUse(id, token, used, share, kinds.rank(id), kinds.kind(id), kinds.merge_count(id))


def _by_script(kinds: TokenKinds, ids: list[int], measured: Measurement) -> tuple[ScriptUse, ...]:
    decoded = kinds.tokenizer.model.decoded_bytes
    groups: dict[str, list[int]] = {}
    for id, script in zip(ids, scripts_of([decoded[id] for id in ids]), strict=True):
        groups.setdefault("special" if kinds.kind(id) in ("special", "unknown") else script, []).append(id)
    rows = []
    for script, members in groups.items():
        used = int(measured.used[members].sum())
        num_bytes = sum(int(measured.used[id]) * len(decoded[id]) for id in members)
        rows.append(ScriptUse(script, len(members), used, used / measured.num_tokens, num_bytes))
    return tuple(sorted(rows, key=lambda row: (-row.used, row.script)))


def _by_kind(kinds: TokenKinds, ids: list[int], measured: Measurement) -> dict[str, int]:
    used: dict[str, int] = {}
    for id in ids:
        kind = kinds.kind(id)
        used[kind] = used.get(kind, 0) + int(measured.used[id])
    return dict(sorted(used.items(), key=lambda item: -item[1]))
