"""The options of `count` and `learn` for what is counted and how texts are split, as two dataclasses."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import click

from bpe_transformer.cli.support.options import (
    errors_option,
    fail_above_option,
    source_dir_option,
    split_option,
    threads_option,
    whole_number,
)

if TYPE_CHECKING:
    from bpe_transformer import Pretokenizer
    from bpe_transformer.io import Errors

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True)
class CountingOptions:
    """The options for counting: which texts of the corpora, their weights, and the memory to use."""

    documents: str
    word_list: bool
    columns: str | None  # NAME,NAME
    weights: tuple[float, ...]
    temperature: float | None
    min_count: int
    max_memory: str | None
    max_word_bytes: str
    max_row_bytes: str
    threads: int | None
    source_dir: str | None
    split: str
    errors: Errors
    recursive: bool
    keep_partial: bool
    fail_above: float | None


@dataclass(frozen=True)
class SplittingOptions:
    """The options for splitting texts into pre-tokens; None or empty if not given."""

    pattern: str | None
    normalization: Literal["NFC", "NFD", "NFKC", "NFKD"] | None
    protect: tuple[str, ...]
    protect_regex: tuple[str, ...]

    def pretokenizer(self, default: str) -> Pretokenizer | None:
        """The pre-tokenizer of the options; None if none of them is given."""
        from bpe_transformer import Pretokenizer

        if not given(self):
            return None
        protected = (*map(re.escape, self.protect), *self.protect_regex)
        return Pretokenizer(self.pattern or default, self.normalization, protected)


def given(options: SplittingOptions) -> list[str]:
    """The options that are set, as they are typed."""
    return ["--" + field.name.replace("_", "-") for field in fields(options) if getattr(options, field.name)]


def counting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that the command gets as one argument, `counting`."""
    option = click.option
    return as_dataclass(
        CountingOptions,
        "counting",
        option("--documents", default="file", metavar="WHAT", help="Of a text file: file, line, or the text between. [file]"),
        option("--word-list", is_flag=True, help="The corpora are lists of lines word<TAB>count."),
        option("--columns", metavar="NAME,NAME", help="Columns to count, of files with columns. [all text columns]"),
        option("--weight", "weights", multiple=True, type=float, metavar="W", help="One a corpus, in order; or CORPUS:W."),
        option("--temperature", type=float, metavar="T", help="Even out the corpora's sizes: 1 keeps them."),
        option("--min-count", type=whole_number(1), default=1, metavar="N", help="Leave out words that are rarer. [1]"),
        option("--max-memory", metavar="SIZE", help="Such as 2GB: tables that would grow larger go to disk. [no limit]"),
        option("--max-word-bytes", default="16MiB", metavar="SIZE", help="Refuse longer pre-tokens. [16MiB]"),
        option("--max-row-bytes", default="128MiB", metavar="SIZE", help="Refuse longer rows of tables. [128MiB]"),
        threads_option,
        source_dir_option,
        split_option(),
        errors_option(),
        option("--recursive", is_flag=True, help="Read the subfolders of a folder too."),
        option("--keep-partial", is_flag=True, help="On Ctrl-C, keep what was reached."),
        fail_above_option,
    )(command)  # fmt: skip


def splitting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that the command gets as one argument, `splitting`."""
    option, forms = click.option, click.Choice(["NFC", "NFD", "NFKC", "NFKD"])
    return as_dataclass(
        SplittingOptions,
        "splitting",
        option("--pattern", metavar="NAME|REGEX", help="Such as o200k, cl100k, gpt2, whitespace. [that of counts, else o200k]"),
        option("--normalization", type=forms, help="Unicode form of all text. [none]"),
        option("--protect", multiple=True, metavar="TEXT", help="Never split or merge across this text; repeatable."),
        option("--protect-regex", multiple=True, metavar="REGEX", help="The same for every match; repeatable."),
    )(command)  # fmt: skip


def as_dataclass(kind: type[Any], name: str, *options: Decorator) -> Decorator:
    """A decorator that adds the options, and hands their values to the command as one `kind`, the argument `name`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def collect(**values: Any) -> Any:
            chosen = {field.name: values.pop(field.name) for field in fields(kind)}
            return command(**values, **{name: kind(**chosen)})

        decorated: Callable[..., Any] = collect
        for add in reversed(options):
            decorated = add(decorated)
        return decorated

    return decorate
