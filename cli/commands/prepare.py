"""`bpe-transformer prepare`: text to ids, kept in a folder for training."""

from __future__ import annotations

from pathlib import Path

import click

from bpe_transformer.cli.support.console import messages, progress, reporter, say_peak_memory, show_ledger, tell
from bpe_transformer.cli.support.options import (
    cluster_option,
    fail_above_option,
    output_option,
    overwrite_option,
    tokenizer_option,
)
from bpe_transformer.cli.support.outputs import claim_output
from bpe_transformer.cli.support.training_options import (
    CorpusChoice,
    corpus_options,
    hide_library_bars,
    preset_option,
)


@click.command(
    epilog="""\b
Examples:
  bpe-transformer prepare numbers-en-ko --tokenizer tok -o prepared --src en --tgt ko
  bpe-transformer prepare notes.txt --tokenizer tok -o notes
"""
)
@tokenizer_option("Folder or tokenizer.json that learn has written.", required=True)
@output_option("Folder to write.", kind="folder")
@corpus_options("Split to encode, or a share of one: test, train[:1000].")
@click.option(
    "--max-len", type=click.IntRange(min=3), metavar="N", help="Longest side of a pair, in ids. [that of train]"
)
@preset_option
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
    num_proc: int | None,
    cluster: str | None,
    fail_above: float | None,
    overwrite: bool,
) -> None:
    """Encode CORPUS with a tokenizer to a folder of ids, and say what was kept and dropped. train reads the folder.

    CORPUS is a listed name (see the corpora command), a local file or folder, or parallel files "a.en.txt,a.ko.txt".
    Task, columns and --max-len are chosen as train chooses them. A run that was stopped goes on when it is started again.
    """
    claim_output(output)
    hide_library_bars()
    from bpe_transformer import Tokenizer
    from bpe_transformer.data import load_corpus, prepare_corpus
    from bpe_transformer.training import recommended_settings

    loaded = Tokenizer.load(tokenizer)
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
    with progress() as display:
        report = reporter(display, "encoding")
        store = prepare_corpus(
            rows,
            loaded,
            columns,
            max_len=limit,
            num_proc=num_proc,
            cluster=cluster,
            progress=report,
            out=output,
            overwrite=overwrite,
            fail_above=fail_above,
            keep_tokenizer=True,
        )
    show_ledger(store.ledger)
    if cluster is not None:
        say_peak_memory()
    messages().print(f"{len(store):,} rows for {store.task} written to {Path(output)}")
