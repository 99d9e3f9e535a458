"""`bpe-transformer export`: a tokenizer in another format."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import say, write_data
from bpe_transformer.cli.support.options import output_option, overwrite_option, tokenizer_argument
from bpe_transformer.cli.support.outputs import claim_output, replacing
from bpe_transformer.cli.support.tokenizer_files import named_file, open_tokenizer

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
  bpe-transformer export tok -o tok.tiktoken
  bpe-transformer export tok -o tokenizer.json
  bpe-transformer export tok -o gpt2-files --format gpt2
  bpe-transformer export - -o - --format nanochat < tokenizer.json > tokenizer.pkl
"""
)
@tokenizer_argument
@output_option("File to write (gpt2: folder of vocab.json and merges.txt); - for standard output.", kind="any")
@overwrite_option
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Format. [what the output's ending says]")
def command(tokenizer: str, output: str, overwrite: bool, form: str | None) -> None:
    """Write TOKENIZER, in any format that import reads, to a file in another one; it may be -, for standard input.

    What is written is read back and has to give equal ids on a probe text, and the package that the format belongs to has
    to agree where it is installed. What a format cannot hold is refused, and nothing is written then.
    """
    form = form or ("tokenizer.json" if output == "-" else _BY_SUFFIX.get(Path(output).suffix))
    if form is None:
        raise click.UsageError(
            f"the ending of {output} names no format; choose one with --format: {', '.join(_FORMATS)}"
        )
    if output == "-" and form == "gpt2":
        raise click.UsageError("gpt2 is two files, which standard output cannot hold; name a folder")
    if output != "-":
        claim_output(output)
    from bpe_transformer.tokenizer.formats import export

    with named_file(tokenizer) as file:
        learned = open_tokenizer(file)
    if output == "-":
        with tempfile.TemporaryDirectory() as folder:
            package = export(learned.codec, Path(folder, "output"), form)
            write_data(Path(folder, "output").read_bytes())
    else:
        with replacing(output, overwrite=overwrite) as path:
            package = export(learned.codec, path, form)
    checked = "read back with equal ids" + (f", also by {package}" if package else "")
    name = "standard output" if output == "-" else output
    say(f"wrote {name}: {learned.vocab_size:,} ids as {form}; {checked}")
    if left := _left_out(learned, form):
        say(f"the format has no place for {left}: give them when it is loaded")


def _left_out(tokenizer: Tokenizer, form: str) -> str:
    if form == "tiktoken":
        specials = " ".join(f"{text}={id}" for text, id in tokenizer.special_tokens.items())
        return f"the pattern {tokenizer.pattern}" + (f" and the special tokens {specials}" if specials else "")
    return "the alphabet and the ids" if form == "subword-nmt" else ""
