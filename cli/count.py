"""`bpe-transformer count`: from corpora to a file of pre-token counts, which adds up with others and is learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bpe_transformer.cli._common import messages, print_json
from bpe_transformer.cli._counting import (
    Counted,
    counted_facts,
    input_options,
    pretokenization,
    splitting_options,
)


@click.command(
    epilog="""\b
Examples:
  bpe-transformer count python-stdlib -o words.parquet
  bpe-transformer count en.txt.gz ko.jsonl.zst -o both.parquet --temperature 2 --max-memory 2GB
  bpe-transformer count a.parquet b.parquet:0.3 -o mixed.parquet
  bpe-transformer learn words.parquet -o tok --vocab-size 8000
"""
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="The file of counts (Parquet).")
@splitting_options
@input_options
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output.")
def command(inputs: tuple[str, ...], output: str, as_json: bool, **options: Any) -> None:
    """Count pre-tokens: of listed corpora, files (also .gz and .zst), folders, files of counts, or - for standard input."""
    place = Path(output).parent
    place.mkdir(parents=True, exist_ok=True)
    with Counted.of(inputs, options) as counted:
        split = counted.split(pretokenization(options, "cl100k"), "cl100k")
        counter = counted.counter(split, spill_dir=place)
        with counted.counting(counter, "counting", output if options["keep_partial"] else None):
            spilled = counter.spilled_bytes
            facts = counted.save(counter, output)
    summary = {
        "output": output,
        "documents": facts["num_documents"],
        "bytes": facts["num_bytes"],
        "distinct_words": facts["words"],
        "words": facts["total"],
        **{
            name: facts[name]
            for name in ("pretokenization", "dropped_words", "dropped_occurrences", "saturated", "sources")
        },
        "spilled_bytes": spilled,
    }
    if as_json:
        print_json(summary)
    _tell(summary, {**facts, "pattern": str(split)})


def _tell(summary: dict[str, Any], facts: dict[str, Any]) -> None:
    from rich.text import Text

    from bpe_transformer.inspection.render import facts as table
    from bpe_transformer.inspection.render import times

    rows = [
        ("counted", f"{times(summary['documents'], 'document')}, {times(summary['bytes'], 'byte')}"),
        ("words", f"{summary['words']:,}, {summary['distinct_words']:,} distinct, split by {facts['pattern']}"),
        *counted_facts(facts),
        ("saved", f"{summary['output']} ({times(Path(summary['output']).stat().st_size, 'byte')})"),
    ]
    if summary["spilled_bytes"]:
        rows.insert(2, ("on disk", f"{times(summary['spilled_bytes'], 'byte')} for a while, within --max-memory"))
    messages().print(table([(label, Text(value, overflow="fold")) for label, value in rows]))
