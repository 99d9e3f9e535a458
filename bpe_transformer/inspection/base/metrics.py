"""Metrics of tokenizers: pure functions of plain numbers, each with its definition and its source.

They do not read texts: `tokens.measurement` counts, and these divide. Each returns 0.0 where there is nothing to
measure (an empty text), never NaN, so that every figure can be written as JSON.

**Word.** Fertility and words kept whole need words, and there is no definition that suits every script. Here it is:

- A word is a run of letters, marks and digits (`\\p{L} \\p{M} \\p{N}`), as long as possible; punctuation, symbols and
  white space are between words and belong to none. `don't` is two words, `low-lower` is two, `3rd` is one.
- Korean: the text between spaces, without its punctuation: the 어절 (eojeol), particles and endings included.
- Scripts written without spaces (Han, Hiragana, Katakana, Bopomofo, Yi, Thai, Lao, Khmer, Myanmar and their relatives):
  each letter with its marks is a word, since no rule short of a dictionary finds longer ones (Unicode Standard
  Annex #29 does the same for most of them). Fertility is then tokens per character, and below 1 where tokens hold several.

`inspection.base.word_spans` finds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

RENYI_ALPHA = 2.5  # where Zouhar et al. (2023) found the best agreement with translation quality


def bytes_per_token(num_bytes: int, num_tokens: int) -> float:
    """UTF-8 bytes of text per token: the compression. Higher means fewer tokens.

    Counted on the text before any normalization, so that tokenizers which change it are measured by the same text.

    >>> bytes_per_token(12, 3)
    4.0
    """
    return _ratio(num_bytes, num_tokens)


def fertility(num_tokens: int, num_words: int) -> float:
    """Tokens per word (see above for what a word is): 1.0 when every word is one token. Lower means fewer tokens.

    `num_tokens` counts the tokens that hold at least one byte of a word: those of punctuation and white space alone do not
    count, and a token over several words counts once. Source: Rust, Pfeiffer, Vulić, Ruder, Gurevych (2021), "How Good
    is Your Tokenizer?", https://aclanthology.org/2021.acl-long.243, section 3: subwords produced per tokenized word.

    >>> fertility(5, 4)
    1.25
    """
    return _ratio(num_tokens, num_words)


def share_whole_words(num_whole: int, num_words: int) -> float:
    """Share of words that no token boundary cuts, from 0 to 1: 1 - "proportion of continued words". Higher is better.

    A word is whole if no token begins or ends strictly inside it, even if its token reaches further (a space before it,
    a word after it). Source: Rust et al. (2021), as for `fertility`.

    >>> share_whole_words(3, 4)
    0.75
    """
    return _ratio(num_whole, num_words)


def renyi_efficiency(counts: ArrayLike, vocab_size: int | None = None, *, alpha: float = RENYI_ALPHA) -> float:
    """How evenly a text uses a vocabulary, from 0 to 1: Rényi entropy over its largest possible value.

    `counts` holds how often each token occurs, shape (any,), zeros allowed. With p the relative frequencies,
    efficiency = ln(Σ p^alpha) / (1 - alpha) / ln(vocab_size); for alpha = 1, Shannon's -Σ p ln p / ln(vocab_size).
    `vocab_size` is the size of the whole vocabulary, as in the paper's definition; None takes the distinct tokens that
    occur, as the authors' program tokenization-scorer does. 0.0 for fewer than two tokens.

    Source: Zouhar, Meister, Gastaldi, Du, Sachan, Cotterell (2023), "Tokenization and the Noiseless Channel",
    https://aclanthology.org/2023.acl-long.284. High values do not prove a tokenizer good: Cognetta et al. (2024),
    https://arxiv.org/abs/2402.14614. Raises ValueError for negative counts or a `vocab_size` below the distinct tokens.

    >>> renyi_efficiency([1, 1, 1, 1])
    1.0
    >>> round(renyi_efficiency([3, 2, 1, 1]), 4)
    0.8265
    """
    import numpy as np

    values = np.asarray(counts, dtype=np.float64)
    if values.size and values.min() < 0:
        raise ValueError(f"a count is {values.min():g}; counts are not negative")
    used = values[values > 0]
    size = len(used) if vocab_size is None else vocab_size
    if size < len(used):
        raise ValueError(f"vocab_size={size}, but {len(used)} distinct tokens occur; pass the size of the vocabulary")
    if len(used) == 0 or size < 2:
        return 0.0
    shares = used / used.sum()
    shannon = alpha == 1  # the limit of the general form
    entropy = -(shares * np.log(shares)).sum() if shannon else np.log((shares**alpha).sum()) / (1 - alpha)
    return max(0.0, float(entropy)) / float(np.log(size))


def overlap(one: Set[bytes], other: Set[bytes]) -> float:
    """Share of tokens that two vocabularies have in common, by their bytes: Jaccard, |A ∩ B| / |A ∪ B|, from 0 to 1.

    >>> overlap({b"low", b"er", b"est"}, {b"low", b"est", b"new"})
    0.5
    """
    return _ratio(len(one & other), len(one | other))


def weighted_overlap(one: Mapping[bytes, int], other: Mapping[bytes, int]) -> float:
    """`overlap` weighted by use on a text: Σ min(p, q) / Σ max(p, q) over all tokens, p and q their relative frequencies.

    From 0 (no token in common) to 1 (the same tokens, equally often). The weighted Jaccard similarity, also named after
    Ruzicka; equal to `overlap` when every token of both is used equally often and both use as many.

    >>> weighted_overlap({b"low": 3, b"er": 1}, {b"low": 1, b"est": 1})
    0.3333333333333333
    """
    total_one, total_other = sum(one.values()), sum(other.values())
    if not total_one or not total_other:
        return 0.0
    common = sum(min(count / total_one, other.get(token, 0) / total_other) for token, count in one.items())
    return common / (2 - common)  # max(p, q) = p + q - min(p, q), and both sum to 1


def parity(num_tokens: int, num_tokens_reference: int) -> float:
    """Tokens of a text over the tokens of its translation into a reference language: 1.0 is parity, 2.0 costs twice.

    The "premium" of Petrov, La Malfa, Torr, Bibi (2023), "Language Model Tokenizers Introduce Unfairness Between
    Languages", https://arxiv.org/abs/2305.15425. Meaningful on parallel text alone.

    >>> parity(30, 20)
    1.5
    """
    return _ratio(num_tokens, num_tokens_reference)


def unknown_rate(num_unknown: int, num_tokens: int) -> float:
    """Share of tokens that are the unknown token, from 0 to 1: what they stood for is lost.

    >>> unknown_rate(1, 4)
    0.25
    """
    return _ratio(num_unknown, num_tokens)


def byte_fallback_rate(num_partial: int, num_tokens: int) -> float:
    """Share of tokens that are not whole characters, from 0 to 1: nothing is lost, but a character costs several tokens.

    A token counts if its bytes are not UTF-8 on their own: part of a character in a byte vocabulary, or a token that
    stands for one such byte (`<0xED>`) in a vocabulary of characters.

    >>> byte_fallback_rate(3, 4)
    0.75
    """
    return _ratio(num_partial, num_tokens)


def _ratio(part: int, whole: int) -> float:
    if part < 0 or whole < 0:
        raise ValueError(f"{part} of {whole}: what is counted is not negative")
    return part / whole if whole else 0.0
