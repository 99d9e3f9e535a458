"""One run of the learner: the words and base tokens it starts from, and the merges that the native core finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError, LearningError
from bpe_transformer.io.utf8 import encode_utf8
from bpe_transformer.tokenizer.counting.counts import PretokenCounts
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.learning.alphabet import CharacterAlphabet, byte_tokens, character_alphabet
from bpe_transformer.tokenizer.learning.options import LearnOptions, inherited
from bpe_transformer.tokenizer.splitting.byte_level import is_name, tokens_of
from bpe_transformer.tokenizer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, Unit
from bpe_transformer.tokenizer.vocabulary.trace import COLUMNS, MergeTrace

_STEP = 64  # merges between two reports of progress, fewer where they take long
_MAX_ID = 0xFFFFFFF0
_ANY_SIZE = 2**63 - 1
Progress = Callable[[int, int], None]
Watch = Callable[[BpeModel, MergeTrace, int], None]


class LearningInterrupted(KeyboardInterrupt):
    """Ctrl-C while merging. `tokenizer` has the merges so far."""

    def __init__(self, message: str, tokenizer: Tokenizer) -> None:
        super().__init__(message)
        self.tokenizer = tokenizer


class LearningRun:
    """Learns merges from counts; `model` has all tokens but those of the merges to come."""

    def __init__(self, counts: PretokenCounts, options: LearnOptions, base: Tokenizer | None) -> None:
        if len(counts) == 0:
            raise CorpusError("the corpus is empty: there is no pre-token to learn from; check the files and columns")
        self.options = options = options if base is None else inherited(options, base.model)
        self.base = base
        unit: Unit = options.unit or "byte"
        options.check(unit)
        self.saturated = counts.saturated
        self.words = counts._native if options.end_of_word is None else counts._native.trimmed()
        if len(self.words) == 0:
            raise CorpusError(
                "the corpus holds white space only: there is no word to learn from; check the files and columns"
            )
        self.alphabet = CharacterAlphabet([], 0, 0)
        if base is None:
            self.model = self._fresh(counts, unit)
        else:
            self.model = self._extended(counts, base.model)
        if self.alphabet.characters_dropped and options.unk_token is None and not options.byte_fallback:
            raise LearningError(
                f"character_coverage={options.character_coverage} leaves {self.alphabet.characters_dropped} "
                'characters without a token, and nothing replaces them; give unk_token="<unk>" or byte_fallback=True'
            )

    def _base_tokens(self, unit: Unit, base: BpeModel | None) -> list[bytes]:
        options = self.options
        if unit == "byte":
            return byte_tokens(options.alphabet_order or "byte") if base is None else []
        self.alphabet = character_alphabet(
            self.words,
            end_of_word=options.end_of_word,
            coverage=options.character_coverage,
            required=options.required_characters,
            byte_fallback=options.byte_fallback,
            base=base,
        )
        return self.alphabet.tokens

    def _literals(self, counts: PretokenCounts) -> list[str]:
        """Protected literals that get a separate id."""
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
        for token in specials:
            if encode_utf8(token) in tokens:
                raise LearningError(
                    f"the token {token!r} is a base token of this vocabulary as well; choose another text for it, "
                    f"such as '<{token}>'"
                )
        no_merges = np.empty(0, np.uint32)
        first_added, first_special = len(tokens), len(tokens) + len(added)
        return BpeModel(
            unit=unit,
            pretokenizer=counts.pretokenizer,
            tokens=(*tokens, *map(encode_utf8, added), *map(encode_utf8, specials)),
            left=no_merges,
            right=no_merges,
            merged_ids=no_merges,
            special_tokens={token: first_special + i for i, token in enumerate(specials)},
            added_tokens={token: first_added + i for i, token in enumerate(added)},
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
        first_added = len(base.tokens) + len(tokens)
        first_special = first_added + len(added)
        return replace(
            base,
            tokens=(*base.tokens, *tokens, *map(encode_utf8, added), *map(encode_utf8, specials)),
            special_tokens={**base.special_tokens, **{token: first_special + i for i, token in enumerate(specials)}},
            added_tokens={**base.added_tokens, **{token: first_added + i for i, token in enumerate(added)}},
            unk_token=self.options.unk_token,
        )

    def check_size(self, vocab_size: int) -> None:
        """Raises `LearningError` for a size that has no room for the base tokens, or does not fit 32-bit ids."""
        model, smallest = self.model, len(self.model.tokens)
        if vocab_size < smallest:
            named = len(model.special_tokens) + len(model.added_tokens)
            plural = "" if named == 1 else "s"
            kind = "special" if not model.added_tokens else "special and protected"
            if self.base is None:
                base_tokens = f"{smallest - named} {'bytes' if model.unit == 'byte' else 'characters'}"
                what = f"the base alphabet ({base_tokens} + {named} {kind} token{plural})"
            else:
                new = smallest - self.base.vocab_size
                what = f"the base vocabulary ({self.base.vocab_size} ids + {new} new characters and special tokens)"
            raise LearningError(f"vocab_size={vocab_size} is smaller than {what}; ask for at least {smallest}")
        if vocab_size >= _MAX_ID:
            raise LearningError(f"vocab_size={vocab_size} does not fit 32-bit ids; ask for less than 2^32 - 16")

    def learn(self, max_merges: int, progress: Progress | None, watch: Watch | None = None) -> Tokenizer:
        """The tokenizer with up to `max_merges` merges. Raises `LearningInterrupted` on Ctrl-C."""
        native = self._learner(max_merges)
        tokens_at_start = native.tokens
        chunks: list[tuple[Any, ...]] = [native.run(0)]  # columns of the trace
        done = 0

        def result(interrupted: bool = False) -> Tokenizer:
            trace = replace(self._trace(chunks, tokens_at_start), interrupted=interrupted)
            return Tokenizer(_merged(self.model, trace), trace=trace)

        try:
            while done < max_merges:
                chunk = native.run(min(_STEP, max_merges - done))
                if not len(chunk[0]):  # no pair is left
                    break
                chunks.append(chunk)
                if watch:
                    watch(self.model, self._trace([chunk], tokens_at_start, done), max_merges)
                done += len(chunk[0])
                if progress:
                    progress(done, max_merges)
        except KeyboardInterrupt:
            raise LearningInterrupted(
                f"learning stopped after {sum(len(chunk[0]) for chunk in chunks):,} of {max_merges:,} merges",
                result(interrupted=True),
            ) from None
        return result()

    def _trace(self, chunks: list[tuple[Any, ...]], tokens_at_start: int, merges_before: int = 0) -> MergeTrace:
        """The trace of merges that the native learner returned in chunks."""
        columns: dict[str, Any] = {
            name: np.concatenate(column) for name, column in zip(COLUMNS, zip(*chunks, strict=True), strict=True)
        }
        return MergeTrace(
            first_merge_id=len(self.model.tokens) + merges_before,
            tokens_at_start=tokens_at_start,
            first_rank=len(self.model.left) + merges_before,
            characters_left_out=self.alphabet.characters_dropped,
            occurrences_left_out=self.alphabet.occurrences_dropped,
            saturated=self.saturated,
            **columns,
        )

    def _learner(self, max_merges: int, record: bool = True) -> _core.Learner:
        model, options = self.model, self.options
        named = {**model.special_tokens, **model.added_tokens}
        forbidden = [encode_utf8(token) for token in named]  # bytes that no merge may produce
        if model.unit == "byte":  # nor may two tokens have one name in tokenizer.json
            forbidden += tokens_of([token for token in named if is_name(token)])
        if self.base is not None:
            forbidden += [token for token in model.tokens if len(token) > 1]
        elif model.byte_fallback:
            forbidden += [model.tokens[id] for id in model.fallback_ids]
        encoder = None
        if len(model.left) or model.whole_tokens():
            encoder = Codec(model).encoder
        longest = options.max_token_bytes or _ANY_SIZE
        unmergeable = [*named.values(), *model.fallback_ids]
        try:
            return _core.Learner(
                self.words,
                model.alphabet(),
                encoder,
                list(model.tokens),
                max_merges,
                options.min_frequency,
                longest,
                forbidden,
                unmergeable,
                record,
            )
        except _core.UnknownCharacter as cause:
            _raise_unknown_character(cause)
        except OverflowError as cause:
            raise LearningError(f"{cause}; learn from a sample or from weighted counts") from cause
        except ValueError as cause:  # std::length_error
            raise LearningError(
                f"the corpus is too large to learn from at once: {cause}; learn from a sample"
            ) from cause


def _raise_unknown_character(cause: Exception) -> NoReturn:
    raise LearningError(
        f"the base vocabulary has no token for {chr(cause.args[0])!r} (U+{cause.args[0]:04X}); "
        'leave character_coverage at 1, or learn the base with unk_token="<unk>"'
    ) from cause


def _merged(model: BpeModel, trace: MergeTrace) -> BpeModel:
    """The model with the merges of `trace` after the merges it has."""
    tokens = list(model.tokens)
    for left, right in zip(trace.left.tolist(), trace.right.tolist(), strict=True):
        tokens.append(tokens[left] + tokens[right])
    merged_ids = np.arange(len(model.tokens), len(tokens), dtype=np.uint32)
    return replace(
        model,
        tokens=tuple(tokens),
        left=np.concatenate([model.left, trace.left]),
        right=np.concatenate([model.right, trace.right]),
        merged_ids=np.concatenate([model.merged_ids, merged_ids]),
    )
