"""Checks `_core.pyi` against the built core with mypy's stubtest: the same names, methods, parameters, and no more.

stubtest takes nanobind's functions for plain objects. So it is shown a module in which each is an ordinary function with
the parameters that nanobind reports. `make lint` runs this.
"""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

from mypy import stubtest

from bpe_transformer import _core

NAME = "bpe_transformer._core"


def parameters(signature: str) -> str:
    """The parameters of `def name(a: int, b: object, /) -> list`, without types: `a, b, /`."""
    inside = re.sub(r"\[[^\[\]]*\]", "", re.sub(r"\[[^\[\]]*\]", "", signature))
    listed = inside[inside.index("(") + 1 : inside.rindex(")")]
    return ", ".join(part.partition(":")[0].strip() for part in listed.split(","))


def function(native: Any) -> Any:
    """An ordinary function with the parameters of one of nanobind's."""
    [(signature, *_)] = native.__nb_signature__
    scope: dict[str, Any] = {}
    exec(f"def {native.__name__}({parameters(signature)}): ...", scope)
    return scope[native.__name__]


def stand_in(value: Any) -> Any:
    """`value`, with ordinary functions and classes in place of nanobind's."""
    if type(value).__name__ in ("nb_func", "nb_method"):
        return function(value)
    if type(type(value)).__name__.startswith("nb_meta") or type(value).__name__.startswith("nb_type"):
        members = {name: stand_in(member) for name, member in vars(value).items()}
        for name in (
            "__dict__",
            "__weakref__",
            *(("__init__",) if type(value.__init__).__name__ != "nb_method" else ()),
        ):
            members.pop(name, None)
        for name, member in vars(value).items():
            if type(member).__name__ == "nb_func":  # nanobind's way to have a static method
                members[name] = staticmethod(members[name])
        return type(value.__name__, (), members)
    return value


def main() -> int:
    module = ModuleType(NAME, _core.__doc__)
    for name, value in vars(_core).items():
        if not name.startswith("__"):
            setattr(module, name, stand_in(value))
    sys.modules[NAME] = module
    return stubtest.test_stubs(stubtest.parse_options([NAME, "--concise", *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
