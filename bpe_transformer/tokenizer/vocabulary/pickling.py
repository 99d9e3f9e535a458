"""Small pickles: columns packed, and only those tokens kept that no merge spells out."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bpe_transformer.tokenizer.vocabulary.model import BpeModel

Packed = tuple[str, bool, bytes]
Facts = TypeVar("Facts")


def pack(column: NDArray[Any]) -> Packed:
    """(dtype, whether differences are kept instead of the numbers, compressed bytes) of a one-dimensional array."""
    differences = column.copy()
    differences[1:] -= column[:-1]  # wraps around, as the sum does that undoes it
    plain, shifted = (
        zlib.compress(kept.view(np.uint8).reshape(-1, kept.itemsize).T.tobytes(), 3)
        for kept in (np.ascontiguousarray(column), differences)
    )
    return (column.dtype.str, True, shifted) if len(shifted) < len(plain) else (column.dtype.str, False, plain)


def unpack(packed: Packed) -> NDArray[Any]:
    dtype, differences, data = packed
    planes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(np.dtype(dtype).itemsize, -1)
    column = np.ascontiguousarray(planes.T).reshape(-1).view(dtype)
    return np.cumsum(column, dtype=dtype) if differences else column


def reduced(facts: Any) -> tuple[object, tuple[type, dict[str, Any]]]:
    """What `__reduce__` of a dataclass returns: its fields, without anything that is computed from them."""
    values = {field.name: getattr(facts, field.name) for field in fields(facts)}
    return _restore, (type(facts), {name: _packed(value) for name, value in values.items()})


def reduced_model(model: BpeModel) -> tuple[object, tuple[type, dict[str, Any]]]:
    """The same for a model. Tokens that are the bytes of what their merge joins are left out."""
    spelled = dict(enumerate(model.tokens))
    for left, right, made in zip(model.left.tolist(), model.right.tolist(), model.merged_ids.tolist(), strict=True):
        if made not in (left, right) and model.tokens[made] == model.tokens[left] + model.tokens[right]:
            spelled.pop(made, None)
    restore, (kind, values) = reduced(model)
    try:
        if _spelled_out(spelled, len(model.tokens), model.left, model.right, model.merged_ids) == model.tokens:
            values["tokens"] = _Spelled((len(model.tokens), spelled))
    except KeyError:
        pass  # merges that are not in the order in which their parts are made: all tokens are kept
    return restore, (kind, values)


def _packed(value: object) -> object:
    if isinstance(value, np.ndarray):
        return _Column((pack(value),))
    return dict(value) if isinstance(value, Mapping) else value


class _Column(tuple[Any, ...]):
    """(a packed array,)"""


class _Spelled(tuple[Any, ...]):
    """(number of tokens, those that no merge spells out by id)"""


def _restore(kind: type[Facts], values: dict[str, Any]) -> Facts:
    values = {name: unpack(value[0]) if isinstance(value, _Column) else value for name, value in values.items()}
    if isinstance(values.get("tokens"), _Spelled):
        size, spelled = values["tokens"]
        values["tokens"] = _spelled_out(spelled, size, values["left"], values["right"], values["merged_ids"])
    return kind(**values)


def _spelled_out(
    spelled: Mapping[int, bytes], size: int, left: NDArray[Any], right: NDArray[Any], made: NDArray[Any]
) -> tuple[bytes, ...]:
    tokens = dict(spelled)
    for a, b, new in zip(left.tolist(), right.tolist(), made.tolist(), strict=True):
        if new not in tokens:
            tokens[new] = tokens[a] + tokens[b]
    return tuple(tokens[id] for id in range(size))
