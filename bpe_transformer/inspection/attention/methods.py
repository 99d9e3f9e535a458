"""The names of what can be read of attention; light, so that the command line lists them without loading more."""

from __future__ import annotations

from typing import Literal, get_args

Method = Literal["weights", "norms", "rollout"]
METHODS: tuple[Method, ...] = get_args(Method)
Choice = int | Literal["mean", "max", "all"]
