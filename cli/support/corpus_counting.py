"""Counting the corpora of `count` and `learn`: progress, Ctrl-C, and the summary of the counts."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bpe_transformer.cli.support.console import (
    progress,
    reporter,
    say,
    say_ledger,
    stdin_bytes,
    telling_when_interrupted,
)
from bpe_transformer.cli.support.counting_options import CountingOptions
from bpe_transformer.cli.support.python_names import with_options
from bpe_transformer.io.printable import times
from bpe_transformer.ledger import Ledger

if TYPE_CHECKING:
    from bpe_transformer import PretokenCounter, PretokenCounts, Pretokenizer
    from bpe_transformer.data.counting.pretoken_counts import CountInput

STDIN = "standard input"


@dataclass
class CorpusCounting:
    """The corpora that a command counts, once or twice, and how."""

    names: tuple[str, ...]
    weights: tuple[float, ...] | None
    options: CountingOptions
    inputs: list[CountInput]
    pretokenizer: Pretokenizer | None  # from the options; None if they name no pattern

    @classmethod
    @contextmanager
    def of(
        cls,
        corpora: tuple[str, ...],
        options: CountingOptions,
        pretokenizer: Pretokenizer | None,
        *,
        twice: bool = False,
    ) -> Iterator[CorpusCounting]:
        """From arguments `CORPUS` or `CORPUS:WEIGHT`; standard input is kept on disk if it is read `twice`."""
        names, weights = _weights(corpora, options.weights)
        if weights is not None and options.temperature is not None:
            raise click.UsageError("--temperature takes the weights from the sizes; give no weights of your own")
        with _spooled_stdin(twice and "-" in names) as spooled:
            with telling_when_interrupted(lambda: "the corpora were still being read; nothing was counted or written"):
                inputs = [one for name in names for one in _inputs(name, options, pretokenizer, spooled)]
            for note in [one.note for one in inputs if one.note]:
                say(with_options(note))
            yield cls(names, weights, options, inputs, pretokenizer)

    def split(self, default: str) -> Pretokenizer:
        """The pre-tokenizer: that of the options, or of the counts among the corpora, or the default."""
        from bpe_transformer.data.counting.pretoken_counts import pretokenizer_for

        return self.pretokenizer or pretokenizer_for(self.inputs, default)

    def counter(self, split: Pretokenizer, spill_dir: Path | None = None) -> PretokenCounter:
        """A counter with the limits of the options; `spill_dir` is for counts that outgrow memory."""
        from bpe_transformer import PretokenCounter

        return PretokenCounter(
            split,
            self.options.threads,
            max_memory=self.options.max_memory,
            spill_dir=spill_dir,
            max_word_bytes=self.options.max_word_bytes,
            max_row_bytes=self.options.max_row_bytes,
        )

    @contextmanager
    def counting(self, counter: PretokenCounter, label: str, keep_as: str | None) -> Iterator[None]:
        """Counts everything, then runs the block. Ctrl-C ends the command and saves the counts so far to `keep_as`, if given."""
        from bpe_transformer.data.counting.pretoken_counts import add_inputs

        if keep_as is not None:
            import pyarrow.parquet  # noqa: F401  loaded now, so that Ctrl-C does not wait for it
        share = 0.0
        try:
            with progress() as display:
                show = reporter(display, label, unit="bytes")

                def report(done: int, total: int) -> None:
                    nonlocal share
                    share = done / total if total else 0
                    show(done, total)

                add_inputs(
                    counter,
                    self.inputs,
                    documents=self.options.documents,
                    errors=self.options.errors,
                    progress=report,
                    weighted=self._weighted,
                )
            read_ledger(map(asdict, counter.sources)).check(self.options.fail_above)
            yield
        except KeyboardInterrupt:
            self._report_interruption(counter, share, keep_as)
            sys.exit(130)

    def counts(self, split: Pretokenizer, label: str, keep_as: str | None) -> PretokenCounts:
        """The counts, in memory. Raises `LearningError` when learning from it would not stay within --max-memory."""
        from bpe_transformer.errors import LearningError

        counter = self.counter(split)
        with self.counting(counter, label, keep_as):
            counts = counter.counts(**self._result_options(counter))
        if counter.max_memory is not None and counts.learning_memory > counter.max_memory:
            raise LearningError(
                f"learning from {len(counts):,} distinct words needs about {counts.learning_memory / 1e6:,.0f} MB, more than "
                f"--max-memory {self.options.max_memory}; leave out rare ones with --min-count, or allow more"
            )
        return counts

    def save(self, counter: PretokenCounter, path: str) -> dict[str, Any]:
        """Writes the file of counts; returns its facts."""
        return counter.save(path, **self._result_options(counter))

    def _report_interruption(self, counter: PretokenCounter, share: float, keep_as: str | None) -> None:
        """Reports how far counting came, and saves the counts so far with --keep-partial."""
        of = self._reached(counter, share)
        documents = times(counter.num_documents, "whole document")
        reached = f"interrupted after {times(counter.num_bytes, 'byte')}{of}, {documents}"
        if keep_as is None or not counter.num_bytes or counter.is_finished:
            say(f"{reached}; nothing was written{self._why_nothing(counter)}")
            return
        facts = self.save(counter, keep_as)
        say(f"{reached}; kept as {keep_as}, marked partial")
        for line in _how_to_continue(facts, keep_as):
            say(line)

    def _why_nothing(self, counter: PretokenCounter) -> str:
        """Why nothing is kept of an interrupted count."""
        if not self.options.keep_partial:
            return "; --keep-partial keeps what was reached"
        if counter.is_finished:
            return ": counting was over, and its result was on its way; run the command again"
        if not counter.num_bytes:
            return ", since no whole document was counted; run the command again"
        return ": of counts across spaces --keep-partial keeps nothing"

    def _reached(self, counter: PretokenCounter, share: float) -> str:
        """How much of the input was counted; where its files hold other bytes than their texts, how much of them was read."""
        from bpe_transformer.data.corpora.texts import is_plain_text

        total = sum(one.num_bytes for one in self.inputs)
        plain = all(
            one.stream is None and one.counts is None and all(map(is_plain_text, one.files)) for one in self.inputs
        )
        if plain and total and counter.num_bytes:
            return f" ({counter.num_bytes / total:.0%} of the input)"
        return f" ({share:.0%} of its files were read)" if share else ""

    @property
    def _weighted(self) -> bool:
        return self.weights is not None or self.options.temperature is not None

    def _result_options(self, counter: PretokenCounter) -> dict[str, Any]:
        reached = None if self.weights is None else self.weights[: counter.num_groups]
        return {"weights": reached, "temperature": self.options.temperature, "min_count": self.options.min_count}


def _how_to_continue(facts: dict[str, Any], path: str) -> list[str]:
    """How to continue an interrupted count that was kept."""
    last = facts["sources"][-1]
    start = f"learn from it as it is (bpe-transformer learn {path} …)"
    if last["stopped_at"] is None or last["name"] == STDIN:
        return [f"{start}, or count again: {last['name']} was counted in part"]
    cat = {".gz": "gzip -dc", ".zst": "zstd -dc"}.get(Path(last["name"]).suffix, "cat")
    return [
        f"{start}, or count the rest of {last['name']} and what was to follow it, and name both files:",
        f"  {cat} {last['name']} | tail -c +{last['stopped_at'] + 1} | bpe-transformer count - -o rest.parquet",
    ]


def _weights(arguments: tuple[str, ...], given: tuple[float, ...]) -> tuple[tuple[str, ...], tuple[float, ...] | None]:
    """Names and weights of `CORPUS` and `CORPUS:WEIGHT` arguments."""
    names, weights = [], []
    for argument in arguments:
        found = None if Path(argument).exists() else re.fullmatch(r"(.+):(\d+(?:\.\d+)?)", argument)
        names.append(found[1] if found else argument)
        weights.append(float(found[2]) if found else 1.0)
    has_weights = any(name != argument for name, argument in zip(names, arguments, strict=True))
    if given and has_weights:
        raise click.UsageError("weights are given both as CORPUS:WEIGHT and with --weight; use one of the two")
    if given and len(given) != len(names):
        raise click.UsageError(
            f"{len(given)} times --weight for {len(names)} corpora; give one for each, in their order"
        )
    return tuple(names), given or (tuple(weights) if has_weights else None)


def _inputs(
    name: str, options: CountingOptions, pretokenizer: Pretokenizer | None, spooled: Path | None
) -> list[CountInput]:
    """The inputs that one argument names."""
    from bpe_transformer import PretokenCounts
    from bpe_transformer.data.counting.pretoken_counts import CountInput, count_inputs

    if options.word_list:
        words = PretokenCounts.from_word_list(name, pretokenizer or "whitespace")
        return [CountInput(name, Path(name).stat().st_size, counts=words)]
    if name != "-":
        return count_inputs(
            name,
            split=options.split,
            source_dir=options.source_dir,
            errors=options.errors,
            columns=options.columns.split(",") if options.columns else None,
            recursive=options.recursive,
        )
    if spooled is not None:
        return [CountInput(STDIN, spooled.stat().st_size, files=(spooled,))]
    return [CountInput(STDIN, 0, stream=stdin_bytes())]


@contextmanager
def _spooled_stdin(wanted: bool) -> Iterator[Path | None]:
    """The path of a temporary file with all of standard input, if it is wanted."""
    import shutil
    import tempfile

    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bpe-transformer-") as folder:
        path = Path(folder, STDIN)
        with path.open("wb") as spool:
            shutil.copyfileobj(stdin_bytes(), spool)
        yield path


def counted_facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Rows of a summary beside the size: what was left out, changed, weighted, or reached its limit."""
    rows = []
    if facts["dropped_words"]:
        often = times(facts["dropped_occurrences"], "occurrence")
        rows.append(("left out", f"{times(facts['dropped_words'], 'word')} with {often}: too rare"))
    weighted = [f"{source['name']} {source['weight']:g}" for source in facts["sources"] if source["weight"] != 1]
    if weighted:
        rows.append(("weights", ", ".join(weighted)))
    if facts["saturated"]:
        rows.append(("warning", "a count reached 2^64 - 1 and stayed there: it is a lower bound"))
    if facts["partial"]:
        rows.append(("partial", "counting was interrupted; this is what was reached"))
    return rows


def read_ledger(sources: Iterable[Mapping[str, Any]]) -> Ledger:
    """What was read of the sources of counts, given as JSON: rows and bytes in, what was dropped, replaced characters."""
    from bpe_transformer.tokenizer.counting.facts import CountSource, read_stage_of

    return Ledger((read_stage_of(CountSource(**source) for source in sources),))


def say_counted(sources: Iterable[Mapping[str, Any]]) -> None:
    """Says in a line what was read of the sources of counts."""
    say_ledger(read_ledger(sources))
