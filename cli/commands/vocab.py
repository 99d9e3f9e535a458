"""`bpe-transformer vocab`: browse and search a vocabulary, and see which tokens a corpus uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import click

from bpe_transformer.cli.support.console import output, print_json, progress
from bpe_transformer.cli.support.options import (
    errors_option,
    file_option,
    limit_option,
    text_option,
    tokenizer_argument,
    view_options,
)
from bpe_transformer.cli.support.text_input import file_text, literal_text, total_bytes
from bpe_transformer.cli.support.tokenizer_files import open_tokenizer

if TYPE_CHECKING:
    from bpe_transformer.io import Errors

SORTS = ("id", "rank", "bytes", "chars", "text", "script", "used", "swallowed", "merge_count", "uses")
GROUPS = ("used", "scaffold", "idle", "unused", "unreachable", "special", "partial")


class Range(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # a generic in some releases of click
    """The type of an option that takes a range: A:B, A: or :B, both ends included, or a single number."""

    name = "A:B"

    def convert(
        self, value: str | tuple[int | None, int | None], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | None, int | None]:
        if isinstance(value, tuple):
            return value
        least, colon, most = value.partition(":")
        try:
            if not colon:
                return int(least), int(least)
            return (int(least) if least else None), (int(most) if most else None)
        except ValueError:
            self.fail(f"{value!r} is not a range; write 3:8, 3:, :8 or 3", param, ctx)


@click.command(
    epilog="""\b
Examples:
  bpe-transformer vocab tok
  bpe-transformer vocab tok --prefix " re" --sort chars
  bpe-transformer vocab tok --script Hangul --chars 4:
  bpe-transformer vocab tok --file corpus.txt --only idle
  bpe-transformer vocab tok --file corpus.txt --sort swallowed --limit 50
"""
)
@tokenizer_argument
@click.option("--prefix", metavar="TEXT", help="Tokens that begin so; a space as it is, or as ·.")
@click.option("--contains", metavar="TEXT", help="Tokens that hold this text.")
@click.option("--script", metavar="NAME", help="Tokens of one script, such as Hangul, mixed or 'partial bytes'.")
@click.option("--chars", type=Range(), metavar="A:B", help="Tokens of A to B characters.")
@file_option("Count use in this file, whatever its format and packing, or - for standard input; repeatable.")
@text_option
@click.option("--used", type=Range(), metavar="A:B", help="Tokens that occur A to B times in the files.")
@click.option("--only", type=click.Choice(GROUPS), help="Tokens of this kind; the first four need --file or --text.")
@click.option("--special", is_flag=True, help="The same as --only special.")
@click.option("--sort", type=click.Choice(SORTS), default="rank", show_default=True, help="Numbers: largest first.")
@click.option("--reverse", is_flag=True, help="The other way round.")
@limit_option(20, "tokens")
@click.option("--all", "everything", is_flag=True, help="Show every token found.")
@errors_option()
@view_options
def command(
    tokenizer: str,
    prefix: str | None,
    contains: str | None,
    script: str | None,
    chars: tuple[int | None, int | None] | None,
    files: tuple[str, ...],
    texts: tuple[str, ...],
    used: tuple[int | None, int | None] | None,
    only: str | None,
    special: bool,
    sort: str,
    reverse: bool,
    limit: int,
    everything: bool,
    errors: Errors,
    as_json: bool,
    width: int | None,
) -> None:
    """Browse the vocabulary of TOKENIZER, and see what files use of it.

    With --file or --text: tokens that are never used (idle), that only others are made of (scaffold), and what pruning would
    save. --only unreachable finds tokens that no text is ever encoded to, and says why.
    """
    if special and only not in (None, "special"):
        raise click.UsageError("--special and --only contradict each other; give one of them")
    from bpe_transformer.inspection.vocabulary.vocab_browser import SortKey, TokenGroup, VocabBrowser

    assert get_args(SortKey) == SORTS and get_args(TokenGroup) == GROUPS  # noqa: PT018  # written out here so that --help is quick
    console = None if as_json else output(width)
    learned = open_tokenizer(tokenizer)
    corpus = [*(file_text(path, errors) for path in files), *(literal_text(text, errors) for text in texts)]
    with progress() as display:
        task = display.add_task("encoding", total=total_bytes(corpus), unit="bytes", visible=bool(corpus))
        vocabulary = VocabBrowser(learned, corpus, progress=lambda done: display.update(task, completed=done))
    view = vocabulary.view(
        prefix=prefix,
        contains=contains,
        script=script,
        chars=chars or (None, None),
        used=used or (None, None),
        group="special" if special else only,  # type: ignore[arg-type]  # one of the choices
        sort=sort,  # type: ignore[arg-type]  # one of the choices
        reverse=reverse,
        limit=None if everything else limit,
    )
    if console is None:
        print_json(view.as_dict())
    else:
        console.print(view)
