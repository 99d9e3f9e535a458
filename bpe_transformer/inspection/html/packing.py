"""Data for a page in few characters, and pages put together from their assets into one file."""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from collections.abc import Mapping
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from bpe_transformer.io.atomic import atomic_file
from bpe_transformer.io.printable import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pack(column: NDArray[np.integer], *, delta: bool = False) -> dict[str, Any]:
    """A column of 32-bit numbers in few characters: differences to the one before if `delta`, the first bytes of all
    numbers, then the second bytes and so on, deflated, in base64. `unpack` in encoder.js reads it.
    """
    values = column.astype("<u4")
    if delta and len(values):
        values[1:] -= values[:-1].copy()
    return {"length": len(values), "delta": delta, "data": deflated(planes(values))}


def planes(values: NDArray[Any]) -> bytes:
    """The first bytes of all values, then the second bytes and so on: alike bytes stand together, which deflates well."""
    return values.reshape(-1).view(np.uint8).reshape(-1, values.itemsize).T.tobytes()


def deflated(data: bytes) -> str:
    """Deflated, in base64; `inflate` in encoder.js reads it."""
    return base64.b64encode(zlib.compress(data, 9)).decode()


def asset(name: str) -> str:
    """A file of `assets/`."""
    place = resources.files("bpe_transformer.inspection.html").joinpath("assets", *name.split("/"))
    return place.read_text(encoding="utf-8")


def script_json(data: Any) -> str:
    """JSON that may stand in a script element: no text in it can end the element, and lone surrogates are escaped."""
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", written)


def heading(title: str) -> str:
    """A title as text of a page: a name of a stranger's folder turns no line around and is no element."""
    return escape(printable(title))


def filled(template: str, values: Mapping[str, str]) -> str:
    """An asset with each {{include FILE}} and {{name}} replaced; what is put in for a name is not read again."""
    text = re.sub(r"\{\{include (\S+)\}\}\n", lambda match: asset(match.group(1)), asset(template))
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match.group(1)], text)


def scripts(names: tuple[str, ...]) -> str:
    """Assets of JavaScript as one script."""
    return "\n".join(asset(name) for name in names)


def charts_library() -> str:
    """uPlot with its licence."""
    return f"/*\n{asset('vendor/uPlot.LICENSE')}\n*/\n{asset('vendor/uPlot.iife.min.js')}"


def write_page(page: str, path: str | os.PathLike[str]) -> None:
    """Writes a page to `path`, whole or not at all. Raises OSError if it cannot be written."""
    with atomic_file(path) as new:
        new.write_text(page, encoding="utf-8", newline="\n")
