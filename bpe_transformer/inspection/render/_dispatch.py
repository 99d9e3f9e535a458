"""The one function that draws; each module of this room registers its views with it."""

from __future__ import annotations

from functools import singledispatch

from rich.console import RenderableType

from bpe_transformer.inspection._view import View


@singledispatch
def render(view: View) -> RenderableType:
    """A Rich renderable of `view`."""
    raise TypeError(f"nothing here draws a {type(view).__name__}; it is not a view of bpe_transformer.inspection")
