"""`bpe-transformer vocab`: browse and search a vocabulary, and see which tokens a corpus uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast, get_args

import click

from bpe_transformer.cli.support.console import output, print_json, progress
from bpe_transformer.cli.support.options import (
    errors_option,
    file_option,
    limit_option,
    source_dir_option,
    split_option,
    text_option,
    view_options,
)
from bpe_transformer.cli.support.text_input import file_text, literal_text, say_read, total_bytes
from bpe_transformer.cli.support.tokenizer_files import open_tokenizer
from bpe_transformer.cli.support.training.trained_tokens import TRAINED_SORTS, refuse_other_options, show_trained_tokens

if TYPE_CHECKING:
    from bpe_transformer.inspection.tokens.chunked_text import ChunkedText
    from bpe_transformer.inspection.vocabulary.vocab_browser import SortKey, TokenGroup, VocabBrowser
    from bpe_transformer.io import Errors

Bounds = tuple["int | None", "int | None"]

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
  bpe-transformer vocab --run runs/numbers
  bpe-transformer vocab --run runs/numbers --sort pays
"""
)
@click.argument("tokenizer", metavar="[TOKENIZER]", required=False)
@click.option(
    "--run", metavar="RUN", help="Show what training made of the tokens of this model, in place of TOKENIZER."
)
@click.option("--prefix", metavar="TEXT", help="Tokens that begin so; a space as it is, or as ·.")
@click.option("--contains", metavar="TEXT", help="Tokens that hold this text.")
@click.option("--script", metavar="NAME", help="Tokens of one script, such as Hangul, mixed or 'partial bytes'.")
@click.option("--chars", type=Range(), metavar="A:B", help="Tokens of A to B characters.")
@file_option("Count use in this file, of any format, compressed or not, or - for standard input; repeatable.")
@text_option
@click.option("--used", type=Range(), metavar="A:B", help="Tokens that occur A to B times in the files.")
@click.option("--only", type=click.Choice(GROUPS), help="Tokens of this kind; the first four need --file or --text.")
@click.option("--special", is_flag=True, help="The same as --only special.")
@click.option(
    "--sort",
    type=click.Choice((*SORTS, *TRAINED_SORTS)),
    help="Numbers: largest first. [rank; with --run: undertrained]",
)
@click.option("--reverse", is_flag=True, help="The other way round.")
@limit_option(20, "tokens")
@click.option("--all", "everything", is_flag=True, help="Show every token found.")
@source_dir_option
@split_option("Split that the model was trained on, with --run.")
@errors_option()
@view_options
def command(
    tokenizer: str | None,
    run: str | None,
    files: tuple[str, ...],
    texts: tuple[str, ...],
    prefix: str | None,
    contains: str | None,
    script: str | None,
    chars: Bounds | None,
    used: Bounds | None,
    special: bool,
    only: str | None,
    sort: str | None,
    reverse: bool,
    limit: int,
    everything: bool,
    source_dir: str | None,
    split: str,
    errors: Errors,
    as_json: bool,
    width: int | None,
) -> None:
    """Browse the vocabulary of TOKENIZER, and see what files use of it.

    With --file or --text: tokens that are never used (idle), that only others are made of (scaffold), and what pruning would
    save. --only unreachable finds tokens that no text is ever encoded to, and says why.

    With --run: tokens that training never saw or hardly trained, by the vectors of the model; the loss of each token on the
    validation rows of the run's corpus (or on --file, --text), and which tokens pay: cost less than their bytes otherwise do.
    """
    if (tokenizer is None) == (run is None):
        raise click.UsageError("give either TOKENIZER or --run RUN, whose tokenizer is looked at with its model")
    most = None if everything else limit
    if run is not None:
        chosen = {"prefix": prefix, "contains": contains, "script": script, "chars": chars, "used": used}
        refuse_other_options({**chosen, "special": special, "only": only, "reverse": reverse})
        if sort is not None and sort not in TRAINED_SORTS:
            raise click.UsageError(f"--sort {sort} is for a tokenizer; with --run choose {', '.join(TRAINED_SORTS)}")
        show_trained_tokens(
            run, files=files, texts=texts, source_dir=source_dir, split=split, sort=sort or TRAINED_SORTS[0],
            limit=most, errors=errors, as_json=as_json, width=width,
        )  # fmt: skip
        return
    _check_choices(sort, special, only)
    console = None if as_json else output(width)
    corpus = [*(file_text(path, errors) for path in files), *(literal_text(text, errors) for text in texts)]
    view = _browser(str(tokenizer), corpus).view(
        prefix=prefix,
        contains=contains,
        script=script,
        chars=chars or (None, None),
        used=used or (None, None),
        group=cast("TokenGroup | None", "special" if special else only),
        sort=cast("SortKey", sort or SORTS[1]),
        reverse=reverse,
        limit=most,
    )
    print_json(view.as_dict()) if console is None else console.print(view)
    say_read(corpus)


def _check_choices(sort: str | None, special: bool, only: str | None) -> None:
    if sort is not None and sort not in SORTS:
        raise click.UsageError(f"--sort {sort} needs --run, since training decides it; or choose {', '.join(SORTS)}")
    if special and only not in (None, "special"):
        raise click.UsageError("--special and --only contradict each other; give one of them")


def _browser(tokenizer: str, corpus: Sequence[ChunkedText]) -> VocabBrowser:
    from bpe_transformer.inspection.vocabulary.vocab_browser import SortKey, TokenGroup, VocabBrowser

    assert get_args(SortKey) == SORTS and get_args(TokenGroup) == GROUPS  # noqa: PT018  # written out here so that --help is quick
    learned = open_tokenizer(tokenizer)
    with progress() as display:
        task = display.add_task("encoding", total=total_bytes(corpus), unit="bytes", visible=bool(corpus))
        return VocabBrowser(learned, corpus, progress=lambda done: display.update(task, completed=done))
