"""`View`, the base class of all views, and the registry of the functions that draw them.

A view is plain data. It becomes a Rich renderable when `rich.print` or a notebook asks for one: the function that draws it
stands in the module of the same place under `render/` (`history/trace_rows.py` is drawn by `render/history/trace_rows.py`),
which registers it here with `@draws` and is loaded when the first such view is drawn. Views of the room `studies` have their
functions under its own `render/`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.measure import Measurement

_ROOMS = ("bpe_transformer.inspection.", "bpe_transformer.studies.")
Draw = TypeVar("Draw", bound=Callable[..., Any])


class View:
    """The base class of all views. Only drawing one loads Rich."""

    __slots__ = ()

    def __rich__(self) -> RenderableType:
        return render(self)

    def _repr_mimebundle_(self, include: Sequence[str] = (), exclude: Sequence[str] = (), **_: Any) -> dict[str, str]:
        """What Jupyter shows."""
        from rich.jupyter import JupyterMixin

        bundle: dict[str, str] = JupyterMixin._repr_mimebundle_(self, include, exclude)  # type: ignore[arg-type]  # __rich__ will do
        return bundle

    def as_dict(self) -> dict[str, Any]:
        """The data for `json.dumps`; this is what `--json` prints."""
        raise NotImplementedError(f"{type(self).__name__} has no JSON form")


def render(view: View) -> RenderableType:
    """A Rich renderable of `view`; its lines end without blanks. Raises TypeError for a view that nothing draws."""
    home = type(view).__module__
    room = next((room for room in _ROOMS if home.startswith(room)), None)
    if room is not None:
        import_module(f"{room}render.{home.removeprefix(room)}")
    return WithoutTrailingBlanks(_draw(view))


def draws(draw: Draw) -> Draw:
    """Registers, as a decorator, the function that draws views of the class with which its argument is annotated."""
    _draw.register(draw)
    return draw


@singledispatch
def _draw(view: Any) -> RenderableType:
    raise TypeError(f"no function is registered that draws a {type(view).__name__}; register one with @draws")


class WithoutTrailingBlanks:
    """A renderable whose lines end with their last visible character. Rich pads the cells of its tables to the right."""

    def __init__(self, drawn: RenderableType) -> None:
        self.drawn = drawn

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        for line in console.render_lines(self.drawn, options, pad=False):
            while line and not line[-1].text.rstrip(" ") and not _has_background(line[-1]):
                line.pop()
            if line and not _has_background(line[-1]):
                line[-1] = line[-1]._replace(text=line[-1].text.rstrip(" "))
            yield from line
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        return Measurement.get(console, options, self.drawn)


def _has_background(segment: Any) -> bool:
    return segment.style is not None and segment.style.bgcolor is not None
