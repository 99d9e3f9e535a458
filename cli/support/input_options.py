"""What `count` and `learn` share: the options for what is counted and how, the counting, and what is said of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bpe_transformer.cli.support.console import progress, stdin_bytes

if TYPE_CHECKING:
    from bpe_transformer import PretokenCounter, PretokenCounts, Pretokenizer
    from bpe_transformer.data.counting.pretoken_counts import CountInput

Command = TypeVar("Command", bound=Callable[..., Any])
STDIN = "standard input"


def input_options(command: Command) -> Command:
    """The options that `Counted.of` takes."""
    option, least = click.option, click.IntRange(min=1)
    options = [
        option("--documents", default="file", metavar="WHAT", help="Of a text file: file, line, or the text between. [file]"),
        option("--word-list", is_flag=True, help="The inputs are lists of lines word<TAB>count."),
        option("--columns", metavar="NAME,NAME", help="Columns to count, of files with columns. [all text columns]"),
        option("--weight", "weights", multiple=True, type=float, metavar="W", help="One an input, in order; or INPUT:W."),
        option("--temperature", type=float, metavar="T", help="Even out the inputs' sizes: 1 keeps them."),
        option("--min-count", type=least, default=1, metavar="N", help="Leave out words that are rarer. [1]"),
        option("--max-memory", metavar="SIZE", help="Such as 2GB: tables that would grow larger go to disk. [no limit]"),
        option("--threads", type=least, metavar="N", help="Threads for counting. [all cores]"),
        option("--from", "source_dir", metavar="DIR", help="Folder with the files of a public corpus."),
        option("--split", default="train", show_default=True, help="Split of the corpora."),
        option("--errors", type=click.Choice(["strict", "replace"]), default="strict", show_default=True, help="Bad UTF-8."),
        option("--keep-partial", is_flag=True, help="On Ctrl-C, keep what was reached."),
    ]  # fmt: skip
    for add in reversed(options):
        command = add(command)
    return command


def splitting_options(command: Command) -> Command:
    """The options that `pretokenization` takes."""
    option, forms = click.option, click.Choice(["NFC", "NFD", "NFKC", "NFKD"])
    options = [
        option("--pattern", help="cl100k, gpt2, o200k, whitespace, … or a regex. [that of counts, else cl100k]"),
        option("--normalization", type=forms, help="Unicode form of all text. [none]"),
        option("--protect", multiple=True, metavar="TEXT", help="Never split or merge across this text, repeatable."),
        option("--protect-regex", multiple=True, metavar="REGEX", help="The same for every match, repeatable."),
    ]
    for add in reversed(options):
        command = add(command)
    return command


def pretokenizer(options: dict[str, Any], default: str) -> Pretokenizer | None:
    """What the options ask for; None if they ask for nothing."""
    from bpe_transformer import Pretokenizer

    names = ("pattern", "normalization", "protect", "protect_regex")
    if not any(options[name] for name in names):
        return None
    protected = (*map(re.escape, options["protect"]), *options["protect_regex"])
    return Pretokenizer(options["pattern"] or default, options["normalization"], protected)


@dataclass
class Counted:
    """The inputs of a command, as often as they are counted."""

    names: tuple[str, ...]
    weights: tuple[float, ...] | None
    options: dict[str, Any]
    inputs: list[CountInput]
    asked: Pretokenizer | None

    @classmethod
    @contextmanager
    def of(
        cls,
        arguments: tuple[str, ...],
        options: dict[str, Any],
        asked: Pretokenizer | None,
        *,
        twice: bool = False,
    ) -> Iterator[Counted]:
        """From the arguments (`INPUT` or `INPUT:WEIGHT`) and `input_options`; standard input is kept if it is read `twice`.

        `asked` is how the user wants texts to be split, None if that is left open.
        """
        from bpe_transformer import PretokenCounts
        from bpe_transformer.data.counting.pretoken_counts import CountInput, count_inputs

        names, weights = _weights(arguments, options["weights"])
        if weights is not None and options["temperature"] is not None:
            raise click.UsageError("--temperature takes the weights from the sizes; give no weights of your own")
        chosen = {name: options[name] for name in ("split", "source_dir", "errors")}
        chosen["columns"] = options["columns"].split(",") if options["columns"] else None
        with _spooled(twice and "-" in names) as spooled:
            inputs = []
            for name in names:
                if options["word_list"]:
                    words = PretokenCounts.from_word_list(name, asked or "whitespace")
                    inputs.append(CountInput(name, Path(name).stat().st_size, counts=words))
                elif name != "-":
                    inputs += count_inputs(name, **chosen)
                elif spooled is not None:
                    inputs.append(CountInput(STDIN, spooled.stat().st_size, files=(spooled,)))
                else:
                    inputs.append(CountInput(STDIN, 0, stream=stdin_bytes()))
            yield cls(names, weights, options, inputs, asked)

    def split(self, default: str) -> Pretokenizer:
        """How texts are split: as the user or the counts among the inputs say."""
        from bpe_transformer.data.counting.pretoken_counts import pretokenizer_for

        return self.asked or pretokenizer_for(self.inputs, default)

    def counter(self, split: Pretokenizer, spill_dir: Path | None = None) -> PretokenCounter:
        from bpe_transformer import PretokenCounter

        return PretokenCounter(
            split, self.options["threads"], max_memory=self.options["max_memory"], spill_dir=spill_dir
        )

    @contextmanager
    def counting(self, counter: PretokenCounter, label: str, keep_as: str | None) -> Iterator[None]:
        """Counts everything, and then runs the block. Ctrl-C ends the command, and keeps counts as this file if it is named."""
        from bpe_transformer.data.counting.pretoken_counts import add_inputs

        if keep_as is not None:
            import pyarrow.parquet  # noqa: F401  nobody waits for it on Ctrl-C
        chosen = {name: self.options[name] for name in ("documents", "errors")}
        share = 0.0
        try:
            with progress() as display:
                show = reporter(display, label, unit="bytes")

                def report(done: int, total: int) -> None:
                    nonlocal share
                    share = done / total if total else 0
                    show(done, total)

                add_inputs(counter, self.inputs, progress=report, parts=self._weighted, **chosen)
            yield
        except KeyboardInterrupt:
            self._stopped(counter, share, keep_as)
            sys.exit(130)

    def counts(self, split: Pretokenizer, label: str, keep_as: str | None) -> PretokenCounts:
        """All of it in memory. Raises `LearningError` when learning from it would not stay within --max-memory."""
        from bpe_transformer.errors import LearningError

        counter = self.counter(split)
        with self.counting(counter, label, keep_as):
            counts = counter.counts(**self._result_options(counter))
        if counter.max_memory is not None and counts.learning_memory > counter.max_memory:
            raise LearningError(
                f"learning from {len(counts):,} distinct words needs about {counts.learning_memory / 1e6:,.0f} MB, more than "
                f"--max-memory {self.options['max_memory']}; leave out rare ones with --min-count, or allow more"
            )
        return counts

    def save(self, counter: PretokenCounter, path: str) -> dict[str, Any]:
        """Writes the file of counts; returns its facts."""
        return counter.save(path, **self._result_options(counter))

    def _stopped(self, counter: PretokenCounter, share: float, keep_as: str | None) -> None:
        """Says what was reached, and keeps it if that is wished."""
        of = f" ({share:.0%} of the input)" if share else ""
        documents = f"{counter.num_documents:,} whole document{'' if counter.num_documents == 1 else 's'}"
        reached = f"interrupted after {counter.num_bytes:,} bytes{of}, {documents}"
        if keep_as is None or not counter.num_bytes or counter.is_finished:
            what = "nothing was written" + (
                "" if self.options["keep_partial"] else "; --keep-partial keeps what was reached"
            )
            click.echo(f"{reached}; {what}", err=True)
            return
        facts = self.save(counter, keep_as)
        click.echo(f"{reached}; kept as {keep_as}, marked partial", err=True)
        for line in _going_on(facts, keep_as):
            click.echo(line, err=True)

    @property
    def _weighted(self) -> bool:
        return self.weights is not None or self.options["temperature"] is not None

    def _result_options(self, counter: PretokenCounter) -> dict[str, Any]:
        reached = None if self.weights is None else self.weights[: counter.num_groups]
        return {"weights": reached, "temperature": self.options["temperature"], "min_count": self.options["min_count"]}


def _going_on(facts: dict[str, Any], path: str) -> list[str]:
    """How to go on after an interrupted count that was kept."""
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
    """Names and weights of `INPUT` and `INPUT:WEIGHT` arguments."""
    names, weights = [], []
    for argument in arguments:
        found = None if Path(argument).exists() else re.fullmatch(r"(.+):(\d+(?:\.\d+)?)", argument)
        names.append(found[1] if found else argument)
        weights.append(float(found[2]) if found else 1.0)
    own = any(name != argument for name, argument in zip(names, arguments, strict=True))
    if given and own:
        raise click.UsageError("weights stand behind some inputs and after --weight as well; choose one way")
    if given and len(given) != len(names):
        raise click.UsageError(
            f"{len(given)} times --weight for {len(names)} inputs; give one for each, in their order"
        )
    return tuple(names), given or (tuple(weights) if own else None)


@contextmanager
def _spooled(wanted: bool) -> Iterator[Path | None]:
    """Standard input as a file."""
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


def reporter(display: Any, label: str, **fields: Any) -> Callable[[int, int], None]:
    """A callback for the library's progress; its bar appears with the first report. A total of 0 is not known."""
    task: list[Any] = []

    def report(done: int, total: int) -> None:
        if not task:
            task.append(display.add_task(label, total=total or None, **fields))
        display.update(task[0], completed=done, total=total or None)

    return report


def counted_facts(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """What there is to say of counts besides their size: what was left out, changed, weighted, or reached its limit."""
    from bpe_transformer.inspection.render import times

    rows = []
    if facts["dropped_words"]:
        often = times(facts["dropped_occurrences"], "occurrence")
        rows.append(("left out", f"{times(facts['dropped_words'], 'word')} with {often}: too rare"))
    missing, replaced = (sum(source[name] for source in facts["sources"]) for name in ("missing", "replaced"))
    if missing:
        rows.append(("missing", f"{times(missing, 'value')} without text"))
    if replaced:
        rows.append(("replaced", f"{times(replaced, 'place')} that were not UTF-8, by U+FFFD"))
    weighted = [f"{source['name']} {source['weight']:g}" for source in facts["sources"] if source["weight"] != 1]
    if weighted:
        rows.append(("weights", ", ".join(weighted)))
    if facts["saturated"]:
        rows.append(("warning", "a count reached 2^64 - 1 and stayed there: it is a lower bound"))
    if facts["partial"]:
        rows.append(("partial", "counting was interrupted; this is what was reached"))
    return rows
