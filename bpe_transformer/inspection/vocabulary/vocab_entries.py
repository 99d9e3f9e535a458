"""Plain data about the tokens of a vocabulary: single entries, their use in a corpus, and what pruning would save."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from bpe_transformer.inspection.base.token_kinds import TokenKind
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict
from bpe_transformer.inspection.vocabulary.reachability import Obstacle

CorpusUse = Literal["used", "scaffold", "idle", "kept"]
"""The use of a token in a corpus. "used": the corpus holds it. "scaffold": it does not, but used tokens are built from it.
"idle": neither; pruning drops it. "kept": unused, but pruning keeps it: base alphabet, special and added tokens."""


@dataclass(frozen=True, slots=True)
class VocabEntry(View):
    """One token of a vocabulary."""

    id: int
    token: bytes
    kind: TokenKind
    script: str  # see `scripts.scripts_of`; "special" for special and added tokens
    rank: int | None
    merge_count: (
        int | None
    )  # how often its pair occurred in the learning corpus when it was merged; None without a trace
    uses: int  # merges that build longer tokens from it
    obstacle: Obstacle | None  # why no text is ever encoded to it; None: reachable
    used: int | None  # times in the corpus, if there is one
    # share of its occurrences there, those inside longer tokens included, that longer tokens took; None: it never occurs
    swallowed: float | None
    corpus_use: CorpusUse | None  # None without a corpus

    def as_dict(self) -> dict[str, Any]:
        facts = {field.name: getattr(self, field.name) for field in fields(self)}
        role = facts.pop("corpus_use")
        return {**facts, "role": role, "token": token_dict(self.token)}


@dataclass(frozen=True, slots=True)
class Pruning(View):
    """The tokens that a corpus does not use, and what `Tokenizer.prune` would save without changing its encoding."""

    num_used: int  # tokens that the corpus holds
    num_scaffold: int
    num_idle: int  # that pruning drops
    num_kept: int
    vocab_size: int  # ids now, those without a token included
    vocab_size_after: int

    @property
    def share_saved(self) -> float:
        """The share of the rows of an embedding matrix, 0 to 1."""
        return 1 - self.vocab_size_after / self.vocab_size if self.vocab_size else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {**{field.name: getattr(self, field.name) for field in fields(self)}, "share_saved": self.share_saved}


@dataclass(frozen=True)
class VocabView(View):
    """The tokens that fit a query, and figures of the whole vocabulary."""

    digest: str  # of the tokenizer
    num_tokens: int  # ids that have a token
    by_kind: dict[str, int]
    by_script: dict[str, int]  # most tokens first
    unreachable: dict[str, int]  # obstacle to number of tokens
    corpus: tuple[str, ...]  # names of the texts that use is counted on
    pruning: Pruning | None  # None without a corpus
    entries: tuple[VocabEntry, ...]
    num_found: int  # tokens that fit the query, before the limit
    filtered: bool  # whether the query left anything out
    near: tuple[bytes, ...] = ()  # where no token has the text of the query: similar tokens

    def as_dict(self) -> dict[str, Any]:
        plain = ("digest", "num_tokens", "by_kind", "by_script", "unreachable", "num_found")
        return {
            **{name: getattr(self, name) for name in plain},
            "corpus": list(self.corpus),
            "pruning": self.pruning.as_dict() if self.pruning else None,
            "entries": [entry.as_dict() for entry in self.entries],
            "near": [token_dict(token) for token in self.near],
        }
