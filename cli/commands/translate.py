"""`bpe-transformer translate`: text in, translations out, line by line."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from bpe_transformer.cli.support.console import progress, reporter, say, write_text
from bpe_transformer.cli.support.options import errors_option, json_option, threads_option
from bpe_transformer.cli.support.text_input import at_once_option, one_line, write_rows
from bpe_transformer.cli.support.text_lines import TextLines
from bpe_transformer.cli.support.training_options import dataclass_options, start_torch
from bpe_transformer.inference.options import TranslationOptions
from bpe_transformer.io.printable import times

if TYPE_CHECKING:
    from bpe_transformer.inference import Translation, TranslationHypothesis, Translator


@click.command(
    epilog="""\b
Examples:
  bpe-transformer translate runs/numbers "three cats" "25 to 5 pm"
  bpe-transformer translate runs/multi30k < captions.en > captions.de
  bpe-transformer translate runs/numbers "three cats" --n-best 3
  bpe-transformer translate runs/numbers "three cats" --target "고양이 세 마리" --json
"""
)
@click.argument("run", type=click.Path())
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@dataclass_options(TranslationOptions)
@click.option("--prefix", default="", metavar="TEXT", help="Each translation begins with this.")
@click.option(
    "--target", "targets", multiple=True, metavar="TEXT", help="Score this translation of a TEXT; repeatable."
)
@click.option("--pairs", is_flag=True, help="Score translations: each line is a text, a tab, and its translation.")
@click.option("--scores", is_flag=True, help="Write the score before each translation, with a tab between them.")
@click.option(
    "--engine", type=click.Choice(["torch", "ctranslate2"]), default="torch", show_default=True, help="What translates."
)
@json_option
@errors_option()
@threads_option
@at_once_option
def command(
    run: str,
    texts: tuple[str, ...],
    prefix: str,
    targets: tuple[str, ...],
    pairs: bool,
    scores: bool,
    engine: Literal["torch", "ctranslate2"],
    as_json: bool,
    errors: str,
    threads: int | None,
    at_once: bool,
    options: Mapping[str, Any],
) -> None:
    """Translate each TEXT, or each line of standard input, with the model in the folder RUN.

    One line in, one line out: an empty line stays empty, and a translation's own line breaks become spaces. With
    --n-best each translation is a line of its own: the row, the score and the text, with tabs between them. With
    --json each row is a line of JSON.
    """
    if targets and len(targets) != len(texts):
        raise click.UsageError(
            f"--target was given {len(targets)} times for {times(len(texts), 'text')}; give one for each TEXT"
        )
    if pairs and (texts or prefix):
        raise click.UsageError("--pairs reads texts and translations from standard input; leave TEXT and --prefix out")
    start_torch(threads)
    from bpe_transformer.inference import load_translator

    translator = load_translator(run, engine=engine, threads=threads)
    refused = 0
    row = 1
    lines_read = TextLines(texts, errors, at_once=at_once)
    for batch in lines_read:
        if pairs or targets:
            found = _scored(translator, batch, targets, options, row)
        else:
            with progress() as display:
                report = reporter(display, "translating") if len(batch) > 1 else None
                found = translator.search(
                    batch, prefix=prefix, scores=scores or as_json or _n_best(options) > 1, progress=report, **options
                )
        refused += _tell(found, row, translator, lines_read)
        if as_json:
            write_rows({"row": number, **one.to_dict()} for number, one in enumerate(found, row))
        else:
            lines = [line for number, one in enumerate(found, row) for line in _lines(one, number, options, scores)]
            write_text("".join(f"{line}\n" for line in lines).encode())
        row += len(batch)
    lines_read.say_read()
    if refused:
        sys.exit(1)


def _n_best(options: Mapping[str, Any]) -> int:
    return int(options.get("n_best", 1))


def _scored(
    translator: Translator, batch: Sequence[str], targets: Sequence[str], options: Mapping[str, Any], first: int
) -> list[Translation]:
    """The given translations with their scores, as translations of their texts."""
    from bpe_transformer.inference import Translation

    if targets:
        sources, wanted = list(batch), list(targets)
    else:
        split = [line.split("\t") for line in batch]
        for number, parts in enumerate(split, first):
            if len(parts) != 2:
                raise click.UsageError(
                    f"line {number:,} has {len(parts) - 1} tabs; --pairs takes a text, one tab, and its translation"
                )
        sources, wanted = ([parts[side] for parts in split] for side in (0, 1))
    kept = {name: value for name, value in options.items() if name in ("length_penalty", "batch_tokens")}
    found = translator.score(sources, wanted, **kept)
    return [
        Translation(source, *translator.source_facts(source), None, (one,))
        for source, one in zip(sources, found, strict=True)
    ]


def _lines(found: Translation, row: int, options: Mapping[str, Any], scores: bool) -> list[str]:
    """What is written for a row."""
    if _n_best(options) > 1:
        return [f"{row}\t{_score(one)}\t{one_line(one.text)}" for one in found.hypotheses]
    best = one_line(found.text)
    if not (scores or (found.hypotheses and found.hypotheses[0].finish == "given")):
        return [best]
    return [f"{_score(found.hypotheses[0]) if found.hypotheses else ''}\t{best}"]


def _score(found: TranslationHypothesis) -> str:
    return "" if found.score is None else f"{found.score:.4f}"


def _tell(found: Sequence[Translation], first: int, translator: Translator, lines_read: TextLines) -> int:
    """Says on standard error what was done to long, unknown and unfinished texts; the number of rows refused."""
    longest = translator.info.settings.model.max_len
    done = {
        "split": "it was split, and its pieces translated one by one",
        "truncate": "only its beginning was translated",
        "refuse": "it was not translated",
    }
    for row, one in enumerate(found, first):
        if one.long is not None:
            say(
                f"note: row {row:,} has {times(one.source_ids, 'id')}, more than the {longest:,} that the model was trained on; "
                f"{done[one.long]} (--long)"
            )
        if one.long == "refuse":
            lines_read.leave_out(row, one.source, "longer than the model reads")
        elif one.long == "truncate":
            read = translator.tokenizer.encode_ordinary(one.source)[: longest - 1]
            lines_read.cut(row, one.source, translator.tokenizer.decode_bytes(read), "longer than the model reads")
        if one.unknown:
            say(
                f"note: row {row:,} has {one.unknown:,} of {times(one.source_ids, 'id')} that are <unk>: "
                "the vocabulary lacks them"
            )
        if one.source.strip() and one.hypotheses and not one.text and one.hypotheses[0].finish == "ended":
            say(f"note: the translation of row {row:,} is empty: the model writes only the token that ends a text")
        if one.hypotheses and one.hypotheses[0].finish == "limit":
            say(f"note: the translation of row {row:,} was cut at the limit on its length")
    return sum(one.long == "refuse" for one in found)
