"""NumPy, which loads when it is first used: that takes longer than all else that `Tokenizer` imports."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["NDArray", "np"]


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
