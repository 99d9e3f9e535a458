"""A model's weights as a page holds them: float16, or int8 with a scale for every row of a matrix.

The last rounding is the one that shows: a logit is a sum over the vectors of the vocabulary, of the order of 20. So beside
float16 these are float32 without its last byte, and vectors, which take no room, are whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.html.packing import deflated, planes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

WeightKind = Literal["float16", "int8"]
WEIGHT_KINDS: tuple[WeightKind, ...] = get_args(WeightKind)
_OF_VOCABULARY = ("tokens.weight", "head.weight")  # the matrices that give the logits
_LARGEST_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True)
class PackedWeights:
    """The weights of a model in few characters.

    kind: as asked for. tensors: (name, shape, "float16", "float24", "float32" or "int8") of each, in the order of their bytes.
    parameters: numbers in all. data: all bytes, those of a tensor in planes, deflated, in base64.
    """

    kind: WeightKind
    tensors: tuple[tuple[str, tuple[int, ...], str], ...]
    parameters: int
    data: str

    def as_dict(self) -> dict[str, Any]:
        """What the page reads beside `data`."""
        return {
            "kind": self.kind,
            "parameters": self.parameters,
            "tensors": [{"name": name, "shape": list(shape), "kind": kind} for name, shape, kind in self.tensors],
        }


def pack_weights(named: Iterable[tuple[str, Tensor]], kind: WeightKind = "float16") -> PackedWeights:
    """The weights of a model by name, each once.

    Raises:
        ConfigError: an unknown kind.
    """
    if kind not in WEIGHT_KINDS:
        raise ConfigError(f"weights={kind!r} is unknown; choose {' or '.join(WEIGHT_KINDS)}")
    tensors, parts, parameters = [], [], 0
    for name, tensor in named:
        values: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
        held = _held(name, values, kind)
        tensors.append((name, tuple(values.shape), held))
        parts.append(_packed(values, held))
        parameters += values.size
    return PackedWeights(kind, tuple(tensors), parameters, deflated(b"".join(parts)))


def _held(name: str, values: NDArray[np.float32], kind: WeightKind) -> str:
    """How a tensor is kept."""
    if values.ndim < 2 or np.abs(values).max() > _LARGEST_HALF:
        return "float32"
    if kind == "int8":
        return "int8"
    return "float24" if name.endswith(_OF_VOCABULARY) else "float16"


def _packed(values: NDArray[np.float32], held: str) -> bytes:
    if held == "float16":
        return planes(values.astype("<f2"))
    if held == "float32":
        return planes(values.astype("<f4"))
    if held == "float24":
        rounded = values.astype("<f4").view("<u4") + np.uint32(0x80)  # to the nearest; the lowest byte is left out
        return planes(rounded)[values.size :]
    scales = np.abs(values).max(axis=1) / 127
    whole = np.rint(values / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8)
    return planes(scales.astype("<f4")) + whole.tobytes()
