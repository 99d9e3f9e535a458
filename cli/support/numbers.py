"""The types of options that take several numbers."""

from __future__ import annotations

import click


class WholeNumbers(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # a generic in some releases of click
    """The type of an option that takes whole numbers: N,N,…"""

    name = "N,N,…"

    def __init__(self, example: str) -> None:
        self.example = example

    def convert(
        self, value: str | tuple[int, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(size.replace("_", "")) for size in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers; write them like {self.example}", param, ctx)
