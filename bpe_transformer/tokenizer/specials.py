"""Special tokens in text: tiktoken's policy for them, and the text between them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

from bpe_transformer import _core
from bpe_transformer.errors import SpecialTokenError

Specials = Collection[str] | Literal["all"]
NONE: frozenset[str] = frozenset()


def policy(names: Mapping[str, int], num_added: int, allowed: Specials, disallowed: Specials) -> bytes:
    """How the native core treats each special token, then each of `num_added` tokens that are always looked for.

    As in tiktoken, "all" disallowed means all that are not allowed, and a token that is both is disallowed. Raises
    `SpecialTokenError` for an allowed name that is no special token.
    """
    allow = set(names) if allowed == "all" else set(allowed)
    forbid = set(names) - allow if disallowed == "all" else set(disallowed)
    if unknown := allow - names.keys():
        raise SpecialTokenError(
            f"allowed_special names {min(unknown)!r}, which is no special token; this vocabulary has {list(names)}"
        )
    both = dict.fromkeys(allow, _core.ALLOW) | dict.fromkeys(forbid, _core.FORBID)
    return bytes([both.get(name, _core.PLAIN) for name in names] + [_core.ALLOW] * num_added)


def split(data: bytes, tokens: Sequence[tuple[bytes, int]], policy: bytes) -> Iterator[tuple[int, bytes, int | None]]:
    """(start, part, number in `tokens` of the token that ends it or None) for the ordinary parts of `data`, in order.

    Where several tokens match, the longest is taken. Raises `ForbiddenSpecial`.
    """
    active = {token: number for number, (token, _) in enumerate(tokens) if policy[number] != _core.PLAIN}
    start = 0
    if active:
        import regex

        longest_first = sorted(active, key=len, reverse=True)
        for match in regex.finditer(b"|".join(map(regex.escape, longest_first)), data):
            number = active[match.group()]
            if policy[number] == _core.FORBID:
                raise _core.ForbiddenSpecial(number, 0, match.start())
            yield start, data[start : match.start()], number
            start = match.end()
    yield start, data[start:], None
