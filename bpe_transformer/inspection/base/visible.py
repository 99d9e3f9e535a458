"""Tokens written visibly, so that spaces, control characters and parts of characters show.

A space is `·`, a newline `↵`, a carriage return `␍`, a tab `⇥`. Bytes that are not a whole character stand in brackets
(`⟨ea b0⟩`), and so do characters that a terminal would not draw, or on whose width terminals disagree (`⟨U+200D⟩`). A
character that is one of these marks is written as its code point, so that a written token means exactly one thing.
"""

from __future__ import annotations

import re
import unicodedata

from bpe_transformer.io.printable import code_point

MARKS = {" ": "·", "\n": "↵", "\r": "␍", "\t": "⇥"}
_CHAR_OF_MARK = {mark: char for char, mark in MARKS.items()}
SEPARATOR = "│"  # what a view puts between two tokens
_RESERVED = frozenset(MARKS.values()) | {SEPARATOR, "⟨", "⟩", "◌"}
# control, format, surrogate, private, unassigned; line, paragraph and every space but U+0020
_UNDRAWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")  # fillers of Hangul
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def visible(token: bytes | str) -> str:
    """`token` written visibly.

    >>> visible(b" low\\n")
    '·low↵'
    >>> visible("한".encode()[:2])
    '⟨ed 95⟩'
    >>> visible("·")
    '⟨U+00B7⟩'
    """
    text = token.decode("utf-8", errors="surrogateescape") if isinstance(token, bytes) else token
    written: list[str] = []
    partial: list[str] = []  # bytes that belong to no whole character, in hexadecimal
    for char in text:
        if isinstance(token, bytes) and 0xDC80 <= ord(char) <= 0xDCFF:
            partial.append(f"{ord(char) - 0xDC00:02x}")
            continue
        if partial:
            written.append(_bracketed(partial))
            partial = []
        written.append(_visible_char(char, first=not written))
    if partial:
        written.append(_bracketed(partial))
    return "".join(written)


def from_visible(written: str) -> bytes | None:
    """The token that `visible` writes like this; None if there is none.

    >>> from_visible("·low↵"), from_visible("⟨ed 95⟩"), from_visible("⟨nothing⟩")
    (b' low\\n', b'\\xed\\x95', None)
    """
    token = b""
    for plain, bracketed in re.findall(r"([^⟨]+)|⟨([^⟩]*)⟩?", written):
        try:
            if plain:
                token += "".join(_CHAR_OF_MARK.get(char, char) for char in plain.replace("◌", "")).encode()
            elif bracketed.startswith("U+"):
                token += chr(int(bracketed[2:], 16)).encode("utf-8", "surrogatepass")
            else:
                token += bytes.fromhex(bracketed)
        except (ValueError, OverflowError):
            return None
    return token if visible(token) == written else None


def _visible_char(char: str, *, first: bool) -> str:
    if char in MARKS:
        return MARKS[char]
    if char.isascii() and char.isprintable():
        return char
    if (
        char in _RESERVED
        or unicodedata.category(char) in _UNDRAWN
        or char in _BLANK_LETTERS
        or _has_unsettled_width(char)
    ):
        return code_point(char)
    if first and _is_combining(char):
        return "◌" + char  # there is no character before it to combine with
    return char


def _has_unsettled_width(char: str) -> bool:
    """Variation selectors, skin tones and the halves of flags: terminals disagree on the width they take, alone and joined."""
    point = ord(char)
    selects = 0xFE00 <= point <= 0xFE0F or 0xE0100 <= point <= 0xE01EF
    return selects or 0x1F3FB <= point <= 0x1F3FF or 0x1F1E6 <= point <= 0x1F1FF


def _is_combining(char: str) -> bool:
    """Combining marks, and the vowels and final consonants of decomposed Hangul."""
    point = ord(char)
    return unicodedata.category(char) in {"Mn", "Mc", "Me"} or 0x1160 <= point <= 0x11FF or 0xD7B0 <= point <= 0xD7FF


def in_view(token: bytes | str) -> str:
    """`token` as a view puts it beside other text: `isolated(visible(token))`."""
    return isolated(visible(token))


def isolated(written: str) -> str:
    """A result of `visible`, safe beside other text: right-to-left text is wrapped in the invisible characters FSI and PDI,
    which keep a terminal from reordering it with what follows (Unicode Standard Annex 9; zero cells wide).

    >>> isolated("low"), isolated("שלום") == "\u2068שלום\u2069"
    ('low', True)
    """
    if written.isascii() or not any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in written):
        return written
    return f"\u2068{written}\u2069"


def _bracketed(partial: list[str]) -> str:
    return f"⟨{' '.join(partial)}⟩"


def readable(token: bytes) -> str | None:
    """The token as text, or None when it is not whole characters. The JSON of every view uses it."""
    try:
        return token.decode("utf-8")
    except UnicodeDecodeError:
        return None


def token_dict(token: bytes) -> dict[str, str | None]:
    """A token for JSON: its text (null when it is not whole characters) and always its bytes.

    >>> token_dict(b"es")
    {'text': 'es', 'hex': '6573'}
    """
    return {"text": readable(token), "hex": token.hex()}
