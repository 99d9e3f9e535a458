"""`bpe-transformer compare`: several tokenizers on the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bpe_transformer.cli.support.console import output, print_json, progress
from bpe_transformer.cli.support.options import view_options
from bpe_transformer.cli.support.tokenizer_argument import labelled, open_tokenizer

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer


@click.command(
    epilog="""\b
Examples:
  bpe-transformer compare tok-8k tok-32k --text corpus.txt
  bpe-transformer compare ours=tok theirs=gpt2/tokenizer.json gpt4=cl100k.tiktoken:cl100k --text en=a.txt --text ko=b.txt
  bpe-transformer compare tok-en tok-ko --parallel en=train.en ko=train.ko
"""
)
@click.argument("tokenizers", nargs=-1, required=True, metavar="[NAME=]TOKENIZER[:PATTERN]...")
@click.option("--text", "texts", multiple=True, metavar="[LABEL=]FILE", help="Measure on this file, repeatable.")
@click.option(
    "--parallel",
    multiple=True,
    nargs=2,
    metavar="[LABEL=]FILE [LABEL=]FILE",
    help="A text and its translation, line by line: parity, repeatable.",
)
@click.option("--limit", type=click.IntRange(min=0), default=5, show_default=True, help="Words and lines to show.")
@click.option(
    "--errors", type=click.Choice(["strict", "replace"]), default="strict", show_default=True, help="On bad UTF-8."
)
@view_options
def command(
    tokenizers: tuple[str, ...],
    texts: tuple[str, ...],
    parallel: tuple[tuple[str, str], ...],
    limit: int,
    errors: str,
    as_json: bool,
    width: int | None,
) -> None:
    """Measure several TOKENIZERs on the same texts and show where they differ most.

    A tokenizer is a folder or a file: tokenizer.json, ranks of tiktoken (with the pattern after a colon), GPT-2's
    vocab.json and merges.txt, a SentencePiece model. Files with one LABEL, such as a language, are measured together.
    """
    if not texts and not parallel:
        raise click.UsageError("there is no text to compare them on; give --text FILE or --parallel FILE FILE")
    from bpe_transformer.inspection import compare
    from bpe_transformer.inspection.tokens.chunked_text import ChunkedText

    def opened(written: str) -> tuple[str, Any]:
        label, path = labelled(written)
        return label, ChunkedText.file(path, errors)  # type: ignore[arg-type]  # one of the choices

    console = None if as_json else output(width)
    named = _opened_tokenizers(tokenizers)
    pairs = [(opened(reference), opened(translation)) for reference, translation in parallel]
    measured = [opened(text) for text in texts]
    sizes = [_size(text.name) for _, text in dict.fromkeys([*measured, *(side for pair in pairs for side in pair)])]
    with progress() as display:
        task = display.add_task("encoding", total=sum(sizes) * len(named), unit="bytes")
        found = compare(
            named, measured, parallel=pairs, limit=limit, progress=lambda done: display.update(task, advance=done)
        )
    if console is None:
        print_json(found.as_dict())
    else:
        console.print(found)


def _size(path: str) -> int:
    return Path(path).stat().st_size if Path(path).is_file() else 0


def _opened_tokenizers(written: Sequence[str]) -> dict[str, Tokenizer]:
    parts = [labelled(one) for one in written]
    names = [name for name, _ in parts]
    named: dict[str, Tokenizer] = {}
    for name, rest in parts:
        unique = rest if names.count(name) > 1 else name
        if unique in named:
            raise click.UsageError(f"{unique} is given twice; name each once, as NAME={rest}")
        named[unique] = open_tokenizer(rest)
    return named
