"""What every view has in common: it is plain data that `rich.print` and a notebook know how to draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType


class View:
    """Base of the data classes of this room. Drawing is looked up when asked for: the data alone needs no Rich."""

    __slots__ = ()

    def __rich__(self) -> RenderableType:
        from bpe_transformer.inspection.render import render

        return render(self)

    def _repr_mimebundle_(self, include: Sequence[str] = (), exclude: Sequence[str] = (), **_: Any) -> dict[str, str]:
        """What Jupyter shows."""
        from rich.jupyter import JupyterMixin

        bundle: dict[str, str] = JupyterMixin._repr_mimebundle_(self, include, exclude)  # type: ignore[arg-type]  # __rich__ will do
        return bundle

    def as_dict(self) -> dict[str, Any]:
        """The same facts for `json.dumps`: what `--json` prints."""
        raise NotImplementedError(f"{type(self).__name__} has no JSON form")
