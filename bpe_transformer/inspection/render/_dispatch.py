"""The one function that draws. Each module of this room registers the views of its namesake one room up."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from importlib import import_module
from typing import Any, TypeVar

from rich.console import RenderableType

from bpe_transformer.inspection.base.view import View

_VIEWS = "bpe_transformer.inspection."
Draw = TypeVar("Draw", bound=Callable[..., RenderableType])


@singledispatch
def _draw(view: Any) -> RenderableType:
    raise TypeError(f"nothing here draws a {type(view).__name__}; it is not a view of bpe_transformer.inspection")


class Render:
    """`render(view)` is a Rich renderable of `view`. Modules are loaded as their views come, so that a command starts fast."""

    def __call__(self, view: View) -> RenderableType:
        home = type(view).__module__
        if home.startswith(_VIEWS):
            import_module(f"{_VIEWS}render.{home.removeprefix(_VIEWS)}")
        return _draw(view)

    def register(self, draw: Draw) -> Draw:
        """Decorator of a function that draws the view its argument is annotated with."""
        _draw.register(draw)
        return draw


render = Render()
