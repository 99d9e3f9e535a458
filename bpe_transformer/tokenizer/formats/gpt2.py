"""GPT-2's two files: `vocab.json` with names and ids, and `merges.txt` with one merge on each line, by rank.

The names stand for bytes (GPT-2, RoBERTa), for bytes with "</w>" at the end of words (CLIP), or for characters with "</w>"
(GPT, XLM, FlauBERT), whose words were split by other tools first.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from bpe_transformer import _core
from bpe_transformer.errors import FormatError
from bpe_transformer.io import parse_json
from bpe_transformer.tokenizer.formats.checks import (
    MERGES_FILE,
    VOCAB_FILE,
    check_ids,
    read_bytes,
    read_text,
    refuse_facts,
)
from bpe_transformer.tokenizer.formats.merges import columns_of
from bpe_transformer.tokenizer.splitting import byte_level, patterns
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary import role_files
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, Column

NAME = "gpt2"
_HEADER = "#version: 0.2"
END_OF_WORD = "</w>"
_UNKNOWN = ("<unk>", "[UNK]")
# how classes of transformers split that are not GPT-2's, and those that put `cls` and `sep` around a text
_BY_CLASS = {"Qwen2Tokenizer": Pretokenizer("qwen2", normalization="NFC")}
_FRAMED = ("RobertaTokenizer", "BartTokenizer", "LongformerTokenizer")


@cache
def clip_pretokenizer() -> Pretokenizer:
    """How CLIP splits."""
    rewriting = (("NFC",), ("replace", r"\s+", " "), ("lowercase",))
    return Pretokenizer(patterns.keeping(patterns.CLIP_WORDS), rewriting=rewriting)


def read(
    vocab: str | os.PathLike[str],
    merges: str | os.PathLike[str],
    pattern: str | Pretokenizer | None = None,
    special_tokens: Mapping[str, int] | None = None,
) -> BpeModel:
    """See `Tokenizer.from_gpt2`."""
    ids, columns = _columns_and_ids(vocab, merges)
    beside = role_files.read(Path(vocab).parent)
    if pattern is None and special_tokens is None:
        pattern = _BY_CLASS.get(beside.tokenizer_class)
    model = model_of(ids, columns, pattern, special_tokens, Path(vocab).name)
    if special_tokens is not None:
        return model
    model = beside.over(model)
    if model.unit == "byte" and beside.fields.get("add_prefix_space") is True and model.end_of_word is None:
        model = replace(model, prefix_space="always_if_none")
    first, last = model.named_roles.cls, model.named_roles.sep
    if beside.tokenizer_class in _FRAMED and first in model.special_tokens and last in model.special_tokens:
        model = replace(model, bos_token=first, eos_token=last)
    return model


def model_of(
    ids: Mapping[str, int],
    columns: tuple[Column, Column, Column],
    pattern: str | Pretokenizer | None = None,
    special_tokens: Mapping[str, int] | None = None,
    place: str = VOCAB_FILE,
) -> BpeModel:
    """The model of ids by name, which were checked, and the merges, found in a file of the name given. Raises `FormatError`."""
    left, right, merged_ids = columns
    names = _names_by_id(ids)
    mark = _mark(ids)
    by_byte = mark is None or _is_by_byte(ids, {names[id] for id in (*left.tolist(), *right.tolist())})
    specials = special_tokens
    if specials is None:
        specials = _specials(ids, names, merged_ids, mark, by_byte)
    elif wrong := next((name for name, id in specials.items() if ids.get(name, id) != id), None):
        raise FormatError(f"special token {wrong!r} has id {ids[wrong]} in {place}, not {specials[wrong]}")
    elif not specials.keys() <= ids.keys():
        everything = {**ids, **specials}
        check_ids(everything, place)
        names = _names_by_id(everything)
    if pattern is None:
        pattern = ("gpt2" if mark is None else clip_pretokenizer()) if by_byte else "whitespace"
    return BpeModel(
        unit="byte" if by_byte else "char",
        pretokenizer=Pretokenizer.of(pattern),
        tokens=byte_level.tokens_by_id(names, set(specials.values()), by_byte, place),
        left=left,
        right=right,
        merged_ids=merged_ids,
        special_tokens=dict(sorted(specials.items(), key=lambda item: item[1])),
        unk_token=None if by_byte else next((name for name in _UNKNOWN if name in specials), None),
        end_of_word=mark,
    )


def _names_by_id(ids: Mapping[str, int]) -> list[str]:
    if list(ids.values()) == list(range(len(ids))):
        return list(ids)
    names = [""] * (max(ids.values()) + 1)
    for name, id in ids.items():
        names[id] = name
    return names


def _columns_and_ids(
    vocab: str | os.PathLike[str], merges: str | os.PathLike[str]
) -> tuple[Mapping[str, int], tuple[Column, Column, Column]]:
    """(ids by name, merges) of the files. Raises `FormatError`."""
    found = _core.read_gpt2_vocabulary(read_bytes(vocab), read_bytes(merges))
    if found is not None and found[2][0] == 0 and _core.counts_up(found[2]) and not found[6]:
        _, names, _, left, right, merged_ids, _ = found
        return dict(zip(names.as_list(), range(len(names)), strict=True)), (left, right, merged_ids)
    ids, pairs = contents(vocab, merges)
    first, second, both = columns_of(pairs, ids, Path(merges).name)
    return ids, (first, second, both)


def contents(vocab: str | os.PathLike[str], merges: str | os.PathLike[str]) -> tuple[dict[str, int], list[list[str]]]:
    """(ids by name, merges as pairs of names), as the files hold them. Raises `FormatError`."""
    place = Path(vocab).name
    ids = parse_json(read_text(vocab))
    if not isinstance(ids, dict):
        raise FormatError(f"{place} is not an object of names and ids")
    check_ids(ids, place)
    return ids, _pairs(read_text(merges), Path(merges).name)


def _mark(ids: Mapping[str, Any]) -> str | None:
    """The end-of-word mark, if the names have one."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return END_OF_WORD if sum(letter + END_OF_WORD in ids for letter in letters) > len(letters) / 2 else None


def _is_by_byte(ids: Mapping[str, Any], sides: Iterable[str]) -> bool:
    """Whether names stand for bytes, where merges have these sides."""
    return byte_level.is_name("".join(sides)) and ids.keys() >= set(byte_level.CHAR_OF_BYTE.values())


def _specials(
    ids: Mapping[str, int], names: list[str], merged_ids: Column, mark: str | None, by_byte: bool
) -> dict[str, int]:
    """The special tokens: names that no merge makes and that are not base symbols, such as <|endoftext|> and <s>."""
    symbols = set(byte_level.CHAR_OF_BYTE.values()) if by_byte else {name for name in ids if len(name) == 1}
    if mark is not None:
        symbols |= {name for name in ids if name.endswith(mark) and len(name) == len(mark) + 1}
    unmerged = map(names.__getitem__, _core.others_than(len(names), merged_ids, []))
    return {name: ids[name] for name in unmerged if name and name not in symbols}


def _pairs(text: str, place: str) -> list[list[str]]:
    lines = text.split("\n")
    first = 1 if lines[0].startswith("#version") else 0
    pairs = []
    for number, line in enumerate(lines[first:], first + 1):
        line = line.rstrip("\r")
        if not line:
            continue
        pair = line.split(" ")
        if len(pair) == 3 and pair[2].isdigit():
            pair = pair[:2]  # XLM's files have the pair's count as a third column
        if len(pair) != 2 or not all(pair):
            raise FormatError(f"{place}: line {number} is {line[:60]!r}, not two names with a space between them")
        pairs.append(pair)
    return pairs


def write(model: BpeModel, directory: str | os.PathLike[str]) -> None:
    """Writes the two files into `directory`. Raises `FormatError` for a model that they cannot hold."""
    holds = {"bos_token", "eos_token", "template", "end_of_word", "before", "rewriting", "added_tokens", "token_flags"}
    holds |= {"unk_token"} if model.unit == "char" else set()
    refuse_facts(model, "vocab.json with merges.txt", holds, "export to tokenizer.json")
    split, marked = model.pretokenizer, model.end_of_word == END_OF_WORD
    if model.unit == "byte":
        required, required_name = (clip_pretokenizer(), "CLIP's") if marked else (Pretokenizer("gpt2"), "'gpt2'")
    else:
        required, required_name = Pretokenizer("whitespace"), "'whitespace'"
    if not marked and (model.unit == "char" or model.end_of_word is not None):
        raise FormatError(
            "vocab.json with merges.txt holds bytes, or characters with '</w>' at the end of words; "
            f"this vocabulary has unit={model.unit!r} and end_of_word={model.end_of_word!r}; export to tokenizer.json"
        )
    if split != required:
        raise FormatError(
            f"vocab.json with merges.txt has no place for a pattern, and programs that read it split by {required_name}, not by "
            f"{str(split)!r}; export to tokenizer.json"
        )
    added = {id: text for text, id in model.added_tokens.items()}
    outside = {**{id: text for text, id in model.special_tokens.items()}, **added}
    name_of = byte_level.name_of if model.unit == "byte" else bytes.decode
    names = [outside.get(id) or name_of(token) for id, token in enumerate(model.tokens)]
    vocab = {name: id for id, name in enumerate(names) if model.tokens[id] and id not in added}
    if len(vocab) < sum(map(bool, model.tokens)) - len(added):
        twice = next(name for name in names if names.count(name) > 1)
        raise FormatError(f"two ids have the name {twice!r}, which vocab.json cannot hold")
    lines = [f"{names[a]} {names[b]}" for a, b in zip(model.left.tolist(), model.right.tolist(), strict=True)]
    out = Path(directory)
    (out / VOCAB_FILE).write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    role_files.write_added(model, out)
    (out / MERGES_FILE).write_text("\n".join([_HEADER, *lines, ""]), encoding="utf-8", newline="\n")


def read_back(model: BpeModel, directory: str | os.PathLike[str]) -> BpeModel:
    """Reads files written for `model`, with the special tokens of `model`."""
    out = Path(directory)
    found = read(out / VOCAB_FILE, out / MERGES_FILE)
    if dict(found.special_tokens) == dict(model.special_tokens):
        return found
    return read(out / VOCAB_FILE, out / MERGES_FILE, special_tokens=model.special_tokens)
