"""`bpe-transformer why`: the merges that build a token, and why a text is encoded to its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import output, print_json, say
from bpe_transformer.cli.support.options import (
    errors_option,
    file_option,
    text_option,
    tokenizer_argument,
    view_options,
    whole_number,
)
from bpe_transformer.cli.support.text_input import (
    SpecialPolicy,
    argument_text,
    file_text,
    literal_text,
    say_read,
    special_token_options,
)
from bpe_transformer.cli.support.tokenizer_files import open_tokenizer

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer
    from bpe_transformer.inspection import TextDerivation
    from bpe_transformer.inspection.tokens.chunked_text import ChunkedText
    from bpe_transformer.io import Errors


@click.command(
    epilog="""\b
Examples:
  bpe-transformer why tok return
  bpe-transformer why tok "·self"         · is a space, as the views write it
  bpe-transformer why tok --rank 100
  bpe-transformer why tok "세 마리"
  bpe-transformer why tok --text return   the text, though it is also a token
  head -c 300 notes.txt | bpe-transformer why tok --file - --all
"""
)
@tokenizer_argument
@click.argument("text", required=False, metavar="[TEXT]")
@click.option("--id", "token_id", type=whole_number(0), metavar="ID", help="The token with this id.")
@click.option("--rank", type=whole_number(0), metavar="N", help="The token that the merge of this rank makes.")
@text_option
@file_option()
@special_token_options
@errors_option()
@click.option("--all", "all_pretokens", is_flag=True, help="Draw every pre-token of the text, not only the first 20.")
@view_options
def command(
    tokenizer: str,
    text: str | None,
    token_id: int | None,
    rank: int | None,
    texts: tuple[str, ...],
    files: tuple[str, ...],
    allow_special: tuple[str, ...],
    special_as_text: bool,
    errors: Errors,
    all_pretokens: bool,
    as_json: bool,
    width: int | None,
) -> None:
    """Show where TEXT comes from if it is one token: its derivation tree, and the smallest vocabulary that has it.

    Of any other text, and of --text and --file, it shows the merges that fire, in their order, and for neighbouring tokens
    that stayed apart why: the merge that does not exist, or the earlier one that took one of the two.
    """
    if sum(given not in (None, ()) for given in (text, token_id, rank, texts, files)) != 1:
        raise click.UsageError("give one of: TEXT, --id, --rank, --text or --file; --file - reads standard input")
    from bpe_transformer.inspection import derive_token
    from bpe_transformer.inspection.derivation.token_lookup import merged_id

    learned = open_tokenizer(tokenizer)
    console = output(width)
    if rank is not None:
        token_id = merged_id(learned, rank)
    elif text is not None and (token_id := _token(learned, text)) is None:
        texts = (argument_text(text, errors),)
    if token_id is not None:
        why = derive_token(learned, token_id)
        return print_json(why.as_dict()) if as_json else console.print(why)
    sources = [*(file_text(file, errors) for file in files), *(literal_text(text, errors) for text in texts)]
    policy = SpecialPolicy.of(learned, allow_special, special_as_text)
    explained = [_explained(learned, source, policy) for source in sources]
    if as_json:
        facts = [text.as_dict() for text in explained]
        print_json(facts[0] if len(facts) == 1 else facts)
        return say_read(sources)
    from bpe_transformer.inspection.render.derivation.text_derivation import MAX_PRETOKENS, render_text_derivation

    for derivation in explained:
        console.print(render_text_derivation(derivation, max_pretokens=None if all_pretokens else MAX_PRETOKENS))
    say_read(sources)


def _explained(tokenizer: Tokenizer, source: ChunkedText, policy: SpecialPolicy) -> TextDerivation:
    from bpe_transformer.inspection import derive_text

    whole = source.whole() if source.text is None else source.text
    policy.check(tokenizer, whole, source.name)
    return derive_text(tokenizer, whole, **policy.arguments)


def _token(tokenizer: Tokenizer, text: str) -> int | None:
    """The id of the token that the user wrote, or None after a note of similar tokens."""
    from bpe_transformer.errors import EncodingError
    from bpe_transformer.inspection.base.visible import visible
    from bpe_transformer.inspection.derivation.token_lookup import find_token, similar_tokens

    try:
        return find_token(tokenizer, text)
    except EncodingError:
        if not text:
            raise
    near = " ".join(visible(token) for token in similar_tokens(tokenizer, text))
    close = f" (near it: {near})" if near else ""
    say(f"note: {text!r} is not one token of this vocabulary{close}; this is how it is encoded")
    return None
