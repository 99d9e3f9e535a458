"""GPT-2's two files: `vocab.json`, names and ids, and `merges.txt`, a merge a line by rank."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer import byte_names
from bpe_transformer.tokenizer.formats.checks import check_ids, parse_json, read_text, refuse_facts
from bpe_transformer.tokenizer.formats.merges import columns_of
from bpe_transformer.tokenizer.model import BpeModel
from bpe_transformer.tokenizer.pretokenization import PreTokenization

NAME = "gpt2"
VOCAB_FILE = "vocab.json"
MERGES_FILE = "merges.txt"
_HEADER = "#version: 0.2"


def read(
    vocab: str | os.PathLike[str],
    merges: str | os.PathLike[str],
    pattern: str | PreTokenization = "gpt2",
    special_tokens: Mapping[str, int] | None = None,
) -> BpeModel:
    """See `Tokenizer.from_gpt2`."""
    place = Path(vocab).name
    ids = parse_json(read_text(vocab))
    if not isinstance(ids, dict):
        raise FormatError(f"{place} is no object of names and ids")
    check_ids(ids, place)
    pairs = _pairs(read_text(merges), Path(merges).name)
    left, right, made = columns_of(pairs, ids, Path(merges).name)
    reached = set(made.tolist())
    specials = special_tokens
    if specials is None:  # what no merge makes and is no byte can only be meant as special: <|endoftext|>, <s>
        letters = set(byte_names.CHAR_OF_BYTE.values())
        specials = {name: id for name, id in ids.items() if name and id not in reached and name not in letters}
    if wrong := next((name for name, id in specials.items() if ids.get(name, id) != id), None):
        raise FormatError(f"special token {wrong!r} has id {ids[wrong]} in {place}, not {specials[wrong]}")
    everything = {**ids, **specials}
    names = [""] * check_ids(everything, place)
    for name, id in everything.items():
        names[id] = name
    tokens = byte_names.tokens_by_id(names, set(specials.values()), True, place)
    missing = {bytes([byte]) for byte in range(256)} - {token for token in tokens if len(token) == 1}
    if missing:
        raise FormatError(
            f"{place} has no token for byte 0x{min(missing).hex()}; only vocabularies with all 256 bytes are read"
        )
    return BpeModel(
        unit="byte",
        pretokenization=PreTokenization.of(pattern),
        tokens=tokens,
        left=left,
        right=right,
        made=made,
        special_tokens=dict(sorted(specials.items(), key=lambda item: item[1])),
    )


def _pairs(text: str, place: str) -> list[list[str]]:
    lines = text.split("\n")
    first = 1 if lines[0].startswith("#version") else 0
    pairs = []
    for number, line in enumerate(lines[first:], first + 1):
        line = line.rstrip("\r")
        if not line:
            continue
        pair = line.split(" ")
        if len(pair) != 2 or not all(pair):
            raise FormatError(f"{place}: line {number} is {line[:60]!r}, not two names with a space between them")
        pairs.append(pair)
    return pairs


def write(model: BpeModel, directory: str | os.PathLike[str]) -> None:
    """Writes the two files into `directory`. Raises `FormatError` for a model that they cannot hold."""
    refuse_facts(model, "vocab.json with merges.txt", {"bos_token", "eos_token"}, "export to tokenizer.json")
    if model.unit != "byte":
        raise FormatError("vocab.json with merges.txt holds bytes; a vocabulary of characters goes into tokenizer.json")
    if model.pattern != "gpt2":
        raise FormatError(
            f"vocab.json with merges.txt has no place for a pattern, and what reads it splits by 'gpt2', not by "
            f"{model.pattern!r}; export to tokenizer.json"
        )
    outside = {id: text for text, id in model.special_tokens.items()}
    names = [outside.get(id) or byte_names.name_of(token) for id, token in enumerate(model.tokens)]
    vocab = {name: id for id, name in enumerate(names) if model.tokens[id]}
    if len(vocab) < sum(map(bool, model.tokens)):
        twice = next(name for id, name in enumerate(names) if model.tokens[id] and vocab[name] != id)
        raise FormatError(f"two ids have the name {twice!r}, which vocab.json cannot hold")
    lines = [f"{names[a]} {names[b]}" for a, b in zip(model.left.tolist(), model.right.tolist(), strict=True)]
    out = Path(directory)
    (out / VOCAB_FILE).write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    (out / MERGES_FILE).write_text("\n".join([_HEADER, *lines, ""]), encoding="utf-8", newline="\n")


def read_back(model: BpeModel, directory: str | os.PathLike[str]) -> BpeModel:
    out = Path(directory)
    return read(out / VOCAB_FILE, out / MERGES_FILE, special_tokens=model.special_tokens)
