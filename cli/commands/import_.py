"""`bpe-transformer import`: a tokenizer in any known format, saved as tokenizer.json."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import say, write_data
from bpe_transformer.cli.support.options import output_option, overwrite_option
from bpe_transformer.cli.support.outputs import claim_output, save_tokenizer
from bpe_transformer.cli.support.tokenizer_files import named_file
from bpe_transformer.errors import FormatError

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer


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
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@output_option("Folder for tokenizer.json; - for standard output.", kind="folder")
@overwrite_option
@click.option("--pattern", metavar="NAME|REGEX", help="How ranks or merges split text, which they do not say.")
@click.option("--special", multiple=True, metavar="TOKEN=ID", help="A special token of a file of ranks; repeatable.")
def command(
    files: tuple[str, ...], output: str, overwrite: bool, pattern: str | None, special: tuple[str, ...]
) -> None:
    """Read FILEs, find out their format by what they hold, and save the tokenizer in a folder.

    One file may be -, for standard input.

    Read are tokenizer.json, .tiktoken ranks, vocab.json with merges.txt, SentencePiece models of type BPE, subword-nmt
    codes (and their vocabulary), nanochat's tokenizer.pkl, or a folder that holds one of them. The package that the
    format belongs to, where it is installed, has to give equal ids for a probe text. What would encode otherwise than it
    should is refused, and nothing is written then.
    """
    if output != "-":
        claim_output(output)
    with ExitStack() as opened:
        learned = _read(tuple(opened.enter_context(named_file(file)) for file in files), pattern, _specials(special))
    if output == "-":
        with tempfile.TemporaryDirectory() as folder:
            learned.save(folder)
            write_data(Path(folder, "tokenizer.json").read_bytes())
    else:
        save_tokenizer(learned, output, overwrite=overwrite)
    place = "to standard output" if output == "-" else Path(output) / "tokenizer.json"
    model = learned.model
    say(
        f"read {len(model.left):,} merges, {len(model.special_tokens):,} special and {len(model.added_tokens):,} added tokens; "
        f"pattern {model.pretokenizer}; saved {place}: {learned.vocab_size:,} ids",
    )


def _read(files: tuple[str, ...], pattern: str | None, specials: dict[str, int]) -> Tokenizer:
    from bpe_transformer import Tokenizer

    if len(files) == 1:
        return Tokenizer.from_file(files[0], verify=True, pattern=pattern, special_tokens=specials or None)
    if len(files) > 2:
        raise FormatError(
            f"{len(files)} files are given; a tokenizer is in one, or in two as vocab.json and merges.txt"
        )
    names = {Path(file).suffix: file for file in files}
    if ".json" in names:
        vocab = names.pop(".json")
        return Tokenizer.from_gpt2(
            vocab, next(iter(names.values()), files[1]), pattern=pattern, special_tokens=specials or None
        )
    if pattern or specials:
        raise FormatError("subword-nmt codes take neither --pattern nor --special; leave them out")
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
