"""`bpe-transformer export`: a tokenizer in another format, or a trained model for another library."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import say, write_data
from bpe_transformer.cli.support.options import output_option, overwrite_option
from bpe_transformer.cli.support.outputs import claim_output, replacing
from bpe_transformer.cli.support.tokenizer_files import named_file, open_tokenizer
from bpe_transformer.cli.support.training_options import start_torch
from bpe_transformer.io.printable import times

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer

_FORMATS = ("tokenizer.json", "tiktoken", "gpt2", "sentencepiece", "subword-nmt", "nanochat")
_MODEL_FORMATS = ("transformers", "ctranslate2")
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
  bpe-transformer export tok -o gpt2-files --format gpt2
  bpe-transformer export - -o - --format nanochat < tokenizer.json > tokenizer.pkl
  bpe-transformer export runs/numbers numbers-hf --format transformers
  bpe-transformer export runs/numbers numbers-ct2 --format ctranslate2
"""
)
@click.argument("source", metavar="TOKENIZER|RUN")
@click.argument("target", metavar="[OUTPUT]", required=False)
@output_option(
    "File to write, in place of OUTPUT (gpt2 and models: a folder); - for standard output.", kind="any", required=False
)
@overwrite_option
@click.option(
    "--format",
    "form",
    type=click.Choice((*_FORMATS, *_MODEL_FORMATS)),
    help="Format. [what the output's ending says; transformers for a RUN and a folder]",
)
def command(source: str, target: str | None, output: str | None, overwrite: bool, form: str | None) -> None:
    """Write TOKENIZER, in any format that import reads, to a file in another one; it may be -, for standard input. Or
    write the trained model in the folder RUN for transformers or CTranslate2, with its tokenizer and a card.

    What is written is read back and has to give equal ids on a probe text, and a model equal logits and greedy outputs,
    by the package that the format belongs to. What a format cannot hold is refused, and nothing is written then.
    """
    if (target is None) == (output is None):
        raise click.UsageError("name one output: export TOKENIZER|RUN OUTPUT, or -o OUTPUT")
    written_to = str(target or output)
    form = form or _form_of(source, written_to)
    if form in _MODEL_FORMATS:
        _export_model(source, written_to, form, overwrite=overwrite)
    else:
        _export_tokenizer(source, written_to, form, overwrite=overwrite)


def _form_of(source: str, output: str) -> str | None:
    """The format that is meant when none is named."""
    if output == "-":
        return "tokenizer.json"
    if found := _BY_SUFFIX.get(Path(output).suffix):
        return found
    from bpe_transformer.errors import CheckpointError
    from bpe_transformer.training import load_checkpoint_info
    from bpe_transformer.training.run_files.file_names import STATE

    try:
        load_checkpoint_info(source)
    except (CheckpointError, OSError):
        if Path(source, STATE).is_file():  # a run that was stopped before it had a model
            raise
        return None
    return "transformers"


def _export_model(run: str, output: str, form: str, *, overwrite: bool) -> None:
    if output == "-":
        raise click.UsageError("a model is a folder, which standard output cannot hold; name a folder")
    claim_output(output)
    start_torch()
    from bpe_transformer.inference.export import export_ctranslate2, export_transformers

    with replacing(output, overwrite=overwrite) as folder:
        done = (export_transformers if form == "transformers" else export_ctranslate2)(run, folder)
    say(
        f"wrote {output}: {done.kind} with its tokenizer; read back with equal greedy outputs and logits that differ by "
        f"{done.difference:.1e} at most, on a probe of {times(done.num_rows, 'row')}"
    )
    for note in done.notes:
        say(f"note: {note}")


def _export_tokenizer(tokenizer: str, output: str, form: str | None, *, overwrite: bool) -> None:
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
    say(f"wrote {name}: {times(learned.vocab_size, 'id')} as {form}; {checked}")
    if left := _left_out(learned, form):
        say(f"the format has no place for {left}: give them when it is loaded")


def _left_out(tokenizer: Tokenizer, form: str) -> str:
    if form == "tiktoken":
        specials = " ".join(f"{text}={id}" for text, id in tokenizer.special_tokens.items())
        return f"the pattern {tokenizer.pattern}" + (f" and the special tokens {specials}" if specials else "")
    return "the alphabet and the ids" if form == "subword-nmt" else ""
