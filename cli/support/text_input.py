"""The text inputs of commands (TEXT or --text, --file, standard input) and the policy for special tokens.

One rule for all commands: `--text` is a text itself, `--file` names a file of it (`-` is standard input). Where the text is
what the command is about, it may also stand alone, as the argument TEXT.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar

import click

from bpe_transformer.cli.support.console import say, say_ledger, stdin_bytes, write_data
from bpe_transformer.errors import InvalidUtf8Error, SpecialTokenError
from bpe_transformer.io import invalid_utf8_message
from bpe_transformer.io.printable import printable_json
from bpe_transformer.ledger import Ledger, StageRecorder

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer
    from bpe_transformer.inspection.tokens.chunked_text import ChunkedText
    from bpe_transformer.io import Errors

Command = TypeVar("Command", bound=Callable[..., Any])
STDIN = "standard input"
BATCH_BYTES = 4 << 20
_REMEDY = "convert it, or go on with --errors replace"


def special_token_options(command: Command) -> Command:
    """`--allow-special` and `--special-as-text`."""
    allow = click.option(
        "--allow-special", multiple=True, metavar="TOKEN|all", help="Encode this special token as one; repeatable."
    )
    plain = click.option("--special-as-text", is_flag=True, help="Special tokens not allowed are plain text, no error.")
    return allow(plain(command))


@dataclass(frozen=True)
class SpecialPolicy:
    """Which special tokens a text may hold, as `Tokenizer.encode` takes it."""

    allowed: frozenset[str] | Literal["all"]
    as_text: bool

    @classmethod
    def of(cls, tokenizer: Tokenizer, allow: tuple[str, ...], as_text: bool) -> SpecialPolicy:
        """Raises `SpecialTokenError` for a name that is not a special token of `tokenizer`."""
        if "all" in allow:
            return cls("all", as_text)
        unknown = next((name for name in allow if name not in tokenizer.special_tokens), None)
        if unknown is not None:
            known = " ".join(tokenizer.special_tokens) or "none"
            raise SpecialTokenError(f"{unknown!r} is not a special token of this tokenizer; it has: {known}")
        return cls(frozenset(allow), as_text)

    @property
    def arguments(self) -> dict[str, Any]:
        """The policy as keywords of `Tokenizer.encode`."""
        return {"allowed_special": self.allowed, "disallowed_special": () if self.as_text else "all"}

    def check(self, tokenizer: Tokenizer, text: str, place: str) -> None:
        """Raises `SpecialTokenError`, with the options that help, if `text` holds a token that is not allowed."""
        if self.as_text or self.allowed == "all":
            return
        found = next((name for name in tokenizer.special_tokens if name not in self.allowed and name in text), None)
        if found is not None:
            raise SpecialTokenError(
                f"{place} holds the special token {found!r}, which is not allowed; "
                f"pass --allow-special '{found}' to encode it as one, or --special-as-text to take it as plain text"
            )


def decoded(
    raw: bytes,
    errors: str,
    offset: int = 0,
    line: int | None = None,
    name: str = STDIN,
    remedy: str = _REMEDY,
) -> str:
    """The bytes of `name` as text; `errors` is "strict", "replace" or, for bytes kept as they are, "keep".

    Raises `InvalidUtf8Error` with the byte's position in the whole input.
    """
    if errors == "keep":
        errors = "surrogateescape"
    try:
        return raw.decode("utf-8", errors=errors)
    except UnicodeDecodeError as problem:
        message = invalid_utf8_message(name, raw[problem.start], offset + problem.start, line, remedy)
        raise InvalidUtf8Error(message) from None


def argument_text(text: str, errors: str, name: str = "the text given", remedy: str = _REMEDY) -> str:
    """A text given on the command line, where bytes that are not UTF-8 arrive as surrogates."""
    return decoded(text.encode("utf-8", "surrogateescape"), errors, name=name, remedy=remedy)


def read_text(errors: str) -> str:
    """All of standard input."""
    return decoded(stdin_bytes().read(), errors)


def literal_text(text: str, errors: str, name: str = "the text") -> ChunkedText:
    """A literal text, with a note on standard error if it is also the name of a file."""
    from bpe_transformer.inspection.tokens.chunked_text import ChunkedText

    if "\0" not in text and 0 < len(text) < 256 and Path(text).is_file():
        say(f"note: the text is {text!r} itself; --file {text} reads that file")
    return ChunkedText(name, argument_text(text, errors))


def file_text(path: str, errors: Errors) -> ChunkedText:
    """The text of a file of any format, whose rows become lines, or of standard input.

    Plain text is read in chunks; compressed files and tables are held in memory.
    """
    from bpe_transformer.data.corpora.texts import file_texts, is_plain_text, replaced_characters
    from bpe_transformer.inspection.tokens.chunked_text import ChunkedText
    from bpe_transformer.io import ReadStats

    stats = ReadStats()
    if path == "-":
        data = stdin_bytes().read()
        text = decoded(data, errors)
        stats.replaced = replaced_characters(data, text)
        return ChunkedText(STDIN, text, stats=stats)
    if is_plain_text(path):
        return ChunkedText.file(path, errors)
    rows = list(file_texts(path, errors, stats))
    return ChunkedText(path, "\n".join(rows), stats=stats, rows=len(rows))


def say_read(sources: Iterable[ChunkedText]) -> None:
    """Says in a line what was read of files: texts and bytes, missing values, replaced characters. Literal texts are none."""
    from bpe_transformer.io import BLOCK_BYTES, ByteFile, ReadStats, replace_invalid

    recorder, files = StageRecorder(), False
    for source in dict.fromkeys(sources):
        stats = source.stats or ReadStats()
        if source.text is None:
            if source.errors == "replace":
                with ByteFile(source.name) as file:
                    for _ in replace_invalid(file.blocks(BLOCK_BYTES), stats):
                        pass
            recorder.keep(_size(source.name))
        elif source.stats is not None:
            breaks = source.rows - 1  # between rows, put there to join them
            recorder.keep(len(source.text.encode("utf-8", "surrogatepass")) - breaks, source.rows)
        files |= source.text is None or source.stats is not None
        if stats.missing:
            recorder.drop("missing", 0, stats.missing, stats.places)
        recorder.replace(stats.replaced)
    if files:
        say_ledger(Ledger((recorder.stage("read"),)))


def one_text(positional: str | None, texts: tuple[str, ...]) -> tuple[str, ...]:
    """The texts of the argument TEXT or of --text. Raises `click.UsageError` if both are given."""
    if positional is not None and texts:
        raise click.UsageError("give the text either as TEXT or with --text, not both")
    return texts if positional is None else (positional,)


def total_bytes(texts: Iterable[ChunkedText]) -> int:
    """The size of all texts in bytes, for progress."""
    sizes = (len(text.text.encode("utf-8", "replace")) if text.text is not None else _size(text.name) for text in texts)
    return sum(sizes)


def _size(path: str) -> int:
    return Path(path).stat().st_size if Path(path).is_file() else 0


def line_blocks(*, at_once: bool, stream: BinaryIO | None = None) -> Iterator[bytes]:
    """Blocks of whole lines of a stream (standard input) of some MiB each, or with `at_once` as soon as lines arrive.

    A line ends at `\\n` alone; the last may lack it. Needs memory for a block or the longest line, not for the input.
    """
    stream = stdin_bytes() if stream is None else stream
    read = stream.read1 if at_once or sys.stdin.isatty() else stream.read  # type: ignore[attr-defined]
    begun: list[bytes] = []  # the start of a line that has not ended yet
    while block := read(BATCH_BYTES):
        head, newline, rest = block.rpartition(b"\n")
        if newline:
            yield b"".join([*begun, head, newline])
            begun = []
        if rest:
            begun.append(rest)
    if begun:
        yield b"".join(begun)


def line_batches(*, at_once: bool) -> Iterator[list[bytes]]:
    """The lines of standard input as lists, without their newlines, in the batches of `line_blocks`."""
    return (block.removesuffix(b"\n").split(b"\n") for block in line_blocks(at_once=at_once))


def at_once_option(command: Command) -> Command:
    """`--at-once`, for a program that writes a line and waits for the answer."""
    text = "Answer each line as it arrives; else some MiB at a time, and a mistake in it writes nothing."
    return click.option("--at-once", is_flag=True, help=text)(command)


def one_line(text: str) -> str:
    """The text without line breaks of its own."""
    return " ".join(text.splitlines())


def write_rows(rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes each row to standard output as one line of JSON."""
    write_data("".join(f"{printable_json(row, indent=None)}\n" for row in rows).encode())
