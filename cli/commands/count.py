"""`bpe-transformer count`: counts the pre-tokens of corpora into a file for `learn`, or the tokens of each."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, cast

import click

from bpe_transformer.cli.support.console import (
    messages,
    print_json,
    progress,
    reporter,
    say,
    say_ledger,
    say_peak_memory,
    write_data,
)
from bpe_transformer.cli.support.corpus_counting import CorpusCounting, counted_facts, say_counted
from bpe_transformer.cli.support.counting_options import (
    CountingOptions,
    SplittingOptions,
    counting_options,
    given,
    splitting_options,
)
from bpe_transformer.cli.support.options import (
    cluster_option,
    json_option,
    output_option,
    overwrite_option,
    tokenizer_option,
)
from bpe_transformer.cli.support.outputs import claim_output, refuse_existing, replacing
from bpe_transformer.io.printable import printable, times
from bpe_transformer.ledger import Ledger


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
@click.argument("corpora", nargs=-1, metavar="[CORPUS]...")
@output_option("File of counts to write (Parquet).", kind="file", required=False)
@overwrite_option
@tokenizer_option("Print how many tokens each corpus has, instead of counting pre-tokens.")
@splitting_options
@counting_options
@cluster_option
@json_option
def command(
    corpora: tuple[str, ...],
    output: str | None,
    overwrite: bool,
    tokenizer: str | None,
    splitting: SplittingOptions,
    counting: CountingOptions,
    cluster: str | None,
    as_json: bool,
) -> None:
    """Count pre-tokens: of listed corpora, files (also .gz and .zst), folders, files of counts, or standard input (-).

    With --tokenizer, prints the number of tokens of each corpus and their sum, a line each; special tokens written in a
    text count as text, and a file is one text unless --documents line says otherwise.
    """
    if (output is None) == (tokenizer is None):
        raise click.UsageError("name the file of counts with -o, or the tokenizer to count tokens with --tokenizer")
    corpora = corpora or ("-",)
    if output is None:
        assert tokenizer is not None
        if cluster is not None:
            raise click.UsageError("--cluster is for counts of pre-tokens; leave it out with --tokenizer")
        return _count_tokens(corpora, tokenizer, splitting, counting, as_json)
    if cluster is not None:
        return _count_on_cluster(corpora, output, splitting, counting, cluster, as_json)
    from bpe_transformer.tokenizer.splitting import DEFAULT_PATTERN

    claim_output(output)
    if counting.keep_partial:
        refuse_existing(output, overwrite=overwrite)
    place = Path(output).parent
    place.mkdir(parents=True, exist_ok=True)
    with CorpusCounting.of(corpora, counting, splitting.pretokenizer(DEFAULT_PATTERN)) as counted:
        split = counted.split(DEFAULT_PATTERN)
        counter = counted.counter(split, spill_dir=place)
        with counted.counting(counter, "counting", output if counting.keep_partial else None):
            spilled = counter.spilled_bytes
            with replacing(output, overwrite=overwrite) as path:
                facts = counted.save(counter, str(path))
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
    _print_summary(summary, {**facts, "pattern": str(split)})


def _count_on_cluster(
    corpora: tuple[str, ...],
    output: str,
    splitting: SplittingOptions,
    counting: CountingOptions,
    cluster: str,
    as_json: bool,
) -> None:
    from bpe_transformer.data.counting.cluster_counts import ClusterCounting, count_on_cluster
    from bpe_transformer.tokenizer import Pretokenizer
    from bpe_transformer.tokenizer.splitting import DEFAULT_PATTERN

    for option, is_set in (
        ("--weight", counting.weights), ("--temperature", counting.temperature), ("--word-list", counting.word_list),
        ("--min-count", counting.min_count > 1), ("--keep-partial", counting.keep_partial), ("standard input", "-" in corpora),
    ):  # fmt: skip
        if is_set:
            raise click.UsageError(f"{option} is not for a cluster, which counts files; leave it out with --cluster")
    refuse_existing(output, overwrite=False)
    columns = None if counting.columns is None else tuple(counting.columns.split(","))
    how = ClusterCounting(
        splitting.pretokenizer(DEFAULT_PATTERN) or Pretokenizer.of(DEFAULT_PATTERN),
        counting.documents,
        columns,
        counting.errors,
        counting.max_memory or ClusterCounting.max_memory,
    )
    with progress() as display:
        facts = count_on_cluster(
            corpora,
            output,
            how,
            cluster=cluster,
            progress=reporter(display, "counting", unit="bytes"),
            fail_above=counting.fail_above,
        )
    if as_json:
        print_json({"output": output, **facts})
    say(
        f"{output}: {facts['words']:,} words of {times(facts['num_documents'], 'document')}, {times(facts['num_bytes'], 'byte')}"
    )
    say_counted(facts["sources"])
    say_peak_memory()


def _count_tokens(
    corpora: tuple[str, ...], tokenizer: str, splitting: SplittingOptions, counting: CountingOptions, as_json: bool
) -> None:
    from bpe_transformer.cli.support.tokenizer_files import open_tokenizer
    from bpe_transformer.data.counting.token_counts import TokenCount, count_tokens

    _check_token_options(splitting, counting)
    learned = open_tokenizer(tokenizer)
    with CorpusCounting.of(corpora, counting, None) as counted, progress() as display:
        report, done = reporter(display, "counting tokens", unit="bytes"), 0
        total = (
            0 if any(source.stream for source in counted.inputs) else sum(source.num_bytes for source in counted.inputs)
        )
        counts = []
        for source in counted.inputs:

            def report_here(read: int, start: int = done) -> None:
                report(start + read, total)

            counts.append(
                count_tokens(
                    learned,
                    source,
                    documents=cast(Literal["file", "line"], counting.documents),
                    errors=counting.errors,
                    num_threads=counting.threads,
                    report=report_here,
                )
            )
            done += source.num_bytes
    whole = sum(counts, TokenCount("total", 0, 0, 0))
    read = Ledger((whole.read(),))
    read.check(counting.fail_above)
    if as_json:
        print_json([asdict(count) for count in counts])
        return say_ledger(read)
    if len(counts) > 1:
        counts.append(whole)
    width = len(str(counts[-1].tokens))
    write_data("".join(f"{count.tokens:>{width}} {printable(count.name)}\n" for count in counts).encode())
    say_ledger(read)


def _check_token_options(splitting: SplittingOptions, counting: CountingOptions) -> None:
    """Raises `click.UsageError` for options that have no effect on counting tokens."""
    unused = given(splitting) + [
        option
        for option, is_set in (
            ("--weight", counting.weights),
            ("--temperature", counting.temperature),
            ("--max-memory", counting.max_memory),
            ("--max-word-bytes", counting.max_word_bytes != "16MiB"),
            ("--keep-partial", counting.keep_partial),
            ("--min-count", counting.min_count > 1),
        )
        if is_set
    ]
    if unused:
        raise click.UsageError(f"{unused[0]} is for counts of pre-tokens; leave it out with --tokenizer")
    if counting.documents not in ("file", "line"):
        raise click.UsageError(f"--documents {counting.documents} is for counts of pre-tokens; give file or line")


def _print_summary(summary: dict[str, Any], facts: dict[str, Any]) -> None:
    from bpe_transformer.inspection.render import facts as table

    rows = [
        ("counted", f"{times(summary['documents'], 'document')}, {times(summary['bytes'], 'byte')}"),
        ("words", f"{summary['words']:,}, {summary['distinct_words']:,} distinct, split by {facts['pattern']}"),
        *counted_facts(facts),
        ("saved", f"{summary['output']} ({times(Path(summary['output']).stat().st_size, 'byte')})"),
    ]
    if summary["spilled_bytes"]:
        rows.insert(2, ("on disk", f"{times(summary['spilled_bytes'], 'byte')} for a while, within --max-memory"))
    messages().print(table(rows))
    say_counted(summary["sources"])
