"""`bpe-transformer ab`: tokenizers compared by the models that they make."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import output, print_json, progress, reporter, say, say_ledger, tell
from bpe_transformer.cli.support.options import (
    WholeNumbers,
    errors_option,
    overwrite_option,
    source_dir_option,
    split_option,
    threads_option,
    view_options,
)
from bpe_transformer.cli.support.outputs import claim_output, write_picture
from bpe_transformer.cli.support.process import TRAINING
from bpe_transformer.cli.support.python_names import with_options
from bpe_transformer.cli.support.tokenizer_files import open_tokenizer, split_label
from bpe_transformer.cli.support.training_options import (
    Setting,
    hide_library_bars,
    setting_options,
    start_torch,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.progress import Progress

    from bpe_transformer import Tokenizer
    from bpe_transformer.io import Errors
    from bpe_transformer.ledger import Ledger
    from bpe_transformer.studies import SideBySide


@click.command(
    epilog="""\b
Examples:
  bpe-transformer ab python-docstrings --sizes 1000,4000,16000
  bpe-transformer ab corpus.txt --tokenizer ours=tok --tokenizer gpt4=cl100k.tiktoken:cl100k
  bpe-transformer ab tiny-shakespeare --from data --sizes 512,2048 --minutes 10 --seeds 5
"""
)
@click.argument("corpus")
@click.option("--column", metavar="COLUMN", help="Text to model or classify. [the corpus's text column]")
@source_dir_option
@split_option("Split to train on, or a share of one: train[:1000].")
@errors_option()
@click.option("--validation", metavar="SPLIT", help="Split to validate on. [validation, else a twentieth is held out]")
@click.option(
    "--tokenizer", "tokenizers", multiple=True, metavar="[LABEL=]TOKENIZER", help="One to compare; repeatable."
)
@click.option(
    "--sizes",
    type=WholeNumbers("1000,4000,16000"),
    metavar="N,N,…",
    help="Sizes to compare of a vocabulary learned from CORPUS.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=4.0,
    show_default=True,
    metavar="M",
    help="Take so long in all, about: reading, learning, trainings and validations.",
)
@click.option(
    "--flops",
    type=click.FloatRange(min=0, min_open=True),
    metavar="F",
    help="Compute of each training, in place of --minutes.",
)
@click.option(
    "--seeds", type=click.IntRange(min=1), default=2, show_default=True, metavar="N", help="Trainings with each."
)
@setting_options("d_model", "n_layers", "n_heads", "d_ff", "max_len")
@click.option("--batch-ids", type=click.IntRange(min=1), metavar="N", help="Ids predicted in a step. [1024]")
@click.option("--lr", type=click.FloatRange(min=0, min_open=True), metavar="X", help="Peak learning rate. [0.003]")
@click.option("--svg", metavar="FILE", type=click.Path(dir_okay=False), help="Write the plot to this file as well.")
@overwrite_option
@threads_option
@view_options
def command(
    corpus: str,
    column: str | None,
    source_dir: str | None,
    split: str,
    errors: Errors,
    validation: str | None,
    tokenizers: tuple[str, ...],
    sizes: tuple[int, ...] | None,
    minutes: float,
    flops: float | None,
    seeds: int,
    settings: Mapping[str, Setting],
    batch_ids: int | None,
    lr: float | None,
    svg: str | None,
    overwrite: bool,
    threads: int | None,
    as_json: bool,
    width: int | None,
) -> None:
    """Train the same small language model on CORPUS with each of several tokenizers, and compare bits per byte.

    All read the same bytes and have the same compute. --sizes learns one vocabulary and takes it at every size. The
    standard error over seeds says whether a difference is one.
    """
    began = time.monotonic()
    _refuse_nothing(tokenizers, sizes)
    if svg is not None:
        claim_output(svg)
    console = None if as_json else output(width)
    start_torch(threads, needed=TRAINING)
    from bpe_transformer.studies import MODEL, TrialSettings, train_side_by_side

    model = replace(MODEL, **settings)  # type: ignore[arg-type]  # of these types, or refused by name
    default = TrialSettings()
    trial = replace(default, batch_ids=batch_ids or default.batch_ids, lr=lr or default.lr)
    train, held_out, ledgers = _texts(corpus, column, split, validation, source_dir, errors)
    with progress() as bars:
        named = _tokenizers(tokenizers, sizes, train, bars)
        task = bars.add_task("training", total=100)
        found = train_side_by_side(
            named,
            train,
            held_out,
            minutes=max(minutes - (time.monotonic() - began) / 60, minutes / 2),
            flops=flops,
            seeds=range(1, seeds + 1),
            model=model,
            settings=trial,
            progress=lambda share, what: bars.update(task, completed=100 * share, description=what),
        )
    if svg is not None:
        _write_svg(found, svg, corpus, overwrite=overwrite)
    if console is None:
        print_json(found.as_dict())
    else:
        console.print(found)
    for name, ledger in ledgers.items():
        say_ledger(ledger, f"{name}, ")


def _refuse_nothing(tokenizers: Sequence[str], sizes: Sequence[int] | None) -> None:
    if not tokenizers and not sizes:
        raise click.UsageError("there is nothing to compare; give --sizes 1000,4000,16000 or --tokenizer TOKENIZER")


def _texts(
    corpus: str, column: str | None, split: str, validation: str | None, source_dir: str | None, errors: Errors
) -> tuple[list[str], list[str], dict[str, Ledger]]:
    """The texts to train and to validate on, and what was lost on the way to them."""
    from bpe_transformer.data import choose_columns, corpus_info, load_with_validation
    from bpe_transformer.evaluation import scored_rows

    hide_library_bars()
    info = corpus_info(corpus, split.partition("[")[0], errors=errors)
    (column,) = choose_columns(info, task="language-model", column=column).columns
    rows = load_with_validation(
        corpus, split, validation, source_dir=source_dir, errors=errors, columns=[column], documents=True
    )
    tell(map(with_options, rows.notes))
    train, held_out = (scored_rows(part, (column,), stage="texts") for part in (rows.train, rows.validation))
    ledgers = {
        name: ledger.with_stages(found.ledger.stages[-1])
        for name, ledger, found in zip(("training", "validation"), rows.ledgers, (train, held_out), strict=True)
    }
    return train.column(0), held_out.column(0), ledgers


def _write_svg(found: SideBySide, svg: str, corpus: str, *, overwrite: bool) -> None:
    from bpe_transformer.inspection.render.plots import svg_plot
    from bpe_transformer.studies.render.side_by_side import plot_of

    write_picture(svg, svg_plot(plot_of(found), f"{corpus}: tokenizers side by side"), overwrite=overwrite)
    say(f"wrote {svg}")


def _tokenizers(
    written: Sequence[str], sizes: Sequence[int] | None, texts: Sequence[str], bars: Progress
) -> dict[str, Tokenizer]:
    named: dict[str, Tokenizer] = {}
    for one in written:
        label, path = split_label(one)
        if label in named:
            raise click.UsageError(f"{label} is given twice; name each once, as LABEL={path}")
        named[label] = open_tokenizer(path)
    if sizes:
        from bpe_transformer.studies import learn_sizes

        named |= learn_sizes(texts, sizes, progress=reporter(bars, "learning the vocabulary"))
    return named
