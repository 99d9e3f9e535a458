"""`bpe-transformer prepare`: text to ids, kept in a folder for training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from bpe_transformer.cli.support.console import messages
from bpe_transformer.cli.support.training_options import quiet_datasets, sides

if TYPE_CHECKING:
    from bpe_transformer.data import CorpusInfo, Ledger


@click.command(epilog="Example: bpe-transformer prepare numbers-en-ko --tokenizer tok -o prepared --src en --tgt ko")
@click.argument("corpus")
@click.option("--tokenizer", "tokenizer_dir", required=True, help="Folder or tokenizer.json that learn has written.")
@click.option("-o", "--output", "directory", required=True, help="Folder to write.")
@click.option(
    "--task",
    type=click.Choice(["translation", "language-model"]),
    help="[default: translation for parallel corpora, else language-model]",
)
@click.option("--src", help="Column to translate from. [default: the first]")
@click.option("--tgt", help="Column to translate to. [default: the second]")
@click.option("--column", help="Column of a language model's text. [default: the corpus's text column]")
@click.option("--max-len", type=click.IntRange(min=3), help="Longest side of a pair, in ids. [default: the models']")
@click.option("--num-proc", type=click.IntRange(min=1), help="Processes. [default: one, with a thread a core]")
@click.option("--from", "source_dir", type=click.Path(), help="Folder with the files of a public corpus.")
@click.option("--split", default="train", show_default=True, help="Split or a share of one: test, train[:1000].")
@click.option(
    "--errors", type=click.Choice(["strict", "replace"]), default="strict", help="What to do with invalid UTF-8."
)
def command(
    corpus: str,
    tokenizer_dir: str,
    directory: str,
    task: str | None,
    src: str | None,
    tgt: str | None,
    column: str | None,
    max_len: int | None,
    num_proc: int | None,
    source_dir: str | None,
    split: str,
    errors: Literal["strict", "replace"],
) -> None:
    """Encode CORPUS with a tokenizer, batch by batch and cached, and say what was kept and dropped.

    CORPUS is a listed name (see the corpora command), a local file or folder, or parallel files "a.en.txt,a.ko.txt".
    """
    quiet_datasets()
    from bpe_transformer import Tokenizer
    from bpe_transformer.data import corpus_info, load_corpus, prepare_language_model, prepare_translation
    from bpe_transformer.training.config import ModelConfig

    tokenizer = Tokenizer.load(tokenizer_dir)
    info = corpus_info(corpus, split.partition("[")[0], errors=errors)
    if (task or _task(info)) == "translation":
        src, tgt = sides(info, src, tgt)
        dataset = load_corpus(corpus, split, source_dir=source_dir, errors=errors)
        limit = max_len if max_len is not None else ModelConfig().max_len
        prepared = prepare_translation(dataset, tokenizer, src=src, tgt=tgt, max_len=limit, num_proc=num_proc)
    else:
        dataset = load_corpus(corpus, split, source_dir=source_dir, errors=errors)
        text = column or (info.text_columns[0] if info.text_columns else "text")
        prepared = prepare_language_model(dataset, tokenizer, column=text, num_proc=num_proc)
    prepared.save(directory)
    console = messages()
    console.print(_table(prepared.ledger))
    for note in prepared.ledger.notes:
        console.print(note, style="dim", markup=False)
    console.print(f"{len(prepared.dataset):,} rows for {prepared.task} written to {Path(directory)}", markup=False)


def _task(info: CorpusInfo) -> str:
    return "translation" if info.kind == "parallel" else "language-model"


def _table(ledger: Ledger) -> object:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("stage", "outcome", "reason"):
        table.add_column(heading)
    for heading in ("examples", "bytes"):
        table.add_column(heading, justify="right")
    for row in ledger.rows():
        table.add_row(row.stage, row.outcome, row.reason, f"{row.examples:,}", f"{row.bytes:,}")
    return table
