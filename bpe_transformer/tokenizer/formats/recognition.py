"""What a file is, by its first bytes: a format of tokenizers, or what is mistaken for one, named as what it is, with what to do.

No format's module is imported for this.
"""

from __future__ import annotations

import base64
import re

from bpe_transformer.errors import FormatError

MERGES_FILE = "merges.txt"  # GPT-2's

_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_CLIP = b'"bpe_simple_vocab_16e6.txt#version:'
_GPT2_SPACE = "\u0120".encode()  # stands for a space in names of bytes
_NUMBERS = re.compile(rb"\d+ \d+\r?\n\d+ \d+\r?\n\d+ \d+\r?\n")


def refuse(head: bytes, name: str) -> None:
    """Raises `FormatError` if a file of this name that begins with `head` is one of these."""
    if kind := _kind(head, name):
        raise FormatError(f"this is {kind}")


def _kind(head: bytes, name: str) -> str | None:
    start = head.removeprefix(_BOM).lstrip()
    if not start:
        return "an empty file; download it again"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the file it points to; run git lfs pull, or download the file itself"
    if start[:200].lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        return "a web page, not the file that its address names; download the file itself (on a hub by /resolve/)"
    if head.startswith(b"GGUF"):
        return "a GGUF model; give the tokenizer.json of the model that it was converted from"
    if head.startswith(b"PK\x03\x04"):
        return "a zip archive, such as a checkpoint of PyTorch; give the tokenizer's own file"
    if name == "vocab.txt" or (b"[UNK]" in head and b"\n##" in head and not start.startswith(b"{")):
        return "a vocabulary of WordPiece (BERT's), which is not byte pair encoding; use the tokenizers package"
    if start.startswith(b"#version:") and name != MERGES_FILE and _GPT2_SPACE in start and b"</w>" not in start:
        return f"the merges of GPT-2's format, which need their ids as well; call it {MERGES_FILE}, beside a vocab.json"
    if _NUMBERS.match(start):
        return "a model of YouTokenToMe, whose format is its own; learn a vocabulary from the text instead"
    return None


def is_ranks(head: bytes, name: str = "") -> bool:
    """Whether a file of this name that begins with `head` can only be ranks of tiktoken: a token in base64 and a number on
    each line, at least on the first or on most; one that is called `.tiktoken` is read as ranks, to say which line is not."""
    lines = head.removeprefix(_BOM).lstrip(b"\r\n").split(b"\n")
    if name.endswith(".tiktoken") and not lines[0].startswith((b"{", b"[")) and not is_pickle(head):
        return True
    whole = [line for line in lines[:-1] if line.strip()]
    return _is_rank(lines[0]) or (len(whole) > 2 and 2 * sum(map(_is_rank, whole)) > len(whole))


def _is_rank(line: bytes) -> bool:
    first = line.split()
    if len(first) != 2 or not first[1].isdigit():
        return False
    try:
        base64.b64decode(first[0], validate=True)
    except ValueError:
        return False
    return True


def is_clip(head: bytes) -> bool:
    """Whether a file that begins with `head`, packed or not, can be CLIP's merges."""
    if head.startswith(_GZIP):
        import zlib

        try:
            head = zlib.decompressobj(31).decompress(head, len(_CLIP))
        except zlib.error:
            return False
    return head.startswith(_CLIP)


def is_pickle(head: bytes) -> bool:
    """Whether a file that begins with `head` can be a pickle of protocol 2 to 5, as nanochat's are."""
    return len(head) > 2 and head[0] == 0x80 and head[1] in (2, 3, 4, 5)


def is_sentencepiece(head: bytes) -> bool:
    """Whether a file that begins with `head` can be a model: its first field is a piece, which begins with its text."""
    return len(head) > 3 and head[0] == 0x0A and head[2] == 0x0A


def is_subword_nmt(head: bytes) -> bool:
    """Whether a file that begins with `head` can be codes. GPT-2's merges begin alike; their name tells them."""
    return head.removeprefix(_BOM).startswith(b"#version:")
