"""Files that are mistaken for a vocabulary of byte pair encoding: each is named as what it is, with what to do."""

from __future__ import annotations

import re

from bpe_transformer.errors import FormatError

_NUMBERS = re.compile(rb"\d+ \d+\r?\n\d+ \d+\r?\n\d+ \d+\r?\n")


def refuse(head: bytes, name: str) -> None:
    """Raises `FormatError` if a file of this name that begins with `head` is one of these."""
    if kind := _kind(head, name):
        raise FormatError(f"this is {kind}")


def _kind(head: bytes, name: str) -> str | None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
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
    if _NUMBERS.match(start):
        return "a model of YouTokenToMe, whose format is its own; learn a vocabulary from the text instead"
    return None
