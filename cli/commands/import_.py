"""`bpe-transformer import`: a tokenizer in any known format, saved as tokenizer.json, or a model of transformers as a run."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import say, write_data
from bpe_transformer.cli.support.options import output_option, overwrite_option, tokenizer_option
from bpe_transformer.cli.support.outputs import claim_output, replacing, save_tokenizer
from bpe_transformer.cli.support.tokenizer_files import named_file, split_pattern
from bpe_transformer.cli.support.training_options import start_torch
from bpe_transformer.errors import FormatError
from bpe_transformer.io.printable import times

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer


@click.command(
    epilog="""\b
Examples:
  bpe-transformer import tokenizer.model -o tok
  bpe-transformer import cl100k_base.tiktoken -o tok --special '<|endoftext|>=100257'
  bpe-transformer import my.tiktoken:o200k -o tok
  bpe-transformer import vocab.json merges.txt -o tok
  bpe-transformer import codes.txt vocabulary.txt -o tok
  bpe-transformer import codes.txt vocabulary.txt --vocabulary-threshold 50 -o tok
  bpe-transformer import - -o - < tokenizer.model > tokenizer.json
  bpe-transformer import marian-model -o runs/marian --src en --tgt ko
"""
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@output_option("Folder for tokenizer.json, or for the run; - for standard output.", kind="folder")
@overwrite_option
@click.option("--pattern", metavar="NAME|REGEX", help="How ranks or merges split text, which they do not say.")
@click.option("--special", multiple=True, metavar="TOKEN=ID", help="A special token of a file of ranks; repeatable.")
@click.option(
    "--vocabulary-threshold",
    type=click.IntRange(min=0),
    metavar="N",
    help="With subword-nmt's codes and vocabulary: split tokens whose count there is below N, as apply-bpe does.",
)
@tokenizer_option("Of a model, in place of the one in its folder.")
@click.option("--src", metavar="COLUMN", help="A translator's source, as its corpora call it. [src]")
@click.option("--tgt", metavar="COLUMN", help="A translator's target. [tgt]")
@click.option("--column", metavar="COLUMN", help="The texts of any other model. [text]")
@click.option("--label", metavar="COLUMN", help="The labels of a classifier. [label]")
def command(
    files: tuple[str, ...],
    output: str,
    overwrite: bool,
    pattern: str | None,
    special: tuple[str, ...],
    vocabulary_threshold: int | None,
    tokenizer: str | None,
    src: str | None,
    tgt: str | None,
    column: str | None,
    label: str | None,
) -> None:
    """Read FILEs, whose format is recognised by their content, and save the tokenizer in a folder.

    One file may be -, for standard input. FILE:PATTERN is FILE with --pattern PATTERN.

    Read are tokenizer.json, .tiktoken ranks, vocab.json with merges.txt, SentencePiece models of type BPE, subword-nmt
    codes (and their vocabulary), nanochat's tokenizer.pkl, or a folder that holds one of them. The package that the
    format belongs to, where it is installed, has to give equal ids for a probe text. A tokenizer that
    would give other ids is refused, and nothing is written.

    A folder with config.json and weights, as save_pretrained of transformers writes it, is read as a model, and saved as
    a run that the other commands take; name its tokenizer.json to import only that.
    """
    if output != "-":
        claim_output(output)
    of_model = (tokenizer, src, tgt, column, label)
    if len(files) == 1 and Path(files[0]).is_dir() and _holds_model(files[0]):
        if pattern or special or vocabulary_threshold is not None:
            raise click.UsageError(
                "--pattern, --special and --vocabulary-threshold are for tokenizers; name the file of the tokenizer"
            )
        _import_model(files[0], output, of_model, overwrite=overwrite)
        return
    if any(of_model):
        raise click.UsageError(
            "--tokenizer, --src, --tgt, --column and --label are for models, and no folder with config.json and weights is given"
        )
    named = [(file, None) if file == "-" else split_pattern(file) for file in files]
    if with_pattern := [written for _, written in named if written is not None]:
        if pattern is not None or len(with_pattern) > 1:
            raise click.UsageError("the pattern is given twice; give it as FILE:PATTERN or with --pattern")
        (pattern,), files = with_pattern, tuple(file for file, _ in named)
    with ExitStack() as opened:
        files = tuple(opened.enter_context(named_file(file)) for file in files)
        learned = _read(files, pattern, _specials(special), vocabulary_threshold)
    if output == "-":
        with tempfile.TemporaryDirectory() as folder:
            learned.save(folder)
            write_data(_saved_file(folder).read_bytes())
    else:
        save_tokenizer(learned, output, overwrite=overwrite)
    place = "to standard output" if output == "-" else _saved_file(output)
    say(_read_and_saved(learned, place))


def _read_and_saved(learned: Tokenizer, place: Path | str) -> str:
    """What a user is told of a tokenizer that was imported."""
    model = learned.model
    undone = f"; {times(len(model.undone), 'token')} undone in the end" if model.undone else ""
    return (
        f"read {times(len(model.left), 'merge')}, {len(model.special_tokens):,} special and "
        f"{times(len(model.added_tokens), 'added token')}; "
        f"pattern {model.pretokenizer}; saved {place}: {times(learned.vocab_size, 'id')}{undone}"
    )


def _saved_file(folder: str) -> Path:
    """The file of a saved tokenizer: tokenizer.json, or SentencePiece's model where that cannot hold it."""
    from bpe_transformer.tokenizer.formats import SAVED_FILES

    return next(filter(Path.is_file, (Path(folder, name) for name in SAVED_FILES)))


def _holds_model(folder: str) -> bool:
    """Whether a folder holds a model of transformers; looked at without loading torch."""
    if not Path(folder, "config.json").is_file():
        return False
    start_torch()
    from bpe_transformer.training.pretrained import is_transformers_folder

    return is_transformers_folder(folder)


def _import_model(folder: str, output: str, options: tuple[str | None, ...], *, overwrite: bool) -> None:
    if output == "-":
        raise click.UsageError("a model is a folder, which standard output cannot hold; name one with -o")
    from bpe_transformer import Tokenizer
    from bpe_transformer.errors import CheckpointError
    from bpe_transformer.training.pretrained import import_transformers

    tokenizer, src, tgt, column, label = options
    if (Path(output) / "training.safetensors").exists():
        raise CheckpointError(f"{output} holds an unfinished run; choose another -o")
    with replacing(output, overwrite=overwrite) as place:
        info = import_transformers(
            folder,
            place,
            None if tokenizer is None else Tokenizer.load(tokenizer),
            names={"src": src, "tgt": tgt, "column": column, "label": label},
        )
    found = info.foreign.get("class", "model")
    say(
        f"read {found} as a {info.kind} of family {info.settings.family}; saved {output}: {times(info.vocab_size, 'id')}"
    )
    from bpe_transformer.inference.missing_tokens import ids_without_token

    if missing := ids_without_token(Tokenizer.load(output), info.vocab_size):
        say(
            f"{len(missing):,} of these ids have no token in its tokenizer, from {missing[0]:,} on; they are never written"
        )


def _read(
    files: tuple[str, ...], pattern: str | None, specials: dict[str, int], threshold: int | None = None
) -> Tokenizer:
    from bpe_transformer import Tokenizer

    if threshold is not None and (len(files) != 2 or ".json" in map(_suffix, files)):
        raise FormatError(
            f"--vocabulary-threshold {threshold} is for subword-nmt's codes and their vocabulary; "
            "give both files: import CODES VOCABULARY --vocabulary-threshold N"
        )

    if len(files) == 1:
        return Tokenizer.from_file(files[0], verify=True, pattern=pattern, special_tokens=specials or None)
    if len(files) > 2:
        raise FormatError(
            f"{times(len(files), 'file')} are given; a tokenizer is in one, or in two as vocab.json and merges.txt"
        )
    names = {_suffix(file): file for file in files}
    if ".json" in names:
        vocab = names.pop(".json")
        return Tokenizer.from_gpt2(
            vocab, next(iter(names.values()), files[1]), pattern=pattern, special_tokens=specials or None
        )
    if pattern or specials:
        raise FormatError("subword-nmt codes take neither --pattern nor --special; leave them out")
    return Tokenizer.from_subword_nmt(files[0], files[1], threshold=threshold)


def _suffix(file: str) -> str:
    return Path(file).suffix


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
