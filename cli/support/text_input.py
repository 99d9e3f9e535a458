"""What the commands that read text share: standard input in bounded memory, and the policy for special tokens."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar

import click

from bpe_transformer.cli.support.console import stdin_bytes
from bpe_transformer.errors import InvalidUtf8Error, SpecialTokenError

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer

Command = TypeVar("Command", bound=Callable[..., Any])
BATCH_BYTES = 4 << 20
_REMEDY = "convert it, or go on with --errors replace"


def text_options(*errors: str) -> Callable[[Command], Command]:
    """`--allow-special`, `--special-as-text`, and `--errors` with these choices, the first the default."""
    allow = click.option(
        "--allow-special", multiple=True, metavar="TOKEN|all", help="Encode this special token as one, repeatable."
    )
    plain = click.option("--special-as-text", is_flag=True, help="Special tokens not allowed are plain text, no error.")
    bad = click.option(
        "--errors", type=click.Choice(errors), default=errors[0], show_default=True, help="On bad UTF-8."
    )
    return lambda command: allow(plain(bad(command)))


@dataclass(frozen=True)
class SpecialPolicy:
    """Which special tokens a text may hold, as `Tokenizer.encode` takes it."""

    allowed: frozenset[str] | Literal["all"]
    as_text: bool

    @classmethod
    def of(cls, tokenizer: Tokenizer, allow: tuple[str, ...], as_text: bool) -> SpecialPolicy:
        """Raises `SpecialTokenError` for a name that is no special token of `tokenizer`."""
        if "all" in allow:
            return cls("all", as_text)
        unknown = next((name for name in allow if name not in tokenizer.special_tokens), None)
        if unknown is not None:
            known = " ".join(tokenizer.special_tokens) or "none"
            raise SpecialTokenError(f"{unknown!r} is no special token of this tokenizer; it has: {known}")
        return cls(frozenset(allow), as_text)

    @property
    def arguments(self) -> dict[str, Any]:
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
    name: str = "standard input",
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
        where = f"position {offset + problem.start}" + (f" (line {line:,})" if line is not None else "")
        raise InvalidUtf8Error(f"{name} is not UTF-8: byte 0x{raw[problem.start]:02x} at {where}; {remedy}") from None


def argument_text(text: str, errors: str, name: str = "the text given", remedy: str = _REMEDY) -> str:
    """A text given on the command line, where bytes that are no UTF-8 arrive as surrogates."""
    return decoded(text.encode("utf-8", "surrogateescape"), errors, name=name, remedy=remedy)


def read_text(errors: str) -> str:
    """All of standard input."""
    return decoded(stdin_bytes().read(), errors)


def line_blocks(*, at_once: bool, stream: BinaryIO | None = None) -> Iterator[bytes]:
    """Whole lines of a stream (standard input) as they lie in it, some MiB at a time; `at_once`: as soon as they arrive.

    A line ends at `\\n` alone; the last may lack it. Needs memory for a block or the longest line, not for the input.
    """
    stream = stdin_bytes() if stream is None else stream
    read = stream.read1 if at_once or sys.stdin.isatty() else stream.read  # type: ignore[attr-defined]
    begun: list[bytes] = []  # pieces of a line whose end has not arrived
    while piece := read(BATCH_BYTES):
        head, newline, rest = piece.rpartition(b"\n")
        if newline:
            yield b"".join([*begun, head, newline])
            begun = []
        if rest:
            begun.append(rest)
    if begun:
        yield b"".join(begun)


def line_batches(*, at_once: bool) -> Iterator[list[bytes]]:
    """The same as lists of lines, without their newlines."""
    return (block.removesuffix(b"\n").split(b"\n") for block in line_blocks(at_once=at_once))


def at_once_option(command: Command) -> Command:
    """`--at-once`, for a program that writes a line and waits for the answer."""
    text = "Answer each line as it arrives; else some MiB at a time, and a mistake in it writes nothing."
    return click.option("--at-once", is_flag=True, help=text)(command)
