"""`bpe-transformer demo`: learning, encoding and decoding from end to end, shown as commands to type."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import click

from bpe_transformer.cli.support.console import messages
from bpe_transformer.cli.support.process import TRAINING
from bpe_transformer.cli.support.training_options import start_torch


def steps(folder: Path, held_out: dict[str, str], minutes: tuple[float | None, float]) -> list[tuple[str, list[str]]]:
    """(what it shows, or nothing where it goes on; arguments of `bpe-transformer`), in order.

    minutes: of translation (None: the recipe's steps) and of language.
    """
    numbers, language = str(folder / "numbers"), str(folder / "language")
    words, code = str(folder / "numbers-tokenizer"), str(folder / "stdlib-tokenizer")
    limits = [["--overwrite"] if limit is None else ["--minutes", f"{limit:g}", "--overwrite"] for limit in minutes]
    return [
        ("Why BPE merges what it merges: the textbook example", ["trace", "low-lower", "--merges", "2"]),
        (
            "A vocabulary of English and Korean number expressions, and its first merges",
            ["learn", "numbers-en-ko", "-o", words, "--vocab-size", "500", "--overwrite"],
        ),
        ("A sentence as tokens", ["tokens", words, "twenty-three cats → 고양이 스물세 마리"]),
        (
            "The corpus as ids, and what became of every pair",
            ["prepare", "numbers-en-ko", "--tokenizer", words, "-o", str(folder / "prepared")],
        ),
        (
            "An encoder-decoder Transformer learns to translate them",
            ["train", "numbers-en-ko", "--tokenizer", words, "-o", numbers, "--snapshots", "6", *limits[0]],
        ),
        (
            "Its score on the test split, which it has never seen, and every miss",
            ["evaluate", numbers, "numbers-en-ko", "--split", "test", "--limit", "1000"],
        ),
        ("Held-out expressions, translated", ["translate", numbers, *held_out.values()]),
        ("What it looks at while it writes one of them", ["attention", numbers, held_out["counter"]]),
        (
            "The vocabulary, and the translator itself, as pages to open in a browser",
            ["report", words, "-o", f"{words}.html", "--overwrite"],
        ),
        ("", ["report", numbers, "-o", f"{numbers}.html", "--overwrite"]),
        (
            "A vocabulary of this Python's standard library",
            ["learn", "python-stdlib", "-o", code, "--vocab-size", "4000", "--overwrite"],
        ),
        (
            "A small language model learns to write such code",
            ["train", "python-stdlib", "--tokenizer", code, "-o", language, *limits[1]],
        ),
        (
            "How well it predicts source that it has never seen",
            ["evaluate", language, "python-stdlib", "--split", "validation[:20]"],
        ),
        ("A function, continued", ["generate", language, "def __init__(self, ", "--max-new", "60"]),
        ("The language model as a page", ["report", language, "-o", f"{language}.html", "--overwrite"]),
    ]


def held_out_expressions() -> dict[str, str]:
    """The first expression of every kind in the test split, by kind."""
    from bpe_transformer.data import load_corpus

    first: dict[str, str] = {}
    for row in load_corpus("numbers-en-ko", "test"):
        first.setdefault(row["kind"], row["en"])
    return first


@click.command(
    epilog="""\b
Example:
  bpe-transformer demo
  bpe-transformer demo -o /tmp/demo --translation-minutes 5
"""
)
@click.option(
    "-o",
    "--output",
    default="runs/demo",
    show_default=True,
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Folder.",
)
@click.option(
    "--translation-minutes",
    type=click.FloatRange(min=0.01),
    metavar="X",
    help="Training time. [the steps of the recipe, about 2.7 minutes]",
)
@click.option(
    "--language-minutes",
    type=click.FloatRange(min=0.01),
    default=1.75,
    show_default=True,
    metavar="X",
    help="Training time.",
)
def command(output: str, translation_minutes: float | None, language_minutes: float) -> None:
    """Run the whole way: learn a vocabulary, look at it, train two models, look at them. About 5 minutes on two cores.

    Every step is a command of its own, shown before it runs; what it makes stays in the output folder.
    """
    from bpe_transformer.cli import cli

    start_torch(needed=TRAINING)
    console = messages()
    start = time.monotonic()
    for title, arguments in steps(Path(output), held_out_expressions(), (translation_minutes, language_minutes)):
        if title:
            console.print()
            console.rule(title, align="left", style="bold")
        console.print(f"$ bpe-transformer {shlex.join(arguments)}", style="dim", soft_wrap=True)
        cli.main(arguments, standalone_mode=False)
    console.rule(style="bold")
    seconds = round(time.monotonic() - start)
    console.print(f"demo finished in {seconds // 60} min {seconds % 60} s; everything it made is in {output}")
    pages = sorted(Path(output).glob("*.html"))
    console.print("Open in a browser, no network needed:")
    for page in pages:
        console.print(f"  {page.resolve().as_uri()}", soft_wrap=True, highlight=False)
