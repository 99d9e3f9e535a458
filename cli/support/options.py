"""The options that several commands have: each is declared here once, with its name, its help and its default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import click

from bpe_transformer.cli.support.console import LEAST_WIDTH

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def is_typed(name: str) -> bool:
    """Whether the command line gives this parameter of the command that runs."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def whole_number(least: int) -> click.IntRange:
    """The type of an option that is a whole number from `least` on; its metavar is N."""
    return click.IntRange(min=least)


def tokenizer_argument(command: Command) -> Command:
    """The argument TOKENIZER: a folder, or a file in any format that `import` reads."""
    return click.argument("tokenizer", metavar="TOKENIZER")(command)


def tokenizer_option(help: str, *, required: bool = False) -> Decorator:
    """`--tokenizer DIR`, as the argument `tokenizer`."""
    return click.option("--tokenizer", metavar="DIR", required=required, help=help)


def output_option(
    help: str, *, kind: Literal["file", "folder", "any"], metavar: str | None = None, required: bool = True
) -> Decorator:
    """`-o` and `--output`, as the argument `output`; its metavar is FILE or DIR unless it is given."""
    path = click.Path(file_okay=kind != "folder", dir_okay=kind != "file")
    shown = metavar or ("DIR" if kind == "folder" else "FILE")
    return click.option("-o", "--output", metavar=shown, required=required, type=path, help=help)


def overwrite_option(command: Command) -> Command:
    """`--overwrite`; `support.outputs` refuses without it."""
    return click.option("--overwrite", is_flag=True, help="Replace what the output holds.")(command)


def text_option(command: Command) -> Command:
    """`--text TEXT`, repeatable, as the argument `texts`: always the text itself, never the name of a file."""
    return click.option("--text", "texts", multiple=True, metavar="TEXT", help="This text itself; repeatable.")(command)


def file_option(
    help: str = "Read this file, of any format, compressed or not, or - for standard input; repeatable.",
    metavar: str = "FILE",
) -> Decorator:
    """`--file FILE`, repeatable, as the argument `files`."""
    return click.option("--file", "files", multiple=True, metavar=metavar, help=help)


def errors_option(*more: str) -> Decorator:
    """`--errors`: what to do with bytes that are not UTF-8; `more` are choices beside strict and replace."""
    choices = click.Choice(["strict", "replace", *more])
    text = "Bytes that are not UTF-8: refuse them, put U+FFFD in their place" + (", or keep them." if more else ".")
    return click.option("--errors", type=choices, default="strict", show_default=True, help=text)


def limit_option(default: int, what: str, least: int = 0) -> Decorator:
    """`--limit N`: how many of `what` are shown."""
    return click.option(
        "--limit",
        type=whole_number(least),
        default=default,
        show_default=True,
        metavar="N",
        help=f"Show at most so many {what}.",
    )


def threads_option(command: Command) -> Command:
    """`--threads N`: all cores by default."""
    return click.option("--threads", type=whole_number(1), metavar="N", help="Threads to use. [all cores]")(command)


def source_dir_option(command: Command) -> Command:
    """`--from DIR`, as the argument `source_dir`."""
    text = "Folder with the files of a public corpus."
    return click.option("--from", "source_dir", metavar="DIR", help=text)(command)


def split_option(help: str = "Split of the corpora, or a share of one: test, train[:1000].") -> Decorator:
    """`--split SPLIT`: train by default."""
    return click.option("--split", default="train", show_default=True, metavar="SPLIT", help=help)


def json_option(command: Command) -> Command:
    """`--json`, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the same facts as JSON.")(command)


def width_option(command: Command) -> Command:
    """`--width N`, in columns: that of the terminal by default."""
    text = "Draw this many columns wide. [the terminal's width]"
    return click.option("--width", type=whole_number(LEAST_WIDTH), metavar="N", help=text)(command)


def view_options(command: Command) -> Command:
    """`--json` and `--width`, which every view has, as the arguments `as_json` and `width`."""
    return json_option(width_option(command))


class WholeNumbers(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # a generic in some releases of click
    """The type of an option that takes whole numbers: N,N,…"""

    name = "N,N,…"

    def __init__(self, example: str) -> None:
        self.example = example

    def convert(
        self, value: str | tuple[int, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(size.replace("_", "")) for size in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers; write them like {self.example}", param, ctx)


class Share(click.ParamType[float]):
    """A share, written as 0.1% or 0.001."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"{value!r} is not a share; write it like 0.1% or 0.001", param, ctx)
        return share


def fail_above_option(command: Command) -> Command:
    """`--fail-above SHARE`."""
    text = "Fail when a stage drops, truncates or replaces more than this share of its data, as 0.1%. [say it only]"
    return click.option("--fail-above", type=Share(), metavar="SHARE", help=text)(command)


def cluster_option(command: Command) -> Command:
    """`--cluster ADDRESS`."""
    text = "Work on a Ray cluster: ray starts one here; ray://HOST:PORT, HOST:PORT or auto name one. [this process]"
    return click.option("--cluster", metavar="ADDRESS", help=text)(command)
