"""What a file is, by its first bytes: a format of tokenizers, or what is mistaken for one, named as what it is, with what to do.

No format's module is imported for this.
"""

from __future__ import annotations

import base64
import codecs
import re
from pathlib import Path

from bpe_transformer.errors import FormatError
from bpe_transformer.io import kind_of_data

MERGES_FILE = "merges.txt"  # GPT-2's

_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_CLIP = b'"bpe_simple_vocab_16e6.txt#version:'
_GPT2_SPACE = "\u0120".encode()  # stands for a space in names of bytes
_OWN_FILE = "give the tokenizer's own file, such as tokenizer.json"
_PACKED = ((_GZIP, "gzip", "gunzip"), (b"\x28\xb5\x2f\xfd", "zstd", "unzstd"))
_XML_ERROR = re.compile(rb"<(?:Code|Error)>\s*([^<>]{1,80})<")
_TEXT_ERROR = re.compile(
    rb"((?:\d{3}:? )?(?:(?:entry|repository|file) )?(?:not found|unauthorized|forbidden|access denied)\b[^\n]*"
    rb"|invalid username or password[^\n]*|access to model [^\n]*)",
    re.IGNORECASE,
)
_OLD_PICKLE = re.compile(
    rb"\((?:[ldt]p\d+\n|[IL]-?\d+L?\n|S'|V[^\n]*\np\d+\n)|c[a-z_][\w.]*\n\w+\n[p(q]|[]}(]q\0|V[^\n]*\np\d+\n\.\Z"
)
_NUMBERS = re.compile(rb"\d+ \d+\r?\n\d+ \d+\r?\n\d+ \d+\r?\n")


def refuse(head: bytes, file: Path) -> None:
    """Raises `FormatError` if a file that begins with `head` is one of these."""
    if kind := _kind(head, file.name) or _packed(head, file) or _binary(head):
        raise FormatError(f"this is {kind}")


def _kind(head: bytes, name: str) -> str | None:
    start = head.removeprefix(_BOM).lstrip()
    is_xml = start[:5].lower() == b"<?xml"
    if not start:
        return "an empty file; download it again"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the file it points to; run git lfs pull, or download the file itself"
    if failure := _failure(start):
        return f"the error of a download ({failure}), not the file; check the address and your access, then download it again"
    if start[:15].lower().startswith((b"<!doctype html", b"<html")) or (is_xml and b"<html" in start.lower()):
        return "a web page, not the file that its address names; download the file itself (on a hub by /resolve/)"
    if is_xml:
        return "an XML document; give the tokenizer's own file"
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


def _failure(start: bytes) -> str | None:
    """What an object store or a hub says instead of a file."""
    found = _XML_ERROR.search(start) if start.startswith((b"<?xml", b"<Error")) else None
    found = found or (_TEXT_ERROR.fullmatch(start.rstrip()) if len(start) < 500 else None)
    return found[1].decode(errors="replace").strip() if found else None


def _packed(head: bytes, file: Path) -> str | None:
    found = next((facts for facts in _PACKED if head.startswith(facts[0])), None)
    if found is None or is_clip(head):
        return None
    _, codec, tool = found
    if damage := _damage(file, codec):
        return f"{codec} data that is cut off or damaged ({damage}); get it anew"
    return f"{codec} data; unpack it first, such as by {tool}, and name the file that comes out"


def _damage(file: Path, codec: str) -> str | None:
    """What is wrong with the first gigabyte of packed data."""
    import pyarrow as pa

    try:
        with pa.OSFile(str(file)) as packed, pa.CompressedInputStream(packed, codec) as stream:
            for _ in range(1 << 10):
                if not stream.read(1 << 20):
                    break
    except (OSError, pa.ArrowException) as cause:
        return str(cause).partition("\n")[0]
    return None


def _binary(head: bytes) -> str | None:
    if not is_clip(head) and (kind := kind_of_data(head)):
        return f"{kind}; {'save it as UTF-8' if 'UTF-16' in kind else _OWN_FILE}"
    if _OLD_PICKLE.match(head):
        return f"a pickle of protocol 0 or 1, of which only tiktoken.Encoding of protocol 2 to 5 is read; {_OWN_FILE}"
    return None


def is_binary(head: bytes) -> bool:
    """Whether a file that begins with `head` is not UTF-8 text."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return True
    return any(char < " " and char not in "\t\n\r\f" for char in text)


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
