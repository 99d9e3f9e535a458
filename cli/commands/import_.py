"""`bpe-transformer import`: a tokenizer in any known format, saved as ours."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from bpe_transformer.cli.support.console import write_data
from bpe_transformer.cli.support.tokenizer_argument import named_file
from bpe_transformer.errors import FormatError


@click.command(
    epilog="""\b
Examples:
  bpe-transformer import tokenizer.model -o tok
  bpe-transformer import cl100k_base.tiktoken -o tok --special '<|endoftext|>=100257'
  bpe-transformer import my.tiktoken -o tok --pattern o200k
  bpe-transformer import vocab.json merges.txt -o tok
  bpe-transformer import codes.txt vocabulary.txt -o tok
  bpe-transformer import - -o - < tokenizer.model > tokenizer.json
"""
)
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o", "--out", required=True, type=click.Path(), help="Directory for tokenizer.json; - for standard output."
)
@click.option("--pattern", metavar="NAME|REGEX", help="How ranks or merges split text, which they do not say.")
@click.option("--special", multiple=True, metavar="TOKEN=ID", help="A special token of a file of ranks, repeatable.")
def command(files: tuple[str, ...], out: str, pattern: str | None, special: tuple[str, ...]) -> None:
    """Read FILES, find out their format by what they hold, and save the tokenizer in a directory.

    One file may be -, for standard input.

    Read are tokenizer.json, .tiktoken ranks, vocab.json with merges.txt, SentencePiece models of type BPE, subword-nmt
    codes (and their vocabulary), nanochat's tokenizer.pkl, or a directory that holds one of them. The package that the
    format belongs to, where it is installed, has to give equal ids for a probe text. What would encode otherwise than it
    should is refused, and nothing is written then.
    """
    told: dict[str, Any] = {"pattern": pattern, "special_tokens": _specials(special)}
    told = {name: value for name, value in told.items() if value}
    with ExitStack() as opened:
        learned = _read(tuple(opened.enter_context(named_file(file)) for file in files), told)
    if out == "-":
        with tempfile.TemporaryDirectory() as folder:
            learned.save(folder)
            write_data(Path(folder, "tokenizer.json").read_bytes())
    else:
        learned.save(out)
    place = "to standard output" if out == "-" else Path(out) / "tokenizer.json"
    model = learned.model
    click.echo(
        f"read {len(model.left):,} merges, {len(model.special_tokens):,} special and {len(model.added_tokens):,} added tokens; "
        f"pattern {model.pretokenizer}; saved {place}: {learned.vocab_size:,} ids",
        err=True,
    )


def _read(files: tuple[str, ...], told: dict[str, Any]) -> Any:
    from bpe_transformer import Tokenizer

    if len(files) == 1:
        return Tokenizer.from_file(files[0], verify=True, **told)
    if len(files) > 2:
        raise FormatError(
            f"{len(files)} files are given; a tokenizer is in one, or in two as vocab.json and merges.txt"
        )
    names = {Path(file).suffix: file for file in files}
    if ".json" in names:
        vocab = names.pop(".json")
        return Tokenizer.from_gpt2(vocab, next(iter(names.values()), files[1]), **told)
    if told:
        raise FormatError(f"subword-nmt codes take no {' and '.join(told)}; leave them out")
    return Tokenizer.from_subword_nmt(files[0], files[1])


def _specials(given: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in given:
        text, _, id = item.rpartition("=")
        if not text or not id.isdecimal() or not id.isascii():
            raise click.BadParameter(
                f"{item!r} is not TOKEN=ID, such as '<|endoftext|>=100257'", param_hint="--special"
            )
        found[text] = int(id)
    return found
