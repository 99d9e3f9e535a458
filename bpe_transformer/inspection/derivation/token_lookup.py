"""Finding the token that a user typed, or similar tokens if there is none."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from bpe_transformer.errors import EncodingError, LearningError
from bpe_transformer.inspection.base.visible import from_visible, visible

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

MAX_SIMILAR = 6


def find_token(tokenizer: Tokenizer, written: str) -> int:
    """The id of the token with this text, which may be written as the views write it (`·low`, `⟨ea b0⟩`).

    Raises:
        EncodingError: there is none; the message names tokens that come close.
    """
    if not written:
        raise EncodingError("the token is empty; give its text, such as low, or as it is shown, such as ·low")
    for token in _readings(written):
        try:
            return tokenizer.id_of(token)
        except KeyError:
            continue
    similar = " ".join(visible(token) for token in similar_tokens(tokenizer, written))
    raise EncodingError(
        f"{written!r} is not a token of this vocabulary; "
        + (f"near it: {similar}; " if similar else "")
        + "give one of its tokens, "
        "or ask with text=… how it is encoded"
    )


def merged_id(tokenizer: Tokenizer, rank: int) -> int:
    """The id that the merge of `rank` makes. Raises `LearningError` if there is no such merge."""
    merged_ids = tokenizer.model.merged_ids
    if not 0 <= rank < len(merged_ids):
        raise unknown_rank_error(rank, len(merged_ids))
    return int(merged_ids[rank])


def unknown_rank_error(rank: int, merges: int) -> LearningError:
    """The error for a rank that no merge has."""
    if not merges:
        return LearningError(
            "this tokenizer has no merges: its vocabulary is the alphabet; learn with a larger vocab_size"
        )
    return LearningError(f"no merge has rank {rank}; this tokenizer has {merges:,}, ranks 0 to {merges - 1:,}")


def _readings(written: str) -> list[bytes]:
    """The bytes that a user may mean by `written`: the text itself, and the token that the views show like this."""
    readings = [written.encode("utf-8", "surrogateescape")]
    if (shown := from_visible(written)) is not None and shown not in readings:
        readings.append(shown)
    return readings


def similar_tokens(tokenizer: Tokenizer, written: str, limit: int = MAX_SIMILAR) -> list[bytes]:
    """Tokens that a user may have meant: the same with a space, an end-of-word mark or other capitals, then similar spellings."""
    spelled = _readings(written)[-1].decode("utf-8", "replace")
    bare = spelled.strip()
    space = tokenizer.model.space_mark or " "
    mark = tokenizer.end_of_word or ""
    cases = dict.fromkeys([spelled, bare, bare.lower(), bare.capitalize(), bare.upper()])
    meant = [form for case in cases for form in (case, space + case, case + mark)]
    found = [token for form in meant if (token := form.encode()) in tokenizer.model.id_of]
    if len(found) < limit and bare:
        alike = {
            plain: token
            for token in tokenizer.model.tokens
            if abs(len(token) - len(spelled.encode())) <= 4
            and (plain := token.decode("utf-8", "replace").replace(space, "").removesuffix(mark))[:1] == bare[0]
        }
        found += [alike[plain] for plain in get_close_matches(bare, alike, n=limit, cutoff=0.6)]
    return list(dict.fromkeys(found))[:limit]
