"""`bpe-transformer why`: where a token comes from, and why a text falls into its tokens."""

from __future__ import annotations

import click

from bpe_transformer.cli.support.console import output, print_json
from bpe_transformer.cli.support.options import view_options
from bpe_transformer.cli.support.text_input import SpecialPolicy, argument_text, read_text, text_options


@click.command(
    epilog="""\b
Examples:
  bpe-transformer why tok return
  bpe-transformer why tok "·self"                as the views write a space; " self" is the same
  bpe-transformer why tok --rank 100
  bpe-transformer why tok --text "세 마리"
  head -c 300 notes.txt | bpe-transformer why tok --text - --all
"""
)
@click.argument("tokenizer", type=click.Path())
@click.argument("token", required=False)
@click.option("--id", "token_id", type=click.IntRange(min=0), metavar="ID", help="The token with this id.")
@click.option("--rank", type=click.IntRange(min=0), metavar="R", help="The token that the merge of this rank makes.")
@click.option("--text", metavar="TEXT", help="Explain how this text is encoded; - is standard input.")
@text_options("strict", "replace")
@click.option("--all", "all_pieces", is_flag=True, help="Draw every pre-token of the text, not only the first 20.")
@view_options
def command(
    tokenizer: str,
    token: str | None,
    token_id: int | None,
    rank: int | None,
    text: str | None,
    allow_special: tuple[str, ...],
    special_as_text: bool,
    errors: str,
    all_pieces: bool,
    as_json: bool,
    width: int | None,
) -> None:
    """Show where TOKEN comes from: its derivation tree, and the smallest vocabulary that has it.

    With --text it shows the merges that a text fires, in their order, and for neighbouring tokens that stayed apart
    why: the merge that does not exist, or the earlier one that took its part.
    """
    if sum(given is not None for given in (token, token_id, rank, text)) != 1:
        raise click.UsageError("give one of: a TOKEN, --id, --rank or --text")
    from bpe_transformer.cli.support.tokenizer_argument import open_tokenizer
    from bpe_transformer.inspection import derive_text, derive_token
    from bpe_transformer.inspection.derivation.token_lookup import find_token, merged_id

    learned = open_tokenizer(tokenizer)
    console = output(width)
    if text is not None:
        policy = SpecialPolicy.of(learned, allow_special, special_as_text)
        source = read_text(errors) if text == "-" else argument_text(text, errors)
        policy.check(learned, source, "the text")
        explained = derive_text(learned, source, **policy.arguments)
        if as_json:
            return print_json(explained.as_dict())
        from bpe_transformer.inspection.render.derivation.text_derivation import MAX_PRETOKENS, render_text_derivation

        return console.print(render_text_derivation(explained, max_pretokens=None if all_pieces else MAX_PRETOKENS))
    if rank is not None:
        token_id = merged_id(learned, rank)
    elif token_id is None:
        token_id = find_token(learned, token or "")
    why = derive_token(learned, token_id)
    if as_json:
        print_json(why.as_dict())
    else:
        console.print(why)
