"""The running Python's own standard library as a corpus, read in place."""

from __future__ import annotations

import ast
import hashlib
import os
import sysconfig
import tokenize
import warnings
from pathlib import Path

# Installed packages are not the standard library; lib2to3's test data is not Python that this interpreter reads.
_SKIPPED_FOLDERS = frozenset({"site-packages", "dist-packages", "__pycache__"})
_SKIPPED_PATHS = ("lib2to3/tests/data/",)

# packages and modules of every Python since 3.10 with more than a hundred docstrings each: labels to tell apart
MODULES = (
    *("asyncio", "email", "http", "idlelib", "importlib", "logging", "mailbox", "multiprocessing", "tkinter", "turtle"),
    *("unittest", "xml"),
)
_LEAST_CHARACTERS = 20  # of a docstring that says something about its module


def root() -> Path:
    """The folder of the standard library."""
    return Path(sysconfig.get_paths()["stdlib"])


def files(folder: Path | None = None) -> list[str]:
    """Every .py file below `folder` (default: the standard library), as sorted paths relative to it with slashes."""
    top = root() if folder is None else folder
    found: list[str] = []
    for parent, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
        found += [(Path(parent) / name).relative_to(top).as_posix() for name in names if name.endswith(".py")]
    return sorted(path for path in found if not path.startswith(_SKIPPED_PATHS))


def split_of(path: str) -> str:
    """train for about 95 % of the paths, validation for the rest, by SHA-256: a file stays in its split everywhere."""
    place = int.from_bytes(hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()[:4], "big") / 2**32
    return "validation" if place < 0.05 else "train"


def read_source(file: Path) -> str:
    """The text of a source file, decoded as Python decodes it (PEP 263: byte order mark, coding line, else UTF-8).

    Raises:
        ValueError: the file does not decode; the message says why.
    """
    try:
        with tokenize.open(file) as stream:
            text = stream.read()
        text.encode()  # a coding such as UTF-7 can yield lone surrogates, which no UTF-8 file can hold
    except (UnicodeError, SyntaxError, LookupError) as problem:
        raise ValueError(str(problem)) from problem
    return text


def module_of(path: str) -> str | None:
    """Which of `MODULES` a file belongs to, by its path below the library; None for any other."""
    top = path.partition("/")[0].removesuffix(".py")
    return top if top in MODULES else None


def docstring_split(text: str) -> str:
    """train for about 80 % of docstrings, validation and test for 10 % each, by SHA-256 of the text."""
    place = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32
    return "train" if place < 0.8 else "validation" if place < 0.9 else "test"


def says_something(text: str) -> bool:
    """Whether a docstring is long enough to tell where it comes from."""
    return len(text) >= _LEAST_CHARACTERS


def docstrings(source: str) -> str:
    """The docstrings of a source file as one text, a blank line between; "" when there are none.

    Raises:
        ValueError: the source does not parse.
    """
    return "\n\n".join(docstring_list(source))


def docstring_list(source: str) -> list[str]:
    """The docstrings of module, classes and functions in source order.

    Raises:
        ValueError: the source does not parse.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library's tests hold invalid escapes on purpose
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise ValueError(f"does not parse: {problem}") from problem
    holders = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    holders.sort(key=lambda node: getattr(node, "lineno", 0))
    return [text for text in map(ast.get_docstring, holders) if text]
