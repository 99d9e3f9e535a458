"""subword-nmt's codes, version 0.2: one merge of characters on each line, by rank; the last of a word has "</w>".

Codes hold merges only. Text is split at white space; the alphabet and the ids come from elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

from bpe_transformer import _core
from bpe_transformer.errors import FormatError
from bpe_transformer.lazy import np
from bpe_transformer.tokenizer.formats.checks import check_ids, read_text, refuse_facts
from bpe_transformer.tokenizer.formats.merges import Columns, columns_of, without_repeats
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel
from bpe_transformer.tokenizer.vocabulary.undone_merges import check_undone, undone_ids

NAME = "subword-nmt"
END_OF_WORD = "</w>"
_HEADER = "#version: 0.2"
_JOINER = "@@"


def read(
    codes: str | os.PathLike[str],
    vocabulary: str | os.PathLike[str] | Mapping[str, int] | None = None,
    *,
    alphabet: str | Iterable[str] = "",
    unk_token: str | None = "<unk>",
    special_tokens: Mapping[str, int] | None = None,
    threshold: int | None = None,
) -> BpeModel:
    """See `Tokenizer.from_subword_nmt`."""
    place = Path(codes).name
    pairs = _pairs(read_text(codes), place)
    if threshold is not None:
        if vocabulary is None or isinstance(vocabulary, Mapping):
            raise FormatError(f"threshold={threshold} is for the counts of a vocabulary; give its file as well")
        if alphabet or unk_token is None:
            raise FormatError(
                "with a threshold only what the vocabulary holds has an id, and all else becomes unk_token; "
                "leave alphabet out and give unk_token"
            )
        return _read_with_threshold(pairs, place, vocabulary, threshold, unk_token)
    listed = _vocabulary(vocabulary) if vocabulary is not None and not isinstance(vocabulary, Mapping) else vocabulary
    ids = dict(listed or {})
    specials = dict(special_tokens or {})
    sides = [*chain.from_iterable(pairs)]
    # one symbol on each line, so that the mark is at the end of one wherever it is at the end of a line
    characters = {*"\n".join([*sides, ""]).replace(END_OF_WORD + "\n", "\n")} - {"\n"}
    characters.update(char for token in ids for char in token.removesuffix(END_OF_WORD) if token not in specials)
    characters.update(char for text in alphabet for char in text)
    base = [*sorted(characters), *(char + END_OF_WORD for char in sorted(characters))]
    unknown = [unk_token] if unk_token is not None and unk_token not in specials else []
    symbols = chain.from_iterable(zip(sides[::2], sides[1::2], map("".join, pairs), strict=True))
    next_id = max([*ids.values(), *specials.values()], default=-1) + 1
    for symbol in dict.fromkeys([*base, *unknown, *symbols]) if listed is None or vocabulary is not listed else ():
        if symbol not in ids and symbol not in specials:
            ids[symbol] = next_id
            next_id += 1
    if unk_token is not None and unk_token not in specials:
        if unk_token not in ids:
            raise FormatError(f"unk_token={unk_token!r} has no id")
        specials[unk_token] = ids[unk_token]
    return _model(pairs, place, ids, specials, unk_token)


def _model(
    pairs: list[list[str]], place: str, ids: dict[str, int], specials: dict[str, int], unk_token: str | None
) -> BpeModel:
    size = check_ids({**ids, **specials}, place)
    left, right, merged_ids = _columns(pairs, ids, place)
    names = [""] * size
    for name, id in {**ids, **specials}.items():
        names[id] = name
    made = [names[id] for id in merged_ids.tolist()]
    if wrong := next((name for name in made if len(name.removesuffix(END_OF_WORD)) < 2), None):
        raise FormatError(
            f"{place}: merges make {wrong!r}; codes before version 0.2 are not supported, learn them again"
        )
    try:
        tokens = tuple(name.encode() for name in names)
    except UnicodeEncodeError as cause:
        raise FormatError(f"{place}: {cause.object!r} is not text") from cause
    return BpeModel(
        unit="char",
        pretokenizer=Pretokenizer("whitespace"),
        tokens=tokens,
        left=left,
        right=right,
        merged_ids=merged_ids,
        special_tokens=specials,
        unk_token=unk_token,
        end_of_word=END_OF_WORD,
    )


def _columns(pairs: list[list[str]], ids: Mapping[str, int], place: str) -> Columns:
    found = _core.read_merge_lines("\n".join(map(" ".join, pairs)).encode(errors="replace"), list(ids), "")
    if found is None:
        return columns_of(pairs, ids, place, last_wins=False)
    columns = np.fromiter(ids.values(), np.uint32, len(ids))[np.stack(found[:3])]
    return without_repeats(columns, last_wins=False)


def _read_with_threshold(
    pairs: list[list[str]], place: str, vocabulary: str | os.PathLike[str], threshold: int, unk_token: str
) -> BpeModel:
    """The model of `subword-nmt apply-bpe --vocabulary FILE --vocabulary-threshold N`.

    Ids: the lines of the vocabulary whose count reaches the threshold, `unk_token`, then the tokens that merges pass through
    and that are undone in the end.
    """
    counts = _vocabulary_counts(vocabulary)
    kept = [name for name, count in counts.items() if count >= threshold]
    if not kept:
        raise FormatError(
            f"{Path(vocabulary).name}: no count reaches the threshold {threshold}; the highest is {max(counts.values())}"
        )
    ids = {name: id for id, name in enumerate(kept)}
    symbols = dict.fromkeys(symbol for pair in pairs for symbol in (*pair, "".join(pair)))
    if unk_token in ids or unk_token in symbols:
        raise FormatError(f"{place} and its vocabulary have a token {unk_token!r} already; give another unk_token")
    ids[unk_token] = len(kept)
    ids |= {name: id for id, name in enumerate((name for name in symbols if name not in ids), len(ids))}
    model = _model(pairs, place, ids, {unk_token: ids[unk_token]}, unk_token)
    # of pairs that make the same token the first counts, of a pair that is there twice its last place, as in apply_bpe.py
    pair_of = {
        left + right: (left, right) for left, right in dict.fromkeys((left, right) for left, right in pairs[::-1])
    }
    model = replace(model, undone=undone_ids(ids, len(kept) + 1, pair_of, ids[unk_token]))
    check_undone(model, place)
    return model


def _pairs(text: str, place: str) -> list[list[str]]:
    lines = text.rstrip("\n").split("\n")
    if lines[0].strip() != _HEADER:
        raise FormatError(
            f"{place} begins with {lines[0][:40]!r}, not {_HEADER!r}; only codes of version 0.2 are supported, "
            "which subword-nmt writes since 2017: learn them again"
        )
    pairs = [line.strip("\r\n ").split(" ") for line in lines[1:]]
    for number, pair in enumerate(pairs, 2) if {*map(len, pairs)} - {2} or not all(chain.from_iterable(pairs)) else ():
        if len(pair) != 2 or not all(pair):
            raise FormatError(
                f"{place}: line {number} is {' '.join(pair)[:60]!r}, not two symbols with a space between them"
            )
    return pairs


def _vocabulary(path: str | os.PathLike[str]) -> dict[str, int]:
    """The ids of tokens, by their lines."""
    return {name: id for id, (name, _, _) in enumerate(_vocabulary_lines(path))}


def _vocabulary_counts(path: str | os.PathLike[str]) -> dict[str, int]:
    """The counts of tokens, in the order of their lines. Raises `FormatError` for a line without one."""
    counts = {}
    for number, (name, count, line) in enumerate(_vocabulary_lines(path), 1):
        if not (count.isascii() and count.removeprefix("-").isdecimal()):
            raise FormatError(
                f"{Path(path).name}: line {number} is {line[:60]!r}, without a count to compare with the threshold; "
                "give the output of subword-nmt get-vocab"
            )
        counts[name] = int(count)
    return counts


def _vocabulary_lines(path: str | os.PathLike[str]) -> list[tuple[str, str, str]]:
    """(token, count, line) of the output of `subword-nmt get-vocab`: a token and its count, separated by a space.

    A token that is not the end of a word ends with "@@". The count may be missing.
    """
    place = Path(path).name
    lines: list[tuple[str, str, str]] = []
    names: set[str] = set()
    for number, line in enumerate(read_text(path).rstrip("\n").split("\n"), 1):
        parts = line.strip("\r\n ").split(" ")
        if len(parts) not in (1, 2) or not parts[0]:
            raise FormatError(f"{place}: line {number} is {line[:60]!r}, not a token and its count")
        name = parts[0].removesuffix(_JOINER) if parts[0].endswith(_JOINER) else parts[0] + END_OF_WORD
        if not name or name in names:
            raise FormatError(f"{place}: line {number} has {parts[0]!r}, which is empty or occurs on an earlier line")
        names.add(name)
        lines.append((name, parts[1] if len(parts) == 2 else "", line))
    return lines


def write(model: BpeModel, path: str | os.PathLike[str]) -> None:
    """Writes the codes. Raises `FormatError` for a model that they cannot hold."""
    remedy = "export to tokenizer.json"
    refuse_facts(model, "subword-nmt", {"unk_token", "end_of_word"}, remedy)
    if model.end_of_word != END_OF_WORD or model.pattern != "whitespace":
        raise FormatError(
            f"subword-nmt splits at white space and marks the end of words with {END_OF_WORD!r}; this vocabulary has "
            f"end_of_word={model.end_of_word!r} and pattern={model.pattern!r}; {remedy}"
        )
    names = [token.decode() for token in model.tokens]
    lines = [f"{names[a]} {names[b]}" for a, b in zip(model.left.tolist(), model.right.tolist(), strict=True)]
    Path(path).write_text("\n".join([_HEADER, *lines, ""]), encoding="utf-8", newline="\n")


def read_back(model: BpeModel, path: str | os.PathLike[str]) -> BpeModel:
    """Reads codes written for `model`, with the ids and the special tokens of `model`."""
    ids = {token.decode(): id for id, token in enumerate(model.tokens) if id not in model.special_tokens.values()}
    return read(path, ids, unk_token=model.unk_token, special_tokens=model.special_tokens)
