"""`bpe-transformer prepare`: text to ids, kept in a folder for training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bpe_transformer.cli.support.console import (
    messages,
    progress,
    reporter,
    say,
    say_peak_memory,
    show_ledger,
    tell,
    tell_when_interrupted,
)
from bpe_transformer.cli.support.options import (
    cluster_option,
    fail_above_option,
    output_option,
    overwrite_option,
    tokenizer_option,
)
from bpe_transformer.cli.support.outputs import claim_output
from bpe_transformer.cli.support.training.prepared_stores import flat_store, is_flat, save_flat
from bpe_transformer.cli.support.training_options import (
    CorpusChoice,
    corpus_options,
    hide_library_bars,
    preset_option,
)
from bpe_transformer.io.printable import times
from bpe_transformer.tokenizer.counting.spilling import parse_size
from bpe_transformer.tokenizer.store.remote_files import is_url
from bpe_transformer.tokenizer.store.store_facts import is_store

if TYPE_CHECKING:
    import datasets

    from bpe_transformer import Tokenizer, TokenStore
    from bpe_transformer.data import TaskColumns
    from bpe_transformer.tokenizer.store import FlatFormat


@click.command(
    epilog="""\b
Examples:
  bpe-transformer prepare numbers-en-ko --tokenizer tok -o prepared --src en --tgt ko
  bpe-transformer prepare notes.txt --tokenizer tok -o notes
  bpe-transformer prepare notes.txt --tokenizer tok -o notes.bin --format nanogpt
  bpe-transformer prepare train.bin --tokenizer tok -o rows
  bpe-transformer prepare s3://corpora/notes.txt --tokenizer tok -o s3://rows/notes
"""
)
@tokenizer_option("Folder or tokenizer.json that learn has written.", required=True)
@output_option("Folder to write, or a URL of one; with --format, the file.", kind="any", metavar="DIR|URL|FILE")
@corpus_options("Split to encode, or a share of one: test, train[:1000].")
@click.option(
    "--max-len", type=click.IntRange(min=3), metavar="N", help="Longest side of a pair, in ids. [that of train]"
)
@preset_option
@click.option(
    "--format",
    "flat",
    type=click.Choice(("nanogpt", "megatron", "datatrove")),
    help="Write flat files instead: .bin, .bin and .idx, or .ds and .ds.index. [a folder that train reads]",
)
@click.option(
    "--shard-size", metavar="SIZE", help="Text in a file of the folder, such as 16MiB. [by the corpus's size]"
)
@click.option(
    "--num-proc", type=click.IntRange(min=1), metavar="N", help="Processes. [one, with a thread for every core]"
)
@cluster_option
@fail_above_option
@overwrite_option
def command(
    choice: CorpusChoice,
    tokenizer: str,
    output: str,
    max_len: int | None,
    preset: str | None,
    flat: FlatFormat | None,
    shard_size: str | None,
    num_proc: int | None,
    cluster: str | None,
    fail_above: float | None,
    overwrite: bool,
) -> None:
    """Encode CORPUS with a tokenizer to a folder of ids, and say what was kept and dropped. train reads the folder.

    CORPUS is a listed name (see the corpora command), a local file or folder, a URL of one that fsspec knows, or parallel
    files "a.en.txt,a.ko.txt"; or it holds ids already: flat files (.bin, .idx, .ds), or for --format a prepared folder.
    Task, columns and --max-len are chosen as train chooses them. A run that was stopped goes on when it is started again.
    """
    tell_when_interrupted(lambda: "the same command goes on where it stopped")
    if not is_url(output):
        claim_output(output)
    elif flat is not None or is_flat(choice.corpus):
        raise click.UsageError("flat files are read and written on this machine; give a local -o, and copy that")
    hide_library_bars()
    from bpe_transformer import Tokenizer
    from bpe_transformer.data import load_corpus
    from bpe_transformer.training import recommended_settings

    loaded = Tokenizer.load(tokenizer)
    if (found := _prepared(choice.corpus, loaded, None if flat else output, overwrite=overwrite)) is not None:
        if flat is not None:
            return save_flat(found, output, flat, overwrite=overwrite)
        show_ledger(found.ledger)
        return say(f"{times(len(found), 'row')} for {found.task} written to {output}")
    info = choice.info()
    columns = choice.columns(info)
    limit = recommended_settings(info, columns.task, preset).model.max_len if max_len is None else max_len
    rows = load_corpus(
        choice.corpus,
        choice.split,
        source_dir=choice.source_dir,
        errors=choice.errors,
        reading=choice.reading(columns.task),
        columns=columns.columns,
    )
    tell(choice.described(columns, info))  # after the reading, so that input that cannot be read is one line
    options: dict[str, Any] = {
        "max_len": limit,
        "num_proc": num_proc,
        "cluster": cluster,
        "unit_bytes": None if shard_size is None else parse_size(shard_size, "shard_size", least=1),
        "overwrite": overwrite,
        "fail_above": fail_above,
        "keep_tokenizer": flat is None,
    }
    _encode(rows, loaded, columns, output, flat, options)
    if cluster is not None:
        say_peak_memory()


def _prepared(corpus: str, tokenizer: Tokenizer, out: str | None, *, overwrite: bool) -> TokenStore | None:
    """The rows of flat files, read into the folder `out`, or of a prepared folder; None for a corpus of text."""
    from bpe_transformer import TokenStore

    if is_flat(corpus):
        return flat_store(corpus, tokenizer, out, overwrite=overwrite)
    if not is_store(corpus):
        return None
    if out is not None:
        raise click.UsageError(f"{corpus} is prepared already; train on it, or write flat files of it with --format")
    return TokenStore.load(corpus, tokenizer)


def _encode(
    rows: datasets.Dataset,
    tokenizer: Tokenizer,
    columns: TaskColumns,
    output: str,
    flat: FlatFormat | None,
    options: dict[str, Any],
) -> None:
    """Encodes the rows to a folder, a URL, or by way of the cache to flat files."""
    from bpe_transformer.data import prepare_corpus, prepare_to_url

    with progress() as display:
        report = reporter(display, "encoding")
        if is_url(output):
            facts = prepare_to_url(rows, tokenizer, columns, output, progress=report, **options)
            number, ledger = sum(shard.rows for shard in facts.shards), facts.ledger
        else:
            place = None if flat else output
            store = prepare_corpus(rows, tokenizer, columns, out=place, progress=report, **options)
            number, ledger = len(store), store.ledger
    show_ledger(ledger)
    if flat is not None:
        return save_flat(store, output, flat, overwrite=options["overwrite"])
    messages().print(f"{times(number, 'row')} for {columns.task} written to {output}", soft_wrap=True)
