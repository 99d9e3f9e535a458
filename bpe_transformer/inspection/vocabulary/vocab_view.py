"""A vocabulary to browse: what its tokens are, what a corpus uses of them, and what could go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from bpe_transformer.errors import ConfigError, CorpusError
from bpe_transformer.inspection.base.scripts import EMPTY, scripts_of
from bpe_transformer.inspection.base.token_kinds import NO_RANK, Kind, Roles
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import from_visible, token_dict
from bpe_transformer.inspection.tokens.measure import measure
from bpe_transformer.inspection.tokens.text_source import Text
from bpe_transformer.inspection.vocabulary.reachability import Obstacle, unreachable
from bpe_transformer.tokenizer.resizing.truncate_and_prune import never_pruned, with_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bpe_transformer.tokenizer import Tokenizer

Role = Literal["used", "scaffold", "idle", "kept"]
"""Of a token in a corpus. "used": the corpus holds it. "scaffold": it does not, but used tokens are made of it. "idle":
neither; pruning drops it. "kept": unused, and pruning keeps it all the same: base alphabet, special and added tokens."""

Sort = Literal["id", "rank", "bytes", "chars", "text", "script", "used", "swallowed", "merge_count", "uses"]
Group = Literal["used", "scaffold", "idle", "unused", "unreachable", "special", "partial"]


@dataclass(frozen=True, slots=True)
class Entry(View):
    """One token of a vocabulary."""

    id: int
    token: bytes
    kind: Kind
    script: str  # see `scripts.scripts_of`; "special" for special and added tokens
    rank: int | None
    merge_count: int | None  # how often its pair stood in the learning corpus when it was merged, if a trace tells
    uses: int  # merges that take it further
    obstacle: Obstacle | None  # what keeps it from ever being encoded to; None: reachable
    used: int | None  # times in the corpus, if there is one
    swallowed: (
        float | None
    )  # share of its occurrences there, also inside longer tokens, that longer ones took; None: none
    role: Role | None

    def as_dict(self) -> dict[str, Any]:
        facts = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**facts, "token": token_dict(self.token)}


@dataclass(frozen=True, slots=True)
class Pruning(View):
    """What a corpus leaves unused, and what `Tokenizer.prune` would save: the text costs as many tokens after it."""

    num_used: int  # tokens that the corpus holds
    num_scaffold: int
    num_idle: int  # that pruning drops
    num_kept: int
    vocab_size: int  # ids now, those without a token included
    vocab_size_after: int

    @property
    def share_saved(self) -> float:
        """Of the rows of an embedding matrix, 0 to 1."""
        return 1 - self.vocab_size_after / self.vocab_size if self.vocab_size else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {**{field.name: getattr(self, field.name) for field in fields(self)}, "share_saved": self.share_saved}


@dataclass(frozen=True)
class VocabView(View):
    """The tokens that were asked for, and the vocabulary as a whole."""

    digest: str  # of the tokenizer
    num_tokens: int  # ids that have a token
    by_kind: dict[str, int]
    by_script: dict[str, int]  # most tokens first
    unreachable: dict[str, int]  # obstacle to number of tokens
    corpus: tuple[str, ...]  # names of the texts that use is counted on
    pruning: Pruning | None  # None without a corpus
    entries: tuple[Entry, ...]
    num_found: int  # tokens that fit what was asked for, before the limit
    filtered: bool  # whether something was asked for
    near: tuple[bytes, ...] = ()  # where no token has the text that was asked for: tokens that come close

    def as_dict(self) -> dict[str, Any]:
        plain = ("digest", "num_tokens", "by_kind", "by_script", "unreachable", "num_found")
        return {
            **{name: getattr(self, name) for name in plain},
            "corpus": list(self.corpus),
            "pruning": self.pruning.as_dict() if self.pruning else None,
            "entries": [entry.as_dict() for entry in self.entries],
            "near": [token_dict(token) for token in self.near],
        }


class Vocabulary:
    """The tokens of one tokenizer with all that is known of them; `corpus` adds how it uses them.

    Texts are plain text: special tokens mean nothing in them. Raises what `measure` raises for a text that cannot be read
    or encoded.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        corpus: Sequence[Text] = (),
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.roles = Roles(tokenizer)
        self.corpus = tuple(text.name for text in corpus)
        self.used: NDArray[np.int64] | None = None
        done = 0
        for text in corpus:
            before = done

            def report(now: int, before: int = before) -> None:
                if progress is not None:
                    progress(before + now)

            measured = measure(tokenizer, text, progress=report)
            done += measured.num_bytes
            self.used = measured.used if self.used is None else self.used + measured.used

    # --- facts of all tokens, by id --------------------------------------------------------------------------------------

    @cached_property
    def texts(self) -> list[str]:
        """What each token stands for; bytes that are no whole character as U+FFFD."""
        return [surface.decode("utf-8", "replace") for surface in self.tokenizer.model.decoded_bytes]

    @cached_property
    def scripts(self) -> list[str]:
        scripts = scripts_of(self.tokenizer.model.decoded_bytes)
        for id in (*self.tokenizer.model.special_tokens.values(), *self.tokenizer.model.added_tokens.values()):
            scripts[id] = "special"
        return scripts

    @cached_property
    def unreachable(self) -> dict[int, Obstacle]:
        return unreachable(self.tokenizer)

    @cached_property
    def uses(self) -> NDArray[np.int64]:
        """How many merges take each token further."""
        model = self.tokenizer.model
        pairs = np.concatenate([model.left, model.right[model.right != model.left]])
        counts: NDArray[np.int64] = np.bincount(pairs, minlength=self.tokenizer.vocab_size)
        return counts

    @cached_property
    def totals(self) -> NDArray[np.int64] | None:
        """How often the corpus holds each token on its own or inside a longer one that was merged from it."""
        if self.used is None:
            return None
        model = self.tokenizer.model
        totals: list[int] = self.used.tolist()
        ranks = self.roles.ranks
        makers = np.flatnonzero(ranks[model.merged_ids] == np.arange(len(model.merged_ids)))[
            ::-1
        ]  # of several the first
        merged = (model.left[makers].tolist(), model.right[makers].tolist(), model.merged_ids[makers].tolist())
        for left, right, made in zip(*merged, strict=True):
            if count := totals[made]:
                totals[left] += count
                totals[right] += count
        return np.array(totals, np.int64)

    @cached_property
    def _needed(self) -> NDArray[np.bool_]:
        assert self.used is not None
        return with_parts(self.tokenizer.model, self.used > 0)

    @cached_property
    def _kept(self) -> frozenset[int]:
        return frozenset(never_pruned(self.tokenizer.model))

    def role(self, id: int) -> Role | None:
        if self.used is None or not self.tokenizer.model.tokens[id]:
            return None
        if self.used[id]:
            return "used"
        if id in self._kept:
            return "kept"
        return "scaffold" if self._needed[id] else "idle"

    def swallowed(self, id: int) -> float | None:
        """The share of a token's occurrences that longer tokens took, 0 to 1; None where it does not occur at all.

        Intersection over self, summed over all merges that take the token further and counted when all merges are done:
        tokens close to 1 are only steps on the way. Source: Chizhov, Arnett, Korotkova, Yamshchikov (2024), "BPE Gets
        Picky", https://aclanthology.org/2024.emnlp-main.925, whose IoS(x1 | x1, x2) = f(x1, x2) / f(x1) looks at one merge
        while learning.
        """
        if self.used is None or self.totals is None or not self.totals[id]:
            return None
        return 1 - int(self.used[id]) / int(self.totals[id])

    def _total(self, id: int) -> int:
        return 0 if self.totals is None else int(self.totals[id])

    def entry(self, id: int) -> Entry:
        return Entry(
            id=id,
            token=self.tokenizer.token_bytes(id),
            kind=self.roles.kind(id),
            script=self.scripts[id],
            rank=self.roles.rank(id),
            merge_count=self.roles.merge_count(id),
            uses=int(self.uses[id]),
            obstacle=self.unreachable.get(id),
            used=None if self.used is None else int(self.used[id]),
            swallowed=self.swallowed(id),
            role=self.role(id),
        )

    def pruning(self) -> Pruning | None:
        """None without a corpus."""
        if self.used is None:
            return None
        roles = Counter(self.role(id) for id in range(self.tokenizer.vocab_size))
        after = roles["used"] + roles["scaffold"] + roles["kept"]
        return Pruning(roles["used"], roles["scaffold"], roles["idle"], roles["kept"], self.tokenizer.vocab_size, after)

    # --- choosing among them ---------------------------------------------------------------------------------------------

    def view(
        self,
        *,
        prefix: str | None = None,
        contains: str | None = None,
        script: str | None = None,
        chars: tuple[int | None, int | None] = (None, None),
        used: tuple[int | None, int | None] = (None, None),
        group: Group | None = None,
        sort: Sort = "rank",
        reverse: bool = False,
        limit: int | None = 20,
    ) -> VocabView:
        """The tokens that fit everything that is asked for.

        `prefix` and `contains` are looked for in what a token stands for in a text, written as it is or as the views write
        it (`·re`, `⟨ea b0⟩`). `chars` and `used` are the least and the most characters and occurrences. `group` is a role,
        "unused" (scaffold and idle), "unreachable", "special" or "partial" (bytes that are no whole characters). Numbers
        sort largest first.

        Raises:
            CorpusError: use is asked for and there is no corpus.
            ConfigError: there is no such script, or no such sort or group.
        """
        asked = (prefix, contains, script, group, *chars, *used)
        if self.used is None and (any(bound is not None for bound in used) or group in _OF_USE or sort in _BY_USE):
            raise CorpusError(
                "which tokens are used shows on a text alone; name one with --used-in FILE (corpus=[Text.file(path)])"
            )
        for name, value, known in (("sort", sort, get_args(Sort)), ("group", group, (None, *get_args(Group)))):
            if value not in known:
                raise ConfigError(f"{name}={value!r} is unknown; choose one of {', '.join(filter(None, known))}")
        chosen = [id for id, token in enumerate(self.tokenizer.model.tokens) if token]
        if script is not None:
            wanted = self._script(script)
            chosen = [id for id in chosen if self.scripts[id] == wanted]
        surfaces = self.tokenizer.model.decoded_bytes
        if prefix is not None:
            begins = _readings(prefix)
            chosen = [id for id in chosen if surfaces[id].startswith(begins)]
        if contains is not None:
            held = _readings(contains)
            chosen = [id for id in chosen if any(reading in surfaces[id] for reading in held)]
        if chars != (None, None):
            chosen = [id for id in chosen if _within(len(self.texts[id]), chars)]
        if used != (None, None):
            assert self.used is not None
            chosen = [id for id in chosen if _within(int(self.used[id]), used)]
        if group is not None:
            chosen = [id for id in chosen if self._is_of(id, group)]
        chosen.sort(key=self._key(sort), reverse=reverse)
        return VocabView(
            digest=self.tokenizer.digest,
            num_tokens=sum(map(bool, self.tokenizer.model.tokens)),
            by_kind=self._by_kind(),
            by_script=dict(Counter(script for script in self.scripts if script != EMPTY).most_common()),
            unreachable=dict(Counter(self.unreachable.values()).most_common()),
            corpus=self.corpus,
            pruning=self.pruning(),
            entries=tuple(map(self.entry, chosen[:limit])),
            num_found=len(chosen),
            filtered=any(value is not None for value in asked),
            near=() if chosen else tuple(self._near(prefix or contains or "")),
        )

    def _near(self, written: str) -> list[bytes]:
        from bpe_transformer.inspection.derivation.lookup import near_tokens

        return near_tokens(self.tokenizer, written) if written else []

    def _by_kind(self) -> dict[str, int]:
        model = self.tokenizer.model
        kinds = Counter(self.roles.kind(id) for id, token in enumerate(model.tokens) if token)
        return dict(kinds.most_common())

    def _script(self, written: str) -> str:
        names = sorted(set(self.scripts) - {EMPTY})
        for name in names:
            if name.casefold().replace("_", " ") == written.casefold().replace("_", " "):
                return name
        raise ConfigError(f"no token is of script {written!r}; this vocabulary has {', '.join(names)}")

    def _is_of(self, id: int, group: Group) -> bool:
        if group == "unreachable":
            return id in self.unreachable
        if group == "special":
            return self.scripts[id] == "special"
        if group == "partial":
            return bool(self.roles.partial[id])
        role = self.role(id)
        return role in ("scaffold", "idle") if group == "unused" else role == group

    def _key(self, sort: Sort) -> Callable[[int], tuple[Any, int]]:
        surfaces = self.tokenizer.model.decoded_bytes
        unknown = -1.0
        keys: dict[Sort, Callable[[int], Any]] = {
            "id": lambda id: id,
            "rank": lambda id: (self.roles.ranks[id] == NO_RANK, self.roles.ranks[id]),
            "bytes": lambda id: -len(surfaces[id]),
            "chars": lambda id: -len(self.texts[id]),
            "text": lambda id: surfaces[id],
            "script": lambda id: self.scripts[id],
            "used": lambda id: -self.used[id],  # type: ignore[index]  # checked before
            "swallowed": lambda id: (-(unknown if (share := self.swallowed(id)) is None else share), -self._total(id)),
            "merge_count": lambda id: -(unknown if (count := self.roles.merge_count(id)) is None else count),
            "uses": lambda id: -self.uses[id],
        }
        key = keys[sort]
        return lambda id: (key(id), id)


_OF_USE = frozenset({"used", "scaffold", "idle", "unused"})
_BY_USE = frozenset({"used", "swallowed"})


def _readings(written: str) -> tuple[bytes, ...]:
    """What a person may mean by it: the text itself, and the token that is shown so."""
    shown = from_visible(written)
    return tuple(dict.fromkeys([written.encode("utf-8", "surrogateescape"), *([shown] if shown else [])]))


def _within(value: int, bounds: tuple[int | None, int | None]) -> bool:
    least, most = bounds
    return (least is None or value >= least) and (most is None or value <= most)
