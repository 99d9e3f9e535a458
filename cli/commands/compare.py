"""`bpe-transformer compare`: several tokenizers on the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import output, print_json, progress
from bpe_transformer.cli.support.options import errors_option, file_option, limit_option, text_option, view_options
from bpe_transformer.cli.support.text_input import file_text, literal_text, say_read, total_bytes
from bpe_transformer.cli.support.tokenizer_files import open_tokenizer, split_label

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer
    from bpe_transformer.inspection.tokens.chunked_text import ChunkedText
    from bpe_transformer.io import Errors


@click.command(
    epilog="""\b
Examples:
  bpe-transformer compare tok-8k tok-32k --file corpus.txt
  bpe-transformer compare ours=tok theirs=gpt2/tokenizer.json gpt4=cl100k.tiktoken:cl100k --file en=a.txt --file ko=b.txt
  bpe-transformer compare tok-en tok-ko --parallel en=train.en ko=train.ko
"""
)
@click.argument("tokenizers", nargs=-1, required=True, metavar="[LABEL=]TOKENIZER...")
@file_option(
    "Measure on this file, of any format, compressed or not, or - for standard input; repeatable.", "[LABEL=]FILE"
)
@text_option
@click.option(
    "--parallel",
    multiple=True,
    nargs=2,
    metavar="[LABEL=]FILE [LABEL=]FILE",
    help="A text and its translation, line by line: parity; repeatable.",
)
@limit_option(5, "words and lines")
@errors_option()
@view_options
def command(
    tokenizers: tuple[str, ...],
    files: tuple[str, ...],
    texts: tuple[str, ...],
    parallel: tuple[tuple[str, str], ...],
    limit: int,
    errors: Errors,
    as_json: bool,
    width: int | None,
) -> None:
    """Measure several TOKENIZERs on the same texts and show where they differ most.

    A tokenizer is a folder or a file: tokenizer.json, ranks of tiktoken (with the pattern after a colon), GPT-2's
    vocab.json and merges.txt, a SentencePiece model. Files with one LABEL, such as a language, are measured together.
    """
    if not files and not texts and not parallel:
        raise click.UsageError(
            "there is no text to compare them on; give --file FILE, --text TEXT or --parallel FILE FILE"
        )
    from bpe_transformer.inspection import compare

    def opened(written: str) -> tuple[str, ChunkedText]:
        label, path = split_label(written)
        return label, file_text(path, errors)

    console = None if as_json else output(width)
    named = _opened_tokenizers(tokenizers)
    pairs = [(opened(reference), opened(translation)) for reference, translation in parallel]
    measured = [opened(file) for file in files]
    for number, text in enumerate(texts, 1):
        label = "the text" if len(texts) == 1 else f"text {number}"
        measured.append((label, literal_text(text, errors, label)))
    size = total_bytes(text for _, text in dict.fromkeys([*measured, *(side for pair in pairs for side in pair)]))
    with progress() as display:
        task = display.add_task("encoding", total=size * len(named), unit="bytes")
        found = compare(
            named, measured, parallel=pairs, limit=limit, progress=lambda done: display.update(task, advance=done)
        )
    if console is None:
        print_json(found.as_dict())
    else:
        console.print(found)
    say_read(text for _, text in [*measured, *(side for pair in pairs for side in pair)])


def _opened_tokenizers(written: Sequence[str]) -> dict[str, Tokenizer]:
    labelled = [split_label(one) for one in written]
    names = [name for name, _ in labelled]
    named: dict[str, Tokenizer] = {}
    for name, rest in labelled:
        unique = rest if names.count(name) > 1 else name
        if unique in named:
            raise click.UsageError(f"{unique} is given twice; name each once, as LABEL={rest}")
        named[unique] = open_tokenizer(rest)
    return named
