"""The facts of a tokenizer as plain data: what the learner makes, the formats read and write, and the encoder runs on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.tokenizer import patterns

Unit = Literal["byte", "char"]
Ids = NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class BpeModel:
    """`tokens[id]` are a token's bytes, with the end-of-word mark where it has one; specials are the bytes of their text.

    Merge number `rank` makes `made[rank]` of `left[rank]` and `right[rank]`. A base token is what no merge makes and is
    not special: one byte, or one character, with or without the end-of-word mark.
    """

    unit: Unit
    pattern: str
    tokens: tuple[bytes, ...]
    left: Ids
    right: Ids
    made: Ids
    special_tokens: Mapping[str, int]
    unk_token: str | None = None
    end_of_word: str | None = None

    @cached_property
    def base_ids(self) -> list[int]:
        derived = {*self.made.tolist(), *self.special_tokens.values()}
        return [id for id in range(len(self.tokens)) if id not in derived]

    @cached_property
    def surfaces(self) -> list[bytes]:
        """By id, the bytes that a token stands for in text: the end-of-word mark stands for one space."""
        if self.end_of_word is None:
            return list(self.tokens)
        return [self._unmarked(token) + b" " if id in self.word_ends else token for id, token in enumerate(self.tokens)]

    @cached_property
    def word_ends(self) -> frozenset[int]:
        """Ids of the tokens that end a word: base tokens with the mark, and merges whose right side ends one.

        Not simply all that end with the mark's text, since that may occur in a corpus as well.
        """
        if self.end_of_word is None:
            return frozenset()
        mark = self.end_of_word.encode()
        ends = {id for id in self.base_ids if self.tokens[id].endswith(mark) and len(self.tokens[id]) > len(mark)}
        for right, made in zip(self.right.tolist(), self.made.tolist(), strict=True):
            if right in ends:
                ends.add(made)
        return frozenset(ends)

    def _unmarked(self, token: bytes) -> bytes:
        return token.removesuffix((self.end_of_word or "").encode())

    def alphabet(self) -> _core.Alphabet:
        """The base alphabet as the native core takes it."""
        if self.unit == "byte":
            id_of_byte = [0] * 256
            for id in self.base_ids:
                id_of_byte[self.tokens[id][0]] = id
            return _core.Alphabet.of_bytes(id_of_byte)
        inner: dict[int, int] = {}
        last: dict[int, int] = {}
        for id in self.base_ids:
            table = last if id in self.word_ends else inner
            character = self._unmarked(self.tokens[id]) if id in self.word_ends else self.tokens[id]
            table[ord(character.decode())] = id
        unknown = -1 if self.unk_token is None else self.special_tokens[self.unk_token]
        return _core.Alphabet.of_characters(inner, last, self.end_of_word is not None, unknown)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything that decides how text becomes ids, as hexadecimal digits."""
        facts = {
            "unit": self.unit,
            "pattern": patterns.expression(self.pattern),
            "end_of_word": self.end_of_word,
            "unk_token": self.unk_token,
            "special_tokens": dict(sorted(self.special_tokens.items())),
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        for token in self.tokens:
            digest.update(len(token).to_bytes(4, "little") + token)
        for column in (self.left, self.right, self.made):
            digest.update(column.astype("<u4").tobytes())
        return digest.hexdigest()
