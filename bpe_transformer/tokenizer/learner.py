"""Learns a BPE vocabulary from pre-token counts. A pure function of them: threads, document order and hashes do not show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError, LearningError
from bpe_transformer.tokenizer.counts import PretokenCounts, utf8
from bpe_transformer.tokenizer.model import BpeModel, Unit
from bpe_transformer.tokenizer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.trace import MergeTrace

_STEP = 64  # merges between two reports of progress, and the wait after Ctrl-C


def gpt2_byte_order() -> list[int]:
    """The 256 bytes in GPT-2's order ("bytes_to_unicode" in its encoder.py): those that print in Latin-1, then the others."""
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return printing + [byte for byte in range(256) if byte not in set(printing)]


def learn_bpe(
    counts: PretokenCounts,
    vocab_size: int,
    *,
    special_tokens: Iterable[str] = (),
    unit: Unit = "byte",
    end_of_word: str | None = None,
    unk_token: str | None = None,
    alphabet_order: str = "byte",
    min_frequency: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Tokenizer:
    """Learns merges until the vocabulary has `vocab_size` ids or no pair occurs `min_frequency` times.

    The best pair has the highest count; ties go to the smallest (left id, right id). Ids: the base alphabet, then the
    special tokens in the order given (`unk_token` last if it is not among them), then merges by rank. No merge makes the
    bytes of a special token.

    `unit="byte"`: 256 base tokens, in plain order or, with `alphabet_order="gpt2"`, in GPT-2's. `unit="char"`: the corpus's
    characters in code-point order; `unk_token` stands for all others, and without it encoding one of them is an error.
    `end_of_word`, such as "</w>" (characters only), makes the last character of a word a token of its own, as subword-nmt
    does; white space around pre-tokens is then dropped and decoded as one space. `progress(merges, wanted)` is called
    on the way.

    Raises `CorpusError` for empty counts and `LearningError` for options that do not fit.

    >>> counts = PretokenCounts.from_words({"low": 5, "lower": 2, "newest": 6, "widest": 3})
    >>> tok = learn_bpe(counts, vocab_size=12, unit="char")
    >>> [(tok.token_bytes(s.left), tok.token_bytes(s.right), s.count, s.tied) for s in tok.trace]
    [(b'e', b's', 9, True), (b'es', b't', 9, False)]
    """
    specials = _special_tokens(special_tokens, unk_token)
    _check(unit, alphabet_order, end_of_word, unk_token, min_frequency)
    if len(counts) == 0:
        raise CorpusError("the corpus is empty: there is no pre-token to learn from; check the files and columns")
    words = counts._native if end_of_word is None else counts._native.words()
    if len(words) == 0:
        raise CorpusError(
            "the corpus holds white space only: there is no word to learn from; check the files and columns"
        )
    base = _base_tokens(words, unit, end_of_word, alphabet_order)
    _check_size(vocab_size, base, specials, unit)
    none = np.empty(0, np.uint32)
    unmerged = BpeModel(
        unit=unit,
        pretokenization=counts.pretokenization,
        tokens=(*base, *(utf8(token) for token in specials)),
        left=none,
        right=none,
        made=none,
        special_tokens={token: len(base) + i for i, token in enumerate(specials)},
        unk_token=unk_token,
        end_of_word=end_of_word,
    )
    trace = _run(words, unmerged, vocab_size - len(unmerged.tokens), min_frequency, progress)
    return Tokenizer(_merged(unmerged, trace), trace=trace)


def _merged(model: BpeModel, trace: MergeTrace) -> BpeModel:
    """`model` with the merges of `trace`."""
    tokens = list(model.tokens)
    for left, right in zip(trace.left.tolist(), trace.right.tolist(), strict=True):
        tokens.append(tokens[left] + tokens[right])
    made = np.arange(len(model.tokens), len(tokens), dtype=np.uint32)
    return replace(model, tokens=tuple(tokens), left=trace.left, right=trace.right, made=made)


def _run(
    words: _core.WordCounts,
    model: BpeModel,
    max_merges: int,
    min_frequency: int,
    progress: Callable[[int, int], None] | None,
) -> MergeTrace:
    never = [utf8(token) for token in model.special_tokens]
    try:
        native = _core.Learner(
            words, model.alphabet(), list(model.tokens), len(model.tokens), max_merges, min_frequency, never
        )
    except OverflowError as cause:
        raise LearningError(f"{cause}; learn from a sample or from weighted counts") from cause
    except ValueError as cause:  # std::length_error
        raise LearningError(f"the corpus is too large to learn from at once: {cause}; learn from a sample") from cause
    tokens_at_start = native.tokens
    parts = []
    done = 0
    while done < max_merges:
        part = native.run(min(_STEP, max_merges - done))
        parts.append(part)
        done += len(part[0])
        if progress:
            progress(done, max_merges)
        if len(part[0]) < _STEP:
            break
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] or list(native.run(0))
    return MergeTrace(len(model.tokens), tokens_at_start, *columns)


def _special_tokens(special_tokens: Iterable[str], unk_token: str | None) -> list[str]:
    if isinstance(special_tokens, str):
        raise LearningError(f"special_tokens={special_tokens!r} is one string; give a list of strings")
    specials = list(special_tokens)
    if unk_token is not None and unk_token not in specials:
        specials.append(unk_token)
    for token in specials:
        if not token or specials.count(token) > 1:
            raise LearningError(f"special token {token!r} is {'given twice' if token else 'empty'}; name each once")
    return specials


def _check(unit: str, alphabet_order: str, end_of_word: str | None, unk_token: str | None, min_frequency: int) -> None:
    if unit not in ("byte", "char"):
        raise LearningError(f'unit={unit!r} is unknown; choose "byte" or "char"')
    if alphabet_order not in ("byte", "gpt2"):
        raise LearningError(f'alphabet_order={alphabet_order!r} is unknown; choose "byte" or "gpt2"')
    if min_frequency < 1:
        raise LearningError(f"min_frequency={min_frequency}; ask for at least 1")
    if unit == "byte":
        for name, value in (("end_of_word", end_of_word), ("unk_token", unk_token)):
            if value is not None:
                raise LearningError(f'{name}={value!r} goes with unit="char"; bytes cover every text, leave it out')
    elif alphabet_order != "byte":
        raise LearningError(
            f'alphabet_order={alphabet_order!r} goes with unit="byte"; characters stand in code-point order'
        )
    if end_of_word is not None and (not end_of_word or any(c.isspace() for c in end_of_word)):
        raise LearningError(f'end_of_word={end_of_word!r} must be some text without white space, such as "</w>"')


def _base_tokens(words: _core.WordCounts, unit: str, end_of_word: str | None, alphabet_order: str) -> list[bytes]:
    if unit == "byte":
        return [bytes([byte]) for byte in (gpt2_byte_order() if alphabet_order == "gpt2" else range(256))]
    try:
        inner, last = words.characters(end_of_word is not None)
    except ValueError as cause:
        raise LearningError('a word is not UTF-8, so it has no characters; learn with unit="byte"') from cause
    mark = (end_of_word or "").encode()
    return [chr(c).encode() for c in inner] + [chr(c).encode() + mark for c in last]


def _check_size(vocab_size: int, base: list[bytes], specials: list[str], unit: str) -> None:
    smallest = len(base) + len(specials)
    if vocab_size < smallest:
        kind = "bytes" if unit == "byte" else "characters"
        plural = "" if len(specials) == 1 else "s"
        raise LearningError(
            f"vocab_size={vocab_size} is smaller than the base alphabet "
            f"({len(base)} {kind} + {len(specials)} special token{plural}); ask for at least {smallest}"
        )
    if vocab_size >= 0xFFFFFFF0:
        raise LearningError(f"vocab_size={vocab_size} does not fit 32-bit ids; ask for less than 2^32 - 16")
