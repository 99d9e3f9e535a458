"""Learning a BPE vocabulary from pre-token counts: a pure function of them, whatever the threads, document order or hash seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bpe_transformer.errors import LearningError
from bpe_transformer.tokenizer.counting.counts import PretokenCounts
from bpe_transformer.tokenizer.learning.learning_run import LearningRun, Progress, Watch
from bpe_transformer.tokenizer.learning.options import AlphabetOrder, LearnOptions, inherited
from bpe_transformer.tokenizer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.vocabulary.model import Unit
from bpe_transformer.tokenizer.vocabulary.roles import NO_ROLES, Roles, roles_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bpe_transformer.tokenizer.learning.options import LearnKeywords


def learn_bpe(
    counts: PretokenCounts,
    vocab_size: int,
    *,
    base: Tokenizer | None = None,
    special_tokens: Iterable[str] = LearnOptions.special_tokens,
    roles: Roles | Mapping[str, str] = NO_ROLES,
    unit: Unit | None = LearnOptions.unit,
    end_of_word: str | None = LearnOptions.end_of_word,
    unk_token: str | None = LearnOptions.unk_token,
    alphabet_order: AlphabetOrder | None = LearnOptions.alphabet_order,
    min_frequency: int = LearnOptions.min_frequency,
    max_token_bytes: int | None = LearnOptions.max_token_bytes,
    character_coverage: float = LearnOptions.character_coverage,
    required_characters: str | Iterable[str] = LearnOptions.required_characters,
    byte_fallback: bool = LearnOptions.byte_fallback,
    protected_tokens: bool = LearnOptions.protected_tokens,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Tokenizer:
    """Learns merges until the vocabulary has `vocab_size` ids or no pair occurs `min_frequency` times.

    The best pair has the highest count; ties go to the smallest (left id, right id). Ids: the base alphabet, then the
    special tokens in the order given, then merges by rank. Pattern, normalisation and protected spans are those of the
    counts. `roles` say what special tokens are for (`{"pad": "<pad>", "mask": "[MASK]"}`); those that are not among the
    special tokens follow them. `LearnOptions` describes the other options.

    `base` is a vocabulary to extend: all its ids and merges stay, and its unit, marks and fallback hold. New characters of
    the corpus, protected literals and special tokens follow its ids, then the new merges. Extending with the same counts and
    options gives what learning at once would have given.

    `progress(merges, wanted)` is called on the way, and `watch(model, newest, wanted)` with the trace of the merges since its
    last call; `model` is the one without new merges.

    Raises `CorpusError` for empty counts, `LearningError` for options that do not fit, and on Ctrl-C while merging
    `LearningInterrupted`, a `KeyboardInterrupt` that holds the tokenizer of the merges so far.

    >>> counts = PretokenCounts.from_words({"low": 5, "lower": 2, "newest": 6, "widest": 3})
    >>> tok = learn_bpe(counts, vocab_size=12, unit="char")
    >>> [(tok.token_bytes(s.left), tok.token_bytes(s.right), s.count, s.tied) for s in tok.trace]
    [(b'e', b's', 9, True), (b'es', b't', 9, False)]
    """
    named = roles_of(roles)
    options = LearnOptions(
        special_tokens=_with_roles(special_tokens, named, base),
        unit=unit,
        end_of_word=end_of_word,
        unk_token=unk_token,
        alphabet_order=alphabet_order,
        min_frequency=min_frequency,
        max_token_bytes=max_token_bytes,
        character_coverage=character_coverage,
        required_characters=required_characters,
        byte_fallback=byte_fallback,
        protected_tokens=protected_tokens,
    )
    run = LearningRun(counts, options, base)
    run.check_size(vocab_size)
    tokenizer = run.learn(vocab_size - len(run.model.tokens), progress, watch)
    return _named(tokenizer, named if base is None else named.over(base.model.roles))


def check_options(
    base: Tokenizer | None = None,
    *,
    roles: Roles | Mapping[str, str] = NO_ROLES,
    **options: Unpack[LearnKeywords],
) -> None:
    """Raises what `learn_bpe` raises for options that are wrong on any counts, so that counting need not come first."""
    options["special_tokens"] = _with_roles(options.get("special_tokens", ()), roles_of(roles), base)
    checked = LearnOptions(**options) if base is None else inherited(LearnOptions(**options), base.model)
    checked.check(checked.unit or "byte")


def _named(tokenizer: Tokenizer, roles: Roles) -> Tokenizer:
    """The tokenizer with these roles."""
    if roles == tokenizer.model.roles:
        return tokenizer
    return Tokenizer(replace(tokenizer.model, roles=roles), trace=tokenizer.trace)


def _with_roles(special_tokens: Iterable[str], roles: Roles, base: Tokenizer | None) -> Iterable[str]:
    """The special tokens, then those of the roles that neither they nor a base vocabulary have."""
    if isinstance(special_tokens, (str, bytes)):  # refused by the options
        return special_tokens
    named = list(special_tokens)
    held = {} if base is None else base.special_tokens
    return [*named, *dict.fromkeys(token for _, token in roles if token not in named and token not in held)]


def learn_superwords(
    counts: PretokenCounts,
    superword_counts: PretokenCounts,
    vocab_size: int,
    *,
    transition: int,
    roles: Roles | Mapping[str, str] = NO_ROLES,
    progress: Progress | None = None,
    watch: Watch | None = None,
    **options: Unpack[LearnKeywords],
) -> Tokenizer:
    """Learns `transition` merges within the pre-tokens of `counts`, the others within those of `superword_counts`.

    Both count the same texts: `counts` with an ordinary pattern, `superword_counts` with one whose pre-tokens span several
    words, such as "superword", which is the pattern of the tokenizer. Tokens may then span words (SuperBPE: Liu et al., 2025,
    arXiv:2503.13423). `options` are those of `learn_bpe`, `base` excepted. In the trace, counts from rank `transition` on
    are those of `superword_counts`. Raises what `learn_bpe` does.

    >>> texts = ["by the way", "on the way"] * 3
    >>> words, superwords = (PretokenCounts.from_iterator(texts, pattern) for pattern in ("cl100k", "superword"))
    >>> tok = learn_superwords(words, superwords, 280, transition=7)
    >>> [tok.token_bytes(id) for id in tok.encode("by the way")]
    [b'by the way']
    """
    if options.get("end_of_word") is not None:
        raise LearningError(
            f"end_of_word={options['end_of_word']!r} ends every word, so no token spans two; leave it out"
        )
    named = roles_of(roles)
    options["special_tokens"] = _with_roles(options.get("special_tokens", ()), named, None)
    within_words = LearningRun(counts, LearnOptions(**options), None)
    within_words.check_size(vocab_size)
    room = vocab_size - len(within_words.model.tokens)
    if not 0 <= transition <= room:
        raise LearningError(f"transition={transition} merges; vocab_size={vocab_size} has room for 0 to {room}")
    first = within_words.learn(transition, (lambda done, _: progress(done, room)) if progress else None, watch)
    base = Tokenizer(replace(first.model, pretokenizer=superword_counts.pretokenizer))
    across_words = LearningRun(superword_counts, LearnOptions(**options), base)
    across_words.check_size(vocab_size)
    done = len(first.merges)
    second = across_words.learn(
        vocab_size - len(across_words.model.tokens),
        (lambda more, _: progress(done + more, room)) if progress else None,
        watch,
    )
    if first.trace is None or second.trace is None or len(across_words.model.tokens) > len(first.model.tokens):
        return _named(second, named)
    return _named(Tokenizer(second.model, trace=first.trace.joined(second.trace)), named)
