"""`bpe-transformer export`: a tokenizer in another format."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import write_data
from bpe_transformer.cli.support.tokenizer_argument import named_file, open_tokenizer

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer

_FORMATS = ("tokenizer.json", "tiktoken", "gpt2", "sentencepiece", "subword-nmt", "nanochat")
_BY_SUFFIX = {
    ".json": "tokenizer.json",
    ".tiktoken": "tiktoken",
    ".model": "sentencepiece",
    ".codes": "subword-nmt",
    ".pkl": "nanochat",
}


@click.command(
    epilog="""\b
Examples:
  bpe-transformer export tok tok.tiktoken
  bpe-transformer export tok tokenizer.json
  bpe-transformer export tok gpt2-files --format gpt2
  bpe-transformer export - - --format nanochat < tokenizer.json > tokenizer.pkl
"""
)
@click.argument("tokenizer", type=click.Path())
@click.argument("out", type=click.Path())
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Default: what OUT's ending says.")
def command(tokenizer: str, out: str, form: str | None) -> None:
    """Write TOKENIZER, in any format that import reads, to the file OUT (gpt2: to vocab.json and merges.txt in OUT).

    Either may be -, for standard input and output.

    What is written is read back and has to give equal ids on a probe text, and the package that the format belongs to has
    to agree where it is installed. What a format cannot hold is refused, and nothing is written then.
    """
    form = form or ("tokenizer.json" if out == "-" else _BY_SUFFIX.get(Path(out).suffix))
    if form is None:
        raise click.UsageError(f"the ending of {out} names no format; choose one with --format: {', '.join(_FORMATS)}")
    if out == "-" and form == "gpt2":
        raise click.UsageError("gpt2 is two files, which standard output cannot hold; name a directory")
    from bpe_transformer.tokenizer.formats import export

    with named_file(tokenizer) as file:
        learned = open_tokenizer(file)
    if out == "-":
        with tempfile.TemporaryDirectory() as folder:
            package = export(learned.codec, Path(folder, "output"), form)
            write_data(Path(folder, "output").read_bytes())
    else:
        package = export(learned.codec, out, form)
    checked = "read back with equal ids" + (f", also by {package}" if package else "")
    name = "standard output" if out == "-" else out
    click.echo(f"wrote {name}: {learned.vocab_size:,} ids as {form}; {checked}", err=True)
    if left := _left_out(learned, form):
        click.echo(f"the format has no place for {left}: give them when it is loaded", err=True)


def _left_out(tokenizer: Tokenizer, form: str) -> str:
    if form == "tiktoken":
        specials = " ".join(f"{text}={id}" for text, id in tokenizer.special_tokens.items())
        return f"the pattern {tokenizer.pattern}" + (f" and the special tokens {specials}" if specials else "")
    return "the alphabet and the ids" if form == "subword-nmt" else ""
