"""Opening tokenizers that are named on the command line: a folder, a file, FILE:PATTERN, LABEL=FILE, or - for standard input."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer


def open_tokenizer(written: str) -> Tokenizer:
    """The tokenizer that PATH or PATH:PATTERN names; the pattern is for files of ranks, which do not hold it.

    Raises `FormatError` for a file that is not a tokenizer.
    """
    from bpe_transformer import Tokenizer

    path, pattern = split_pattern(written)
    return Tokenizer.from_file(path, pattern=pattern)


@contextmanager
def named_file(written: str) -> Iterator[str]:
    """The file that a name means; `-` is standard input, kept on disk meanwhile, and so named in a `FormatError`."""
    if written != "-":
        yield written
        return
    from bpe_transformer.cli.support.console import stdin_bytes
    from bpe_transformer.errors import FormatError

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "input")
        with file.open("wb") as copy:
            shutil.copyfileobj(stdin_bytes(), copy)
        try:
            yield str(file)
        except FormatError as problem:
            raise FormatError(str(problem).replace(str(file), "standard input")) from None


def split_pattern(written: str) -> tuple[str, str | None]:
    """(PATH, PATTERN or None); the path is as long as it can be."""
    at = len(written)
    while at > 0 and not Path(written[:at]).exists():
        at = written.rfind(":", 0, at)
    if at <= 0:
        return written, None
    return written[:at], written[at + 1 :] or None


def split_label(written: str) -> tuple[str, str]:
    """(label, rest) of LABEL=REST; without a label, or where it is itself a file, its short name is the label."""
    label, equals, rest = written.partition("=")
    if equals and label and not Path(written).exists():
        return label, rest
    return short_name(written), written


def short_name(written: str) -> str:
    """The last component of a path, with its directory for names that many tokenizers have.

    >>> short_name("data/korean.txt"), short_name("runs/ko/tokenizer.json"), short_name("gpt2.tiktoken:gpt2")
    ('korean.txt', 'ko/tokenizer.json', 'gpt2.tiktoken:gpt2')
    """
    if written == "-":
        return "standard input"
    path = Path(written)
    if path.name in _COMMON_NAMES and path.parent.name:
        return f"{path.parent.name}/{path.name}"
    return path.name or written


_COMMON_NAMES = frozenset({"tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "tokenizer.pkl"})
