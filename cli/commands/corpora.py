"""`bpe-transformer corpora`: lists the corpora that commands know by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import messages, output, print_json
from bpe_transformer.cli.support.options import view_options

if TYPE_CHECKING:
    from bpe_transformer.data import CorpusInfo


@click.command(epilog="Example: bpe-transformer corpora --json | jq '.[].name'")
@view_options
def command(as_json: bool, width: int | None) -> None:
    """List the corpora that can be named: bundled, generated, and recipes for public ones.

    Wherever a command takes a CORPUS, a local .txt, .jsonl, .csv, .tsv or .parquet file, a folder of them, or parallel
    files "a.en.txt,a.ko.txt" will do as well. Public corpora load from the hub, or from local files with --from DIR.
    """
    from bpe_transformer.data import list_corpora

    corpora = list_corpora()
    if as_json:
        print_json([asdict(info) for info in corpora])
        return
    console = output(width)
    if console.is_terminal or width is not None:
        console.print(_table(corpora))
    else:
        for info in corpora:  # a line each, for grep and cut
            click.echo(
                "\t".join((info.name, info.kind, info.size, info.licence, *map(",".join, (info.columns, info.splits))))
            )
    messages().print(
        "Local files and folders work too; train, prepare and count --from DIR read a public corpus from local files.",
        style="dim",
    )


def _table(corpora: list[CorpusInfo]) -> object:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    least = {"size": 9, "licence": 10, "columns": 8, "splits": 16}  # so that 80 columns break no word
    for heading in ("name", "kind", "size", "licence", "columns", "splits"):
        table.add_column(
            heading, overflow="fold", no_wrap=heading in ("name", "kind", "splits"), min_width=least.get(heading)
        )
    for info in corpora:
        row = (info.name, info.kind, info.size, info.licence, "\n".join(info.columns), "\n".join(info.splits))
        table.add_row(*row)
    return table
