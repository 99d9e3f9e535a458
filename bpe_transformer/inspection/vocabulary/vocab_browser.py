"""`VocabBrowser`: the tokens of a vocabulary filtered and sorted, with their use in a corpus and what pruning would drop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from bpe_transformer.errors import ConfigError, CorpusError
from bpe_transformer.inspection.base.scripts import EMPTY, scripts_of
from bpe_transformer.inspection.base.token_kinds import NO_RANK, TokenKinds
from bpe_transformer.inspection.base.visible import from_visible
from bpe_transformer.inspection.derivation.token_lookup import similar_tokens
from bpe_transformer.inspection.tokens.chunked_text import ChunkedText
from bpe_transformer.inspection.tokens.measurement import measure
from bpe_transformer.inspection.vocabulary.reachability import Obstacle, unreachable
from bpe_transformer.inspection.vocabulary.vocab_entries import CorpusUse, Pruning, VocabEntry, VocabView
from bpe_transformer.tokenizer.resizing.prune import never_pruned, with_constituents

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bpe_transformer.tokenizer import Tokenizer

SortKey = Literal["id", "rank", "bytes", "chars", "text", "script", "used", "swallowed", "merge_count", "uses"]
TokenGroup = Literal["used", "scaffold", "idle", "unused", "unreachable", "special", "partial"]
Bounds = tuple[int | None, int | None]  # the least and the most; None: no bound


class VocabBrowser:
    """The tokens of one tokenizer with facts about each, for filtering and sorting; `corpus` adds how often they occur in it.

    Texts are taken as plain text: special tokens in them are not recognised. Raises what `measure` raises for a text that
    cannot be read or encoded.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        corpus: Sequence[ChunkedText] = (),
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.kinds = TokenKinds(tokenizer)
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
            used = np.pad(measured.used, (0, len(tokenizer.model.undone)))  # which no text is encoded to
            self.used = used if self.used is None else self.used + used

    # --- facts of all tokens, by id --------------------------------------------------------------------------------------

    @cached_property
    def texts(self) -> list[str]:
        """The text of each token, with U+FFFD for bytes that are not a whole character."""
        return [token.decode("utf-8", "replace") for token in self.tokenizer.model.decoded_bytes]

    @cached_property
    def scripts(self) -> list[str]:
        """The script of each token, "special" for special and added tokens."""
        scripts = scripts_of(self.tokenizer.model.decoded_bytes)
        for id in (*self.tokenizer.model.special_tokens.values(), *self.tokenizer.model.added_tokens.values()):
            scripts[id] = "special"
        return scripts

    @cached_property
    def unreachable(self) -> dict[int, Obstacle]:
        """By id, why a token is unreachable."""
        return unreachable(self.tokenizer)

    @cached_property
    def uses(self) -> NDArray[np.int64]:
        """How many merges build a longer token from each."""
        model = self.tokenizer.model
        pairs = np.concatenate([model.left, model.right[model.right != model.left]])
        counts: NDArray[np.int64] = np.bincount(pairs, minlength=len(model.tokens))
        return counts

    @cached_property
    def totals(self) -> NDArray[np.int64] | None:
        """How often each token occurs in the corpus, by itself or inside a longer token that was merged from it."""
        if self.used is None:
            return None
        model = self.tokenizer.model
        totals: list[int] = self.used.tolist()
        ranks = self.kinds.ranks
        # from the last merge to the first; of several that make the same token only the first
        first_merges = np.flatnonzero(ranks[model.merged_ids] == np.arange(len(model.merged_ids)))[::-1]
        columns = (column[first_merges].tolist() for column in (model.left, model.right, model.merged_ids))
        for left, right, merged in zip(*columns, strict=True):
            if count := totals[merged]:
                totals[left] += count
                totals[right] += count
        return np.array(totals, np.int64)

    @cached_property
    def _needed(self) -> NDArray[np.bool_]:
        assert self.used is not None
        return with_constituents(self.tokenizer.model, self.used > 0)

    @cached_property
    def _kept(self) -> frozenset[int]:
        return frozenset(never_pruned(self.tokenizer.model))

    def corpus_use(self, id: int) -> CorpusUse | None:
        """The use of a token in the corpus; None without a corpus, and for an id without a token."""
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

    def entry(self, id: int) -> VocabEntry:
        """The entry of one token."""
        return VocabEntry(
            id=id,
            token=self.tokenizer.model.tokens[id],
            kind=self.kinds.kind(id),
            script=self.scripts[id],
            rank=self.kinds.rank(id),
            merge_count=self.kinds.merge_count(id),
            uses=int(self.uses[id]),
            obstacle=self.unreachable.get(id),
            used=None if self.used is None else int(self.used[id]),
            swallowed=self.swallowed(id),
            corpus_use=self.corpus_use(id),
        )

    def pruning(self) -> Pruning | None:
        """What pruning would save; None without a corpus, and for a vocabulary that cannot be pruned."""
        if self.used is None or self.tokenizer.model.undone:
            return None
        uses = Counter(self.corpus_use(id) for id in range(self.tokenizer.vocab_size))
        after = uses["used"] + uses["scaffold"] + uses["kept"]
        return Pruning(uses["used"], uses["scaffold"], uses["idle"], uses["kept"], self.tokenizer.vocab_size, after)

    # --- choosing among them ---------------------------------------------------------------------------------------------

    def view(
        self,
        *,
        prefix: str | None = None,
        contains: str | None = None,
        script: str | None = None,
        chars: Bounds = (None, None),
        used: Bounds = (None, None),
        group: TokenGroup | None = None,
        sort: SortKey = "rank",
        reverse: bool = False,
        limit: int | None = 20,
    ) -> VocabView:
        """The tokens that fit all conditions.

        `prefix` and `contains` are looked for in what a token stands for in a text, written as it is or as the views write
        it (`·re`, `⟨ea b0⟩`). `chars` and `used` are the least and the most characters and occurrences. `group` is a use in
        the corpus, "unused" (scaffold and idle), "unreachable", "special" or "partial" (bytes that are not whole characters).
        Numbers sort largest first.

        Raises:
            CorpusError: a condition is about use and there is no corpus.
            ConfigError: there is no such script, or no such sort or group.
        """
        query = (prefix, contains, script, group, *chars, *used)
        self._check(used, group, sort)
        chosen = self._having_text(prefix, contains)
        if script is not None:
            wanted = self._script(script)
            chosen = [id for id in chosen if self.scripts[id] == wanted]
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
            num_tokens=self.tokenizer.model.num_tokens,
            by_kind=self._by_kind(),
            by_script=dict(Counter(script for script in self.scripts if script != EMPTY).most_common()),
            unreachable=dict(Counter(self.unreachable.values()).most_common()),
            corpus=self.corpus,
            pruning=self.pruning(),
            entries=tuple(map(self.entry, chosen[:limit])),
            num_found=len(chosen),
            filtered=any(value is not None for value in query),
            near=() if chosen else tuple(self._similar(prefix or contains or "")),
        )

    def _check(self, used: Bounds, group: TokenGroup | None, sort: SortKey) -> None:
        if self.used is None and (any(bound is not None for bound in used) or group in _OF_USE or sort in _BY_USE):
            raise CorpusError(
                "which tokens are used shows on a text alone; name one with corpus=[ChunkedText.file(path)]"
            )
        for name, value, known in (("sort", sort, get_args(SortKey)), ("group", group, (None, *get_args(TokenGroup)))):
            if value not in known:
                raise ConfigError(f"{name}={value!r} is unknown; choose one of {', '.join(filter(None, known))}")

    def _having_text(self, prefix: str | None, contains: str | None) -> list[int]:
        """The ids whose token begins with `prefix` and holds `contains`, if these are given."""
        chosen = [id for id, token in enumerate(self.tokenizer.model.tokens[: self.tokenizer.vocab_size]) if token]
        decoded = self.tokenizer.model.decoded_bytes
        if prefix is not None:
            prefixes = _readings(prefix)
            chosen = [id for id in chosen if decoded[id].startswith(prefixes)]
        if contains is not None:
            infixes = _readings(contains)
            chosen = [id for id in chosen if any(infix in decoded[id] for infix in infixes)]
        return chosen

    def _similar(self, written: str) -> list[bytes]:
        return similar_tokens(self.tokenizer, written) if written else []

    def _by_kind(self) -> dict[str, int]:
        model = self.tokenizer.model
        kinds = Counter(self.kinds.kind(id) for id, token in enumerate(model.tokens[: model.vocab_size]) if token)
        return dict(kinds.most_common())

    def _script(self, written: str) -> str:
        names = sorted(set(self.scripts) - {EMPTY})
        for name in names:
            if name.casefold().replace("_", " ") == written.casefold().replace("_", " "):
                return name
        raise ConfigError(f"no token is of script {written!r}; this vocabulary has {', '.join(names)}")

    def _is_of(self, id: int, group: TokenGroup) -> bool:
        if group == "unreachable":
            return id in self.unreachable
        if group == "special":
            return self.scripts[id] == "special"
        if group == "partial":
            return bool(self.kinds.partial[id])
        use = self.corpus_use(id)
        return use in ("scaffold", "idle") if group == "unused" else use == group

    def _key(self, sort: SortKey) -> Callable[[int], tuple[Any, int]]:
        decoded = self.tokenizer.model.decoded_bytes
        unknown = -1.0
        keys: dict[SortKey, Callable[[int], Any]] = {
            "id": lambda id: id,
            "rank": lambda id: (self.kinds.ranks[id] == NO_RANK, self.kinds.ranks[id]),
            "bytes": lambda id: -len(decoded[id]),
            "chars": lambda id: -len(self.texts[id]),
            "text": lambda id: decoded[id],
            "script": lambda id: self.scripts[id],
            "used": lambda id: -self.used[id],  # type: ignore[index]  # checked before
            "swallowed": lambda id: (-(unknown if (share := self.swallowed(id)) is None else share), -self._total(id)),
            "merge_count": lambda id: -(unknown if (count := self.kinds.merge_count(id)) is None else count),
            "uses": lambda id: -self.uses[id],
        }
        key = keys[sort]
        return lambda id: (key(id), id)


_OF_USE = frozenset({"used", "scaffold", "idle", "unused"})
_BY_USE = frozenset({"used", "swallowed"})


def _readings(written: str) -> tuple[bytes, ...]:
    """The bytes that a user may mean by `written`: the text itself, and the token that the views show like this."""
    shown = from_visible(written)
    return tuple(dict.fromkeys([written.encode("utf-8", "surrogateescape"), *([shown] if shown else [])]))


def _within(value: int, bounds: Bounds) -> bool:
    least, most = bounds
    return (least is None or value >= least) and (most is None or value <= most)
