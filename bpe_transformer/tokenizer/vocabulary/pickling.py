"""Small pickles of vocabularies: columns are compressed, and tokens that follow from the merges are left out."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple, TypeAlias, TypeVar

from bpe_transformer.lazy import NDArray, np

Facts = TypeVar("Facts")
Column: TypeAlias = "NDArray[Any]"


class Packed(NamedTuple):
    """A compressed one-dimensional array: its differences, or its numbers themselves."""

    dtype: str
    are_differences: bool
    data: bytes


class UnmergedTokens(NamedTuple):
    """The tokens of a vocabulary, without those that its merges give: the concatenation of the two sides."""

    size: int
    tokens: dict[int, bytes]

    @classmethod
    def of(cls, tokens: Sequence[bytes], left: Column, right: Column, merged_ids: Column) -> UnmergedTokens | None:
        """The tokens to keep; None if merges come before those that give their sides, so that all tokens are needed."""
        kept = dict(enumerate(tokens))
        for a, b, merged in zip(left.tolist(), right.tolist(), merged_ids.tolist(), strict=True):
            if merged not in (a, b) and tokens[merged] == tokens[a] + tokens[b]:
                kept.pop(merged, None)
        unmerged = cls(len(tokens), kept)
        try:
            return unmerged if unmerged.all_tokens(left, right, merged_ids) == tuple(tokens) else None
        except KeyError:
            return None

    def all_tokens(self, left: Column, right: Column, merged_ids: Column) -> tuple[bytes, ...]:
        """All tokens by id, with those of the merges. Raises `KeyError` if a merge comes before one that gives a side."""
        tokens = dict(self.tokens)
        for a, b, merged in zip(left.tolist(), right.tolist(), merged_ids.tolist(), strict=True):
            if merged not in tokens:
                tokens[merged] = tokens[a] + tokens[b]
        return tuple(tokens[id] for id in range(self.size))


def pack(column: Column) -> Packed:
    """A one-dimensional array, compressed byte plane by byte plane."""
    differences = column.copy()
    differences[1:] -= column[:-1]  # wraps around, and so does the sum in `unpack`
    plain, shifted = (
        zlib.compress(kept.view(np.uint8).reshape(-1, kept.itemsize).T.tobytes(), 3)
        for kept in (np.ascontiguousarray(column), differences)
    )
    return Packed(column.dtype.str, len(shifted) < len(plain), min(plain, shifted, key=len))


def unpack(packed: Packed) -> Column:
    """The array that `pack` compressed."""
    dtype, are_differences, data = packed
    planes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(np.dtype(dtype).itemsize, -1)
    column = np.ascontiguousarray(planes.T).reshape(-1).view(dtype)
    return np.cumsum(column, dtype=dtype) if are_differences else column


def reduced(facts: Any, **replaced: Any) -> tuple[object, tuple[type, dict[str, Any]]]:
    """What `__reduce__` of a dataclass returns: its fields, without anything that is computed from them."""
    values = {field.name: getattr(facts, field.name) for field in fields(facts)} | replaced
    return _restore, (type(facts), {name: _packed(value) for name, value in values.items()})


def _packed(value: object) -> object:
    if isinstance(value, np.ndarray):
        return pack(value)
    return dict(value) if isinstance(value, Mapping) else value


def _restore(kind: type[Facts], values: dict[str, Any]) -> Facts:
    values = {name: unpack(value) if isinstance(value, Packed) else value for name, value in values.items()}
    if isinstance(unmerged := values.get("tokens"), UnmergedTokens):
        values["tokens"] = unmerged.all_tokens(values["left"], values["right"], values["merged_ids"])
    return kind(**values)
