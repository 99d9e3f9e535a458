"""Which characters the tokens of a text share: a legend for tokens that are parts of characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bpe_transformer.inspection.base.visible import visible


def split_characters(tokens: Sequence[bytes]) -> list[tuple[str, tuple[bytes, ...]]]:
    """Every character whose bytes lie in several tokens, once, with those tokens, in the order of the text.

    >>> split_characters([b"a", b"\\xec\\x84", b"\\xb8 ", b"b"])
    [('세', (b'\\xec\\x84', b'\\xb8 '))]
    """
    return list({(char, tuple(tokens[place] for place in places)): None for char, places in _shared(tokens)})


def named_tokens(tokens: Sequence[bytes]) -> list[str]:
    """Tokens written visibly, with the characters that they are part of.

    >>> named_tokens([b"a", b"\\xec\\x84", b"\\xb8 "])
    ['a', '⟨ec 84⟩ (세)', '⟨b8⟩· (세)']
    """
    chars: dict[int, str] = {}
    for char, places in _shared(tokens):
        for place in places:
            chars[place] = chars.get(place, "") + char
    return [
        visible(token) + (f" ({visible(chars[place])})" if place in chars else "") for place, token in enumerate(tokens)
    ]


def _shared(tokens: Sequence[bytes]) -> Iterator[tuple[str, list[int]]]:
    """The characters whose bytes lie in several tokens, with the places of these."""
    text = b"".join(tokens)
    owners = [number for number, token in enumerate(tokens) for _ in token]
    at = 0
    for char in text.decode("utf-8", "surrogateescape"):
        size = 1 if 0xDC80 <= ord(char) <= 0xDCFF else len(char.encode())
        places = sorted(set(owners[at : at + size]))
        if len(places) > 1:
            yield char, places
        at += size


def written_legend(tokens: Sequence[bytes]) -> list[str]:
    """The same as texts, such as "세 = ⟨ec 84⟩ ⟨b8⟩·"; empty where every token is whole characters."""
    return [f"{visible(char)} = {' '.join(map(visible, parts))}" for char, parts in split_characters(tokens)]
