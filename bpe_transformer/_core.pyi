"""The native core. Private: `bpe_transformer.tokenizer` is its only user."""

from collections.abc import Buffer, Mapping, Sequence  # type: ignore[attr-defined,unused-ignore]

import numpy as np
from numpy.typing import NDArray

unicode_source: str
PLAIN: int
ALLOW: int
FORBID: int
PATTERNS: tuple[str, ...]

class ForbiddenSpecial(ValueError): ...
class UnknownCharacter(ValueError): ...

def valid_prefix(buffer: Buffer, start: int, stop: int) -> int: ...
def split(pattern: int, text: str | bytes) -> list[bytes]: ...

class WordCounts:
    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def saturated(self) -> bool: ...
    def add(self, word: bytes, count: int) -> None: ...
    def merge(self, other: WordCounts) -> None: ...
    def add_pieces(self, pieces: list[str]) -> None: ...
    def count_texts(self, pattern: int, texts: tuple[str | bytes, ...], num_threads: int) -> None: ...
    def count_range(self, pattern: int, buffer: Buffer, start: int, stop: int, num_threads: int) -> int: ...
    def words(self) -> WordCounts: ...
    def characters(self, marks_end: bool) -> tuple[list[int], list[int], list[int]]: ...
    def items(self) -> list[tuple[bytes, int]]: ...

class Alphabet:
    @staticmethod
    def of_bytes(id_of_byte: Sequence[int]) -> Alphabet: ...
    @staticmethod
    def of_characters(
        inner: Mapping[int, int],
        last: Mapping[int, int],
        marks_end: bool,
        unknown: int,
        fallback: Sequence[int],
        fuse_unknown: bool,
    ) -> Alphabet: ...

class Learner:
    def __init__(
        self,
        words: WordCounts,
        alphabet: Alphabet,
        base: Encoder | None,
        tokens: list[bytes],
        max_merges: int,
        min_frequency: int,
        max_token_bytes: int,
        never: list[bytes],
        apart: list[int],
        record: bool,
    ) -> None: ...
    @property
    def tokens(self) -> int: ...
    def run(
        self, n: int
    ) -> tuple[
        NDArray[np.uint32],
        NDArray[np.uint32],
        NDArray[np.uint64],
        NDArray[np.uint32],
        NDArray[np.uint32],
        NDArray[np.uint64],
        NDArray[np.uint64],
        NDArray[np.uint64],
    ]: ...

class Encoder:
    def __init__(
        self,
        alphabet: Alphabet,
        left: NDArray[np.uint32],
        right: NDArray[np.uint32],
        made: NDArray[np.uint32],
        specials: list[tuple[bytes, int]],
        whole: list[tuple[bytes, int]],
    ) -> None: ...
    def encode(self, pattern: int, text: str | bytes, policy: bytes) -> list[int]: ...
    def encode_pieces(self, pieces: list[bytes]) -> list[int]: ...
    def tally(
        self, alphabet: Alphabet, words: WordCounts, extents: NDArray[np.uint32], num_threads: int
    ) -> tuple[NDArray[np.uint64], int]: ...
    def encode_batch(
        self, pattern: int, texts: tuple[str | bytes, ...], policy: bytes, num_threads: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]: ...

class Decoder:
    def __init__(self, tokens: list[bytes]) -> None: ...
    def decode(self, ids: NDArray[np.int64]) -> tuple[bytes, int]: ...
