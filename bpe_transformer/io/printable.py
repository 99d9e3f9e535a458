"""Text that is safe on a terminal: characters that would act on it, instead of being drawn, are written as code points.

Names of files, texts and special tokens come from strangers, and their characters must not move the cursor, ring the
bell or change the direction of the text beside them. Every message and view passes through `printable`.
"""

from __future__ import annotations

import re

# Controls of C0 and C1; marks, embeddings, overrides and isolates of direction (Unicode Standard Annex 9); separators of
# lines and paragraphs; lone surrogates, which stand for bytes that are not UTF-8.
_DIRECTION = "\u061c\u200e\u200f\u202a-\u202e"
_ACTING = re.compile(f"[\x00-\x1f\x7f-\x9f{_DIRECTION}\u2066-\u2069\u2028\u2029\ud800-\udfff]")
# The same without newlines and tabs, and without FSI and PDI, with which views wrap text that runs from right to left.
_ACTING_IN_LAYOUT = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_DIRECTION}\u2066\u2067\u2028\u2029\ud800-\udfff]")
_ACTING_IN_JSON = re.compile(f"[\x7f-\x9f{_DIRECTION}\u2066-\u2069\u2028\u2029\ud800-\udfff]")


def printable(text: str) -> str:
    """`text` on one line, with characters that a terminal would obey written as code points.

    >>> printable("a\\x1b[31m.txt"), printable("세 마리"), printable("\\udcff")
    ('a⟨U+001B⟩[31m.txt', '세 마리', '⟨ff⟩')
    """
    return _ACTING.sub(_escape, text)


def printable_layout(text: str) -> str:
    """The same for text that is laid out already: it keeps newlines, tabs, FSI and PDI."""
    return _ACTING_IN_LAYOUT.sub(_escape, text)


def printable_json(data: object, indent: int | None = 2) -> str:
    """JSON of `data` that reads back exactly; characters that a terminal would obey are written as JSON escapes."""
    import json

    written = json.dumps(data, ensure_ascii=False, indent=indent)
    return _ACTING_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def code_point(char: str) -> str:
    """A character written as its code point.

    >>> code_point("\\x1b")
    '⟨U+001B⟩'
    """
    return f"⟨U+{ord(char):04X}⟩"


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    is_byte = 0xDC80 <= ord(char) <= 0xDCFF  # of a name that is not UTF-8 (PEP 383)
    return f"⟨{ord(char) - 0xDC00:02x}⟩" if is_byte else code_point(char)


def times(count: int, noun: str) -> str:
    """A count with its noun, in the plural unless it is one.

    >>> times(1, "word"), times(1200, "word")
    ('1 word', '1,200 words')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
