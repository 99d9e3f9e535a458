"""What loads when it is first used: NumPy, which takes longer than all else that `Tokenizer` imports, and a folder's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["NDArray", "lazy_names", "np"]


class _LazyModule(ModuleType):
    """Stands for a module of this name, and finds its contents there."""

    def __getattr__(self, name: str) -> object:
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)  # found without this method the next time
        return value


if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = _LazyModule("numpy")
    NDArray = object  # in annotations only, which are not evaluated


def lazy_names(
    package: str, homes: Mapping[str, str], names: Sequence[str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package (PEP 562).

    Args:
        package: its `__name__`.
        homes: the module of each name that is not imported at once, within the package or from the top.
        names: its `__all__`.
    """
    top = __name__.partition(".")[0]

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = homes[name]
        return getattr(import_module(home if home.startswith(f"{top}.") else f"{package}.{home}"), name)

    return find, lambda: sorted(names)
