"""Standard output and standard error of every command: data, messages, progress bars, and how errors end the process."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from bpe_transformer.errors import BpeTransformerError, ConfigError
from bpe_transformer.io.printable import printable, printable_json, printable_layout, times

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.progress import Progress, TaskID
    from rich.segment import Segment
    from rich.text import Text

    from bpe_transformer.ledger import Ledger

LEAST_WIDTH = 30  # columns that a picture needs
_FIGURES = 46  # columns for the amount, the times and a short bar beside the description of a task
_told: list[Callable[[], str]] = []  # what the command that runs says when Ctrl-C ends it, the last one


class ReaderLeft(Exception):
    """The reader of standard output has closed it (`| head`). Not an OSError, for which click would exit with 1."""


def write_data(data: bytes | memoryview) -> None:
    """Writes to standard output and flushes it. Raises `ReaderLeft` when its reader has closed it."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise ReaderLeft from None


def write_text(data: bytes | memoryview) -> None:
    """`write_data` for text from outside: exact when piped; on a terminal, control characters are escaped."""
    if sys.stdout.isatty():
        data = printable_layout(bytes(data).decode("utf-8", "surrogateescape")).encode()
    write_data(data)


def say(message: str) -> None:
    """Writes a line that is not data to standard error, with control characters escaped."""
    click.echo(printable(message), err=True)


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """For code that writes to `standard_output()` itself: raises `ReaderLeft` when its reader has closed it."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderLeft from None


def standard_output() -> BinaryIO:
    """Standard output as bytes, after what was printed to it."""
    sys.stdout.flush()
    return sys.stdout.buffer


def run(command: click.Command) -> None:
    """Runs `command` as the process: data on standard output, everything else on standard error.

    An error ends with one line and exit code 1, wrong usage with one line and 2, Ctrl-C with 130, a closed pipe silently.
    """
    from bpe_transformer.cli.support.error_messages import failure_message, is_out_of_memory, print_error, usage_message

    if sys.stdout is None:  # `>&-`: output would go to the first file that is opened
        sys.exit("error: standard output is closed; send it somewhere, such as /dev/null")
    _told[:] = [lambda: "nothing half-written was left"]
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")  # read when `datasets` is imported; ours are drawn
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale without Hangul gets \\uXXXX, not a traceback
            stream.reconfigure(errors="backslashreplace")
    try:
        command.main(prog_name="bpe-transformer", standalone_mode=False)
        write_data(b"")  # flushes here, where a closed pipe is still caught
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as problem:
        print_error(usage_message(problem))
        sys.exit(problem.exit_code)
    except ReaderLeft:
        # stdout points elsewhere, so that the interpreter's last flush stays quiet
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except (click.Abort, KeyboardInterrupt):
        say(f"interrupted: {_told[-1]()}")
        sys.exit(130)
    except Exception as problem:
        if is_out_of_memory(problem):
            print_error(failure_message(problem if isinstance(problem, OSError) else MemoryError()))
            sys.stderr.flush()
            os._exit(1)  # what libraries do at the end of the interpreter crashes where memory has run out
        if not isinstance(problem, (BpeTransformerError, OSError)):
            raise
        print_error(failure_message(problem))
        sys.exit(1)


def tell_when_interrupted(what: Callable[[], str]) -> None:
    """Makes the last line of this command, where Ctrl-C ends it from here on, say `what`: how to go on."""
    _told.append(what)


@contextmanager
def telling_when_interrupted(what: Callable[[], str]) -> Iterator[None]:
    """`tell_when_interrupted` for a block."""
    _told.append(what)
    yield
    _told.pop()  # not after Ctrl-C, when the last line is still to be written


def messages(width: int | None = None) -> Console:
    """The console for everything that is not data: standard error."""
    return _console(width, to_stderr=True)


def output(width: int | None = None) -> Console:
    """The console for views: standard output. Plain when piped; `width` fixes the layout.

    Raises `ConfigError` for a terminal that is too narrow to draw in.
    """
    console = _console(width, to_stderr=False)
    if console.width < LEAST_WIDTH:
        raise ConfigError(
            f"the terminal is {times(console.width, 'column')} wide and pictures need {LEAST_WIDTH}; "
            "widen it, or go on with --width 80 or --json"
        )
    return console


def _console(width: int | None, *, to_stderr: bool) -> Console:
    from rich.console import Console
    from rich.segment import Segment

    class TrimmedConsole(Console):
        """A console that strips the trailing blanks with which tables are padded, except on a terminal.

        Strings are not markup: `[red]` and `:cat:` in the name of a file are printed as they are.
        """

        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(printable_layout(text), **options)

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                text, style, control = segment
                yield segment if control or text.isprintable() else Segment(printable_layout(text), style)

        def print(self, *objects: Any, **options: Any) -> None:
            if self.is_terminal or self.record:
                return super().print(*objects, **options)
            with self.capture() as captured:
                super().print(*objects, **options)
            lines = captured.get().split("\n")
            try:
                self.file.write("\n".join(line.rstrip(" ") for line in lines))
                self.file.flush()
            except BrokenPipeError:
                self.on_broken_pipe()

        def on_broken_pipe(self) -> None:
            raise ReaderLeft  # Rich would exit with 1

    return TrimmedConsole(width=width, stderr=to_stderr, highlight=False, markup=False, emoji=False)


def print_json(data: object) -> None:
    """The `--json` form of a view, on standard output."""
    write_data(f"{printable_json(data)}\n".encode())


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress display on standard error; add tasks to it with `add_task(description, total=…)`.

    `add_task(…, unit="bytes")` shows sizes, any other task plain numbers. It appears with the first work that is reported,
    so there is none before an early error. Nothing is drawn when standard error is not a terminal.
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
    from rich.table import Column
    from rich.text import Text

    class Amount(ProgressColumn):
        def render(self, task: Task) -> Text:
            written = decimal if task.fields.get("unit") == "bytes" else "{:,}".format
            total = "?" if task.total is None else written(int(task.total))
            return Text(f"{written(int(task.completed))} of {total}")

    class ProgressOfWork(Progress):
        def add_task(self, description: str, *arguments: Any, **options: Any) -> TaskID:
            return super().add_task(printable(description), *arguments, **options)

        def update(self, task_id: TaskID, **changes: Any) -> None:
            if not self.live.is_started and (changes.get("completed") or changes.get("advance")):
                self.start()
            super().update(task_id, **changes)

        def stop(self) -> None:
            if self.live.is_started:
                super().stop()

    console = messages()
    room = max(10, console.width - _FIGURES)
    described = Column(no_wrap=True, overflow="ellipsis", max_width=room)
    display = ProgressOfWork(
        TextColumn("{task.description}", markup=False, table_column=described),
        BarColumn(bar_width=None, table_column=Column(max_width=40)),
        *(kind(table_column=Column(no_wrap=True)) for kind in (Amount, TimeElapsedColumn, TimeRemainingColumn)),
        console=console,
        disable=not console.is_terminal,
    )
    try:
        yield display
    finally:
        display.stop()


def reporter(display: Progress, label: str, unit: str | None = None) -> Callable[[int, int], None]:
    """A `progress(done, total)` callback that draws a bar, which appears with the first report; a total of 0 means unknown."""
    task: list[TaskID] = []

    def report(done: int, total: int) -> None:
        if not task:
            task.append(display.add_task(label, total=total or None, unit=unit))
        display.update(task[0], completed=done, total=total or None)

    return report


def stdin_bytes() -> BinaryIO:
    """Standard input as bytes; on a terminal, with a hint how to end it."""
    if sys.stdin is None:
        raise click.ClickException("standard input is closed; give it something to read, such as /dev/null")
    if sys.stdin.isatty():
        say("reading standard input; end with Ctrl-D")
    return sys.stdin.buffer


def tell(lines: Iterable[str]) -> None:
    """Prints lines to standard error as they are."""
    for line in lines:
        messages().print(line, markup=False, highlight=False, soft_wrap=True)


def say_ledger(ledger: Ledger, prefix: str = "") -> None:
    """Prints a line for each stage: what came in, and what became of it."""
    tell(f"{prefix}{printable(str(stage))}" for stage in ledger.stages)


def show_ledger(ledger: Ledger, *, title: str | None = None) -> None:
    """Prints a ledger as a table, with the places of the first examples of what was lost, and its notes."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for heading in ("stage", "outcome", "reason"):
        table.add_column(heading)
    for heading in ("examples", "bytes"):
        table.add_column(heading, justify="right")
    console = messages()
    for row in ledger.rows():
        table.add_row(row.stage, row.outcome, escape(row.reason), f"{row.examples:,}", f"{row.bytes:,}")
    console.print(table)
    for row in ledger.rows():
        if row.places:
            more = ", …" if row.examples > len(row.places) else ""
            line = f"{row.stage}: {row.outcome}, {row.reason}: {', '.join(row.places)}{more}"
            console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)
    from bpe_transformer.cli.support.python_names import with_options

    for note in ledger.notes:
        console.print(with_options(note), style="dim", markup=False, highlight=False)


def say_peak_memory() -> None:
    """Says how much memory this process had at most: what the driver of a cluster needs does not grow with the data."""
    import resource

    say(f"driver: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB of memory at most")
