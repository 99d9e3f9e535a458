"""What every command shares: how errors end, where messages go, how progress is drawn."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

from bpe_transformer.errors import BpeTransformerError, ConfigError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

LEAST_WIDTH = 30  # columns that a picture needs


class ReaderLeft(Exception):
    """Whoever read standard output has seen enough (`| head`). No OSError: click would end with 1 at the sight of one."""


def write_data(data: bytes | memoryview) -> None:
    """Writes to standard output and flushes it. Raises `ReaderLeft` when nobody reads any more."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise ReaderLeft from None


def run(command: click.Command) -> None:
    """Runs `command` as the process: data on standard output, everything else on standard error.

    A library error or an unusable file ends with one line and exit code 1, Ctrl-C with 130, a closed pipe silently.
    """
    if sys.stdout is None:  # `>&-`: what is written would end in the first file that is opened
        sys.exit("error: standard output is closed; send it somewhere, such as /dev/null")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale without Hangul gets \\uXXXX, not a traceback
            stream.reconfigure(errors="backslashreplace")
    try:
        command.main(standalone_mode=False)
        write_data(b"")  # flushes here, where a closed pipe is still caught
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except ReaderLeft:
        # stdout points elsewhere, so that the interpreter's last flush stays quiet
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted: nothing half-written was left", err=True)
        sys.exit(130)
    except (BpeTransformerError, OSError) as problem:
        click.echo(f"error: {_one_line(problem)}", err=True)
        sys.exit(1)


def _one_line(problem: BaseException) -> str:
    return " ".join(str(problem).split()) or type(problem).__name__


def messages(width: int | None = None) -> Console:
    """The console for everything that is not data: standard error."""
    from rich.console import Console

    return Console(stderr=True, width=width, highlight=False)


def output(width: int | None = None) -> Console:
    """The console for what a person asked to see: standard output. Plain when piped; `width` fixes the layout.

    Raises `ConfigError` for a terminal that is too narrow to draw in.
    """
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise ReaderLeft  # Rich would exit with 1

    console = Output(width=width, highlight=False)
    if console.width < LEAST_WIDTH:
        raise ConfigError(
            f"the terminal is {console.width} columns wide and pictures need {LEAST_WIDTH}; "
            "widen it, or go on with --width 80 or --json"
        )
    return console


def print_json(data: object) -> None:
    """The `--json` form of a view, on standard output."""
    write_data((json.dumps(data, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "surrogatepass"))


Command = TypeVar("Command", bound=Callable[..., Any])


def view_options(command: Command) -> Command:
    """`--json` and `--width`, which every view has, as the arguments `as_json` and `width`."""
    json_option = click.option("--json", "as_json", is_flag=True, help="Print the same facts as JSON.")
    width_option = click.option(
        "--width",
        type=click.IntRange(min=LEAST_WIDTH),
        metavar="COLUMNS",
        help="Draw this wide, whatever the terminal.",
    )
    return json_option(width_option(command))


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress display on standard error; add tasks to it with `add_task(description, total=…)`.

    `add_task(…, unit="bytes")` shows sizes, any other task plain numbers. Silent when standard error is no terminal.
    """
    from rich.filesize import decimal
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Amount(ProgressColumn):
        def render(self, task: Task) -> Text:
            written = decimal if task.fields.get("unit") == "bytes" else "{:,}".format
            total = "?" if task.total is None else written(int(task.total))
            return Text(f"{written(int(task.completed))} of {total}")

    console = messages()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        Amount(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as display:
        yield display


def stdin_bytes() -> BinaryIO:
    """Standard input as bytes; says what to do when it is a terminal and nobody is typing."""
    if sys.stdin is None:
        raise click.ClickException("standard input is closed; give it something to read, such as /dev/null")
    if sys.stdin.isatty():
        click.echo("reading standard input; end with Ctrl-D", err=True)
    return sys.stdin.buffer
