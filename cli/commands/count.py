"""`bpe-transformer count`: from corpora to a file of pre-token counts, which adds up with others and is learned from, or to
the number of their tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bpe_transformer.cli.support.console import messages, print_json
from bpe_transformer.cli.support.input_options import (
    Counted,
    counted_facts,
    input_options,
    pretokenizer,
    reporter,
    splitting_options,
)


@click.command(
    epilog="""\b
Examples:
  bpe-transformer count python-stdlib -o words.parquet
  bpe-transformer count en.txt.gz ko.jsonl.zst -o both.parquet --temperature 2 --max-memory 2GB
  bpe-transformer count a.parquet b.parquet:0.3 -o mixed.parquet
  bpe-transformer learn words.parquet -o tok --vocab-size 8000
  bpe-transformer count --tokenizer tok corpus.txt notes.jsonl
  bpe-transformer count --tokenizer tok < corpus.txt
"""
)
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="The file of counts (Parquet).")
@click.option(
    "--tokenizer", metavar="TOKENIZER", help="Print how many tokens each input has, instead of counting pre-tokens."
)
@splitting_options
@input_options
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output.")
def command(inputs: tuple[str, ...], output: str | None, tokenizer: str | None, as_json: bool, **options: Any) -> None:
    """Count pre-tokens: of listed corpora, files (also .gz and .zst), folders, files of counts, or standard input (-).

    With --tokenizer, prints the number of tokens of each input and their sum, a line each; special tokens written in a
    text count as text, and a file is one text unless --documents line says otherwise.
    """
    if (output is None) == (tokenizer is None):
        raise click.UsageError("name the file of counts with -o, or the tokenizer to count tokens with --tokenizer")
    inputs = inputs or ("-",)
    if output is None:
        assert tokenizer is not None
        return _count_tokens(inputs, tokenizer, as_json, options)
    place = Path(output).parent
    place.mkdir(parents=True, exist_ok=True)
    with Counted.of(inputs, options, pretokenizer(options, "cl100k")) as counted:
        split = counted.split("cl100k")
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


def _count_tokens(inputs: tuple[str, ...], tokenizer: str, as_json: bool, options: dict[str, Any]) -> None:
    from dataclasses import asdict

    from bpe_transformer.cli.support.console import progress, write_data
    from bpe_transformer.cli.support.tokenizer_argument import open_tokenizer
    from bpe_transformer.data.counting.token_counts import TokenCount, count_tokens

    unused = (
        "pattern",
        "normalization",
        "protect",
        "protect_regex",
        "weights",
        "temperature",
        "max_memory",
        "keep_partial",
    )
    if given := [name for name in unused if options[name]] + ["min_count"] * (options["min_count"] > 1):
        raise click.UsageError(
            f"--{given[0].replace('_', '-')} is for counts of pre-tokens; leave it out with --tokenizer"
        )
    if options["documents"] not in ("file", "line"):
        raise click.UsageError(f"--documents {options['documents']} is for counts of pre-tokens; give file or line")
    learned = open_tokenizer(tokenizer)
    chosen = {"documents": options["documents"], "errors": options["errors"], "num_threads": options["threads"]}
    with Counted.of(inputs, options, None) as counted, progress() as display:
        report, done = reporter(display, "counting tokens", unit="bytes"), 0
        total = 0 if any(part.stream for part in counted.inputs) else sum(part.num_bytes for part in counted.inputs)
        counts = []
        for part in counted.inputs:

            def here(read: int, start: int = done) -> None:
                report(start + read, total)

            counts.append(count_tokens(learned, part, report=here, **chosen))
            done += part.num_bytes
    if as_json:
        return print_json([asdict(count) for count in counts])
    if len(counts) > 1:
        counts.append(sum(counts, TokenCount("total", 0, 0, 0)))
    width = len(str(counts[-1].tokens))
    write_data(
        "".join(f"{count.tokens:>{width}} {count.name}\n" for count in counts).encode("utf-8", "surrogateescape")
    )


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
