"""Checkpoints that earlier versions wrote, in today's names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

FORMAT = 4  # of config.json and of the run state

_Value = TypeVar("_Value")

# since format 2
_DECODING = {"alpha": "length_penalty", "limit_factor": "max_len_ratio", "limit_extra": "max_len_extra"}
# since format 3, which has families: `norm` was where the norm stands, and there was only layer norm
_MODEL = {"norm": "norm_place"}
_FAMILIES = {"translation": "transformer", "language-model": "gpt"}
_NAMES_SINCE = 3  # today's names of weights
# since format 4: before it documents stood end to end, and attention went across them
_PACKING = {"pack": "concat", "cross_documents": True}
_WEIGHTS = (
    (r"\battention\.(qkv|out)\b", r"self_attention.\1"),
    (r"\bmemory_attention\b", "cross_attention"),
    (r"\battention_residual\.norm\b", "self_attention_norm"),
    (r"\bmemory_residual\.norm\b", "cross_attention_norm"),
    (r"\bfeed_forward_residual\.norm\b", "feed_forward_norm"),
    (r"\bwiden\b", "up_proj"),
    (r"\bnarrow\b", "down_proj"),
    (r"^output\.weight$", "head.weight"),
)


def upgraded_info(data: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a config.json of any format up to `FORMAT`, as this version writes them.

    Raises KeyError, TypeError or AttributeError when they are not such facts.
    """
    version = data.get("format", 1)
    if version >= FORMAT:
        return dict(data)
    settings = {**data["settings"], "training": {**_PACKING, **data["settings"]["training"]}}
    if version >= _NAMES_SINCE:
        return {**data, "settings": settings}
    decoding = {_DECODING.get(name, name): value for name, value in settings["decoding"].items()}
    model = {_MODEL.get(name, name): value for name, value in settings["model"].items()}
    upgraded = {**settings, "model": model, "decoding": decoding, "family": _FAMILIES[data["task"]]}
    return {**data, "settings": upgraded}


def upgraded_weights(weights: Mapping[str, _Value], task: str, version: int) -> dict[str, _Value]:
    """Weights (or anything else by their names) of format `version` under today's names."""
    if version >= _NAMES_SINCE:
        return dict(weights)
    return {_upgraded_name(name, task): value for name, value in weights.items()}


def _upgraded_name(name: str, task: str) -> str:
    for pattern, replacement in _WEIGHTS:
        name = re.sub(pattern, replacement, name)
    if task == "language-model" and not name.startswith("head."):
        return f"trunk.{name}"
    return name
