"""The command line. One file a subcommand, loaded only when it runs, so that `--help` answers at once."""

from __future__ import annotations

import re
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING

import click

from bpe_transformer import __version__
from bpe_transformer.cli.support.help_pages import HelpContext

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# The one place that lists the commands; the help line stands here so that listing them imports none.
COMMANDS = {
    "count": "Count pre-tokens, to learn from later.",
    "learn": "Learn a BPE vocabulary from corpora.",
    "trace": "Show the merges step by step.",
    "trace diff": "Show how the merges of two tokenizers differ.",
    "why": "Show where a token comes from, or why a text splits.",
    "tokens": "Show how a text is tokenized.",
    "sizes": "Measure a vocabulary at every size.",
    "report": "Write a vocabulary or a trained model as an HTML page.",
    "vocab": "Browse a vocabulary, and see what a corpus uses of it.",
    "prune": "Drop the tokens that a corpus never needs.",
    "compare": "Measure tokenizers on the same texts.",
    "encode": "Turn text into ids.",
    "decode": "Turn ids into text.",
    "import": "Read a tokenizer in any known format and save it.",
    "export": "Write a tokenizer in another format.",
    "corpora": "List the corpora that can be named.",
    "prepare": "Tokenize a corpus and cache it for training.",
    "train": "Train a translation or language model.",
    "curve": "Draw the losses of training runs together.",
    "ab": "Compare tokenizers by the models that they make.",
    "study": "Measure what the papers claim, with models trained here.",
    "evaluate": "Score a trained model on a held-out split.",
    "translate": "Translate text with a trained model.",
    "generate": "Continue texts with a trained language model.",
    "classify": "Label texts with a trained classifier.",
    "fill-mask": "Fill gaps in texts with a trained masked language model.",
    "attention": "Show what a model attends to.",
    "align": "Show which words of a translation belong together.",
    "lesson": "Explain tokenizers and Transformers with numbers, step by step.",
    "demo": "Run the whole way, from a corpus to trained models.",
}


class LazyGroup(click.Group):
    """Finds a subcommand in `bpe_transformer.cli.commands.NAME` as its `command`, importing it on first use.

    A name may be two words or hold a hyphen; its module has an underscore there. One is appended to a keyword of Python.
    """

    context_class = HelpContext

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(
            f"bpe_transformer.cli.commands.{re.sub('[ -]', '_', cmd_name)}{'_' * iskeyword(cmd_name)}"
        )
        command: click.Command = module.command
        command.context_class = HelpContext
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if (two_words := " ".join(args[:2])) in COMMANDS:
            return two_words, self.get_command(ctx, two_words), args[2:]
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from bpe_transformer.cli.support.error_messages import suggestion

            ctx.fail(f"no such command: {args[0]}{suggestion(args[0], list(COMMANDS))}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands of one word; the second word is completed as an argument of the first."""
        found = super().shell_complete(ctx, incomplete)
        return [item for item in found if " " not in item.value]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from bpe_transformer.tokenizer.splitting.alignment import UNICODE_VERSION

        click.echo(f"bpe-transformer, version {__version__} (Unicode {UNICODE_VERSION})")
        context.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Arguments mean the same everywhere:
  TOKENIZER  a folder that learn wrote, or a file in a format import reads;
             FILE:PATTERN for ranks (.tiktoken), which lack their pattern
  CORPUS     a name that corpora lists, a file (.txt, .jsonl, .csv, .tsv,
             .parquet, also .gz and .zst), a folder, or - for standard input
  --text     is a text itself; --file names a file of it

\b
Example:
  bpe-transformer learn python-stdlib -o tok --vocab-size 8000

\b
Completion with the Tab key, in ~/.bashrc (also zsh_source, fish_source):
  eval "$(_BPE_TRANSFORMER_COMPLETE=bash_source bpe-transformer)"
""",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Learn BPE vocabularies, look at every merge, and train Transformers on the tokens."""


def main() -> None:
    """The `bpe-transformer` command: one-line errors on standard error, exit code 1; wrong usage exits with 2."""
    from bpe_transformer.cli.support.console import run
    from bpe_transformer.cli.support.process import reserve_little, signals_as_ctrl_c

    reserve_little()
    with signals_as_ctrl_c():
        run(cli)


__all__ = ["COMMANDS", "cli", "main"]
