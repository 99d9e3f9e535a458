"""Learns a BPE vocabulary from pre-token counts. A pure function of them: threads, document order and hashes do not show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError, LearningError
from bpe_transformer.io.utf8 import encode_utf8
from bpe_transformer.tokenizer.counting.counts import PretokenCounts
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.learning.alphabet import Characters, byte_tokens, character_tokens
from bpe_transformer.tokenizer.learning.options import LearnOptions, inherited
from bpe_transformer.tokenizer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, Unit
from bpe_transformer.tokenizer.vocabulary.trace import COLUMNS, MergeTrace

_STEP = 64  # merges between two reports of progress, and the wait after Ctrl-C
_MAX_ID = 0xFFFFFFF0
_ANY_SIZE = 2**63 - 1
Watch = Callable[[BpeModel, MergeTrace, int], None]


class LearningInterrupted(KeyboardInterrupt):
    """Ctrl-C while merging. `tokenizer` has the merges so far."""

    def __init__(self, message: str, tokenizer: Tokenizer) -> None:
        super().__init__(message)
        self.tokenizer = tokenizer


def learn_bpe(
    counts: PretokenCounts,
    vocab_size: int,
    *,
    base: Tokenizer | None = None,
    special_tokens: Iterable[str] = (),
    unit: Unit | None = None,
    end_of_word: str | None = None,
    unk_token: str | None = None,
    alphabet_order: str | None = None,
    min_frequency: int = 1,
    max_token_bytes: int | None = None,
    character_coverage: float = 1.0,
    required_characters: Iterable[str] = (),
    byte_fallback: bool = False,
    protected_tokens: bool = False,
    progress: Callable[[int, int], None] | None = None,
    watch: Watch | None = None,
) -> Tokenizer:
    """Learns merges until the vocabulary has `vocab_size` ids or no pair occurs `min_frequency` times.

    The best pair has the highest count; ties go to the smallest (left id, right id). Ids: the base alphabet, then the
    special tokens in the order given (`unk_token` last if it is not among them), then merges by rank. No merge makes the
    bytes of a special token, or a token of more than `max_token_bytes` bytes (an end-of-word mark counts). Pattern,
    normalisation and protected spans are those of the counts.

    `unit="byte"` (the default): 256 base tokens, in plain order or, with `alphabet_order="gpt2"`, in GPT-2's.

    `unit="char"`: the corpus's characters in code-point order. `character_coverage` keeps only the most frequent, which
    cover that share of all occurrences; `required_characters` are kept always, also unseen. Other characters become
    `unk_token` or, with `byte_fallback`, their bytes, 256 tokens before the characters; with neither, encoding one of them
    is an error. No merge takes `unk_token` or such a byte. The trace says what was left out. `end_of_word`, such as
    "</w>", makes the last character of a word a token of its own, as subword-nmt does; white space around pre-tokens is
    then dropped and decoded as one space.

    `protected_tokens` gives each protected literal of the counts (see `Pretokenizer`) one id, after the base alphabet.

    `base` goes on from a vocabulary: all its ids and merges stay, and its unit, marks and fallback hold. New characters of
    the corpus (as `character_coverage` has it), protected literals and special tokens follow its ids, then the new merges.
    Going on with the same counts and options gives what learning at once would have given.

    `progress(merges, wanted)` is called on the way, and `watch(model, newest, wanted)` with the merges made since its last
    call: `model` is what the run began with, so that `newest.first_merge_id` follows its tokens or an earlier call's.

    Raises `CorpusError` for empty counts, `LearningError` for options that do not fit, and on Ctrl-C while merging
    `LearningInterrupted`, a `KeyboardInterrupt` that holds the tokenizer of the merges so far.

    >>> counts = PretokenCounts.from_words({"low": 5, "lower": 2, "newest": 6, "widest": 3})
    >>> tok = learn_bpe(counts, vocab_size=12, unit="char")
    >>> [(tok.token_bytes(s.left), tok.token_bytes(s.right), s.count, s.tied) for s in tok.trace]
    [(b'e', b's', 9, True), (b'es', b't', 9, False)]
    """
    options = LearnOptions(
        special_tokens=special_tokens,
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
    start = _Start(counts, options, base)
    start.check_size(vocab_size)
    return start.learn(vocab_size - len(start.model.tokens), progress, watch)


def learn_superwords(
    counts: PretokenCounts,
    wide_counts: PretokenCounts,
    vocab_size: int,
    *,
    transition: int,
    progress: Callable[[int, int], None] | None = None,
    watch: Watch | None = None,
    **options: Any,
) -> Tokenizer:
    """Learns `transition` merges within the pre-tokens of `counts`, the others within the wider ones of `wide_counts`.

    Both count the same texts: `counts` with an ordinary pattern, `wide_counts` with one whose pre-tokens go across spaces,
    such as "superword", which is the pattern of the tokenizer. Tokens may then span words (SuperBPE: Liu et al., 2025,
    arXiv:2503.13423). `options` are those of `learn_bpe`, `base` excepted. In the trace, counts from rank `transition` on
    are those of `wide_counts`. Raises what `learn_bpe` does.

    >>> texts = ["by the way", "on the way"] * 3
    >>> narrow, wide = (PretokenCounts.from_iterator(texts, pattern) for pattern in ("cl100k", "superword"))
    >>> tok = learn_superwords(narrow, wide, 280, transition=7)
    >>> [tok.token_bytes(id) for id in tok.encode("by the way")]
    [b'by the way']
    """
    if options.get("end_of_word") is not None:
        raise LearningError(
            f"end_of_word={options['end_of_word']!r} ends every word, so no token spans two; leave it out"
        )
    first = _Start(counts, LearnOptions(**options), None)
    first.check_size(vocab_size)
    room = vocab_size - len(first.model.tokens)
    if not 0 <= transition <= room:
        raise LearningError(f"transition={transition} merges; vocab_size={vocab_size} has room for 0 to {room}")
    narrow = first.learn(transition, (lambda done, _: progress(done, room)) if progress else None, watch)
    base = Tokenizer(replace(narrow.model, pretokenizer=wide_counts.pretokenizer))
    second = _Start(wide_counts, LearnOptions(**options), base)
    second.check_size(vocab_size)
    done = len(narrow.merges)
    wide = second.learn(
        vocab_size - len(second.model.tokens),
        (lambda more, _: progress(done + more, room)) if progress else None,
        watch,
    )
    if narrow.trace is None or wide.trace is None or len(second.model.tokens) > len(narrow.model.tokens):
        return wide
    return Tokenizer(wide.model, trace=narrow.trace.joined(wide.trace))


class _Start:
    """What a run begins with: words, and a model with all tokens but those of the merges to come."""

    def __init__(self, counts: PretokenCounts, options: LearnOptions, base: Tokenizer | None) -> None:
        if len(counts) == 0:
            raise CorpusError("the corpus is empty: there is no pre-token to learn from; check the files and columns")
        self.options = options = options if base is None else inherited(options, base.model)
        self.base = base
        unit: Unit = options.unit or "byte"
        options.check(unit)
        self.saturated = counts.saturated
        self.words = counts._native if options.end_of_word is None else counts._native.words()
        if len(self.words) == 0:
            raise CorpusError(
                "the corpus holds white space only: there is no word to learn from; check the files and columns"
            )
        self.left_out = Characters([], 0, 0)
        if base is None:
            self.model = self._fresh(counts, unit)
        else:
            self.model = self._extended(counts, base.model)
        if self.left_out.left_out and options.unk_token is None and not options.byte_fallback:
            raise LearningError(
                f"character_coverage={options.character_coverage} leaves out {self.left_out.left_out} characters, and nothing "
                'stands for them; give unk_token="<unk>" or byte_fallback=True'
            )

    def _base_tokens(self, unit: Unit, base: BpeModel | None) -> list[bytes]:
        options = self.options
        if unit == "byte":
            return byte_tokens(options.alphabet_order or "byte") if base is None else []
        self.left_out = character_tokens(
            self.words,
            end_of_word=options.end_of_word,
            coverage=options.character_coverage,
            required=options.required_characters,
            byte_fallback=options.byte_fallback,
            base=base,
        )
        return self.left_out.tokens

    def _literals(self, counts: PretokenCounts) -> list[str]:
        """Protected literals that get an id of their own."""
        if not self.options.protected_tokens:
            return []
        if not (literals := counts.pretokenizer.literals):
            raise LearningError(
                "protected_tokens=True, but no protected expression of the counts is a literal; "
                "count with protected literals, or leave it out"
            )
        specials = self.options.specials()
        return [literal for literal in literals if literal not in specials]

    def _fresh(self, counts: PretokenCounts, unit: Unit) -> BpeModel:
        options = self.options
        tokens = self._base_tokens(unit, None)
        added, specials = self._literals(counts), options.specials()
        none = np.empty(0, np.uint32)
        first, second = len(tokens), len(tokens) + len(added)
        return BpeModel(
            unit=unit,
            pretokenizer=counts.pretokenizer,
            tokens=(*tokens, *map(encode_utf8, added), *map(encode_utf8, specials)),
            left=none,
            right=none,
            merged_ids=none,
            special_tokens={token: second + i for i, token in enumerate(specials)},
            added_tokens={token: first + i for i, token in enumerate(added)},
            unk_token=options.unk_token,
            end_of_word=options.end_of_word,
            byte_fallback=options.byte_fallback,
        )

    def _extended(self, counts: PretokenCounts, base: BpeModel) -> BpeModel:
        if counts.pretokenizer != base.pretokenizer:
            raise LearningError(
                f"the counts were split with {str(counts.pretokenizer)!r}, the base vocabulary splits with "
                f"{str(base.pretokenizer)!r}; count with the base's pretokenizer"
            )
        known = {*base.special_tokens, *base.added_tokens}
        tokens = self._base_tokens(base.unit, base)
        added = [token for token in self._literals(counts) if token not in known]
        specials = [token for token in self.options.specials() if token not in known]
        id_of = {token: id for id, token in enumerate(base.tokens)}
        for token in (*added, *specials):
            if (id := id_of.get(encode_utf8(token))) is not None:
                raise LearningError(
                    f"token {token!r} is an ordinary token of the base vocabulary (id {id}); choose another text for it"
                )
        first = len(base.tokens) + len(tokens)
        second = first + len(added)
        return replace(
            base,
            tokens=(*base.tokens, *tokens, *map(encode_utf8, added), *map(encode_utf8, specials)),
            special_tokens={**base.special_tokens, **{token: second + i for i, token in enumerate(specials)}},
            added_tokens={**base.added_tokens, **{token: first + i for i, token in enumerate(added)}},
            unk_token=self.options.unk_token,
        )

    def check_size(self, vocab_size: int) -> None:
        """Refuses a size that has no room for the tokens there are, or does not fit ids."""
        model, smallest = self.model, len(self.model.tokens)
        if vocab_size < smallest:
            named = len(model.special_tokens) + len(model.added_tokens)
            plural = "" if named == 1 else "s"
            kind = "special" if not model.added_tokens else "special and protected"
            if self.base is None:
                parts = f"{smallest - named} {'bytes' if model.unit == 'byte' else 'characters'}"
                what = f"the base alphabet ({parts} + {named} {kind} token{plural})"
            else:
                new = smallest - self.base.vocab_size
                what = f"the base vocabulary ({self.base.vocab_size} ids + {new} new characters and special tokens)"
            raise LearningError(f"vocab_size={vocab_size} is smaller than {what}; ask for at least {smallest}")
        if vocab_size >= _MAX_ID:
            raise LearningError(f"vocab_size={vocab_size} does not fit 32-bit ids; ask for less than 2^32 - 16")

    def learn(
        self, max_merges: int, progress: Callable[[int, int], None] | None, watch: Watch | None = None
    ) -> Tokenizer:
        native = self._learner(max_merges)
        tokens_at_start = native.tokens
        parts: list[tuple[Any, ...]] = [native.run(0)]
        done = 0

        def traced(parts: list[tuple[Any, ...]], before: int = 0) -> MergeTrace:
            columns: dict[str, Any] = {
                name: np.concatenate(column) for name, column in zip(COLUMNS, zip(*parts, strict=True), strict=True)
            }
            return MergeTrace(
                first_merge_id=len(self.model.tokens) + before,
                tokens_at_start=tokens_at_start,
                first_rank=len(self.model.left) + before,
                characters_left_out=self.left_out.left_out,
                occurrences_left_out=self.left_out.occurrences_left_out,
                saturated=self.saturated,
                **columns,
            )

        def result(interrupted: bool = False) -> Tokenizer:
            trace = replace(traced(parts), interrupted=interrupted)
            return Tokenizer(_merged(self.model, trace), trace=trace)

        try:
            while done < max_merges:
                part = native.run(min(_STEP, max_merges - done))
                parts.append(part)
                if watch:
                    watch(self.model, traced([part], done), max_merges)
                done += len(part[0])
                if progress:
                    progress(done, max_merges)
                if len(part[0]) < _STEP:
                    break
        except KeyboardInterrupt:
            raise LearningInterrupted(
                f"learning stopped after {sum(len(part[0]) for part in parts):,} of {max_merges:,} merges",
                result(interrupted=True),
            ) from None
        return result()

    def _learner(self, max_merges: int, record: bool = True) -> _core.Learner:
        model, options = self.model, self.options
        named = {**model.special_tokens, **model.added_tokens}
        never = [encode_utf8(token) for token in named]
        if self.base is not None:
            never += [token for token in model.tokens if len(token) > 1]
        elif model.byte_fallback:
            never += [model.tokens[id] for id in model.fallback_ids]
        encoder = None
        if len(model.left) or model.whole_tokens():
            encoder = Codec(model).encoder
        longest = options.max_token_bytes or _ANY_SIZE
        apart = [*named.values(), *model.fallback_ids]
        try:
            return _core.Learner(
                self.words,
                model.alphabet(),
                encoder,
                list(model.tokens),
                max_merges,
                options.min_frequency,
                longest,
                never,
                apart,
                record,
            )
        except _core.UnknownCharacter as cause:
            _unknown(cause)
        except OverflowError as cause:
            raise LearningError(f"{cause}; learn from a sample or from weighted counts") from cause
        except ValueError as cause:  # std::length_error
            raise LearningError(
                f"the corpus is too large to learn from at once: {cause}; learn from a sample"
            ) from cause


def _unknown(cause: Exception) -> NoReturn:
    raise LearningError(
        f"the base vocabulary has no token for {chr(cause.args[0])!r} (U+{cause.args[0]:04X}); "
        'leave character_coverage at 1, or learn the base with unk_token="<unk>"'
    ) from cause


def _merged(model: BpeModel, trace: MergeTrace) -> BpeModel:
    """`model` with the merges of `trace` after its own."""
    tokens = list(model.tokens)
    for left, right in zip(trace.left.tolist(), trace.right.tolist(), strict=True):
        tokens.append(tokens[left] + tokens[right])
    made = np.arange(len(model.tokens), len(tokens), dtype=np.uint32)
    return replace(
        model,
        tokens=tuple(tokens),
        left=np.concatenate([model.left, trace.left]),
        right=np.concatenate([model.right, trace.right]),
        merged_ids=np.concatenate([model.merged_ids, made]),
    )
