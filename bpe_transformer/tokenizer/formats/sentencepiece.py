"""SentencePiece's `.model` files of type BPE: pieces (tokens) with scores, and the settings of normalisation.

Merges are recovered from pieces and scores as from tiktoken's tokens and ranks, but over characters. The numbers of fields
and types are those of `sentencepiece_model.proto`.
"""

from __future__ import annotations

import base64
import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from bpe_transformer import _core
from bpe_transformer.errors import FormatError
from bpe_transformer.lazy import NDArray, np
from bpe_transformer.tokenizer.formats.checks import read_bytes, refuse_facts
from bpe_transformer.tokenizer.formats.protobuf import BYTES, FIXED32, VARINT, blob, fields, single, varint
from bpe_transformer.tokenizer.formats.tokenizer_json.normalizers import SPACE_MARK
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, fallback_token

NAME = "sentencepiece"
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
_BPE = 2
_HOLDS = {
    "unk_token",
    "added_tokens",
    "byte_fallback",
    "fuse_unk",
    "space_mark",
    "prefix_space",
    "bos_token",
    "eos_token",
}


@dataclass(frozen=True)
class _Pieces:
    """The pieces of a file by id, as columns (N,); texts are UTF-8."""

    texts: list[bytes]
    scores: NDArray[np.float32]
    kinds: NDArray[np.uint8]

    def of_kind(self, kind: int) -> dict[str, int]:
        """The ids of the pieces of a kind, by their texts."""
        return {self.texts[id].decode(): id for id in np.flatnonzero(self.kinds == kind).tolist()}


@dataclass
class _Contents:
    """The fields of a `.model` file that matter for encoding, with the defaults of the format."""

    pieces: _Pieces
    model_type: int = 1
    suffix: bool = False
    bos_id: int = 1
    eos_id: int = 2
    charsmap: bytes = b""
    dummy_prefix: bool = True
    squeeze: bool = True
    escape: bool = True


# --- reading -----------------------------------------------------------------------------------------------------------


def read(path: str | os.PathLike[str]) -> BpeModel:
    """See `Tokenizer.from_sentencepiece`."""
    contents = parse(read_bytes(path))
    _check(contents)
    pieces = contents.pieces
    by_kind = {kind: pieces.of_kind(kind) for kind in (UNKNOWN, CONTROL, USER_DEFINED)}
    left, right, merged_ids = _recovered(pieces)
    squeeze, charsmap = contents.squeeze, base64.b64encode(contents.charsmap).decode() or None
    # in normalised text every space is "▁": a piece with a space itself is kept from normalisation, and never found
    added = {text: id for text, id in by_kind[USER_DEFINED].items() if " " not in text}
    space_inside = _core.holds_mark_inside(pieces.texts, merged_ids, SPACE_MARK)
    control_names = {id: name for name, id in by_kind[CONTROL].items()}
    split = Pretokenizer("none" if space_inside else "metaspace", charsmap=charsmap, squeeze_spaces=squeeze)
    defined = tuple(by_kind[USER_DEFINED])
    changed = any(" " in text or split.normalize(f"a{text}b") != f"a{text}b" for text in defined)
    if defined and (changed or charsmap is not None):
        split = replace(split, unchanged=defined)
    unknown = next(iter(by_kind[UNKNOWN]))
    fallback = bool((pieces.kinds == BYTE).any())
    # user-defined pieces are searched for after the space was put before the text; without such pieces, the text after a
    # special token gets a space as well
    prefix: Any = ("first" if added else "always") if contents.dummy_prefix else "never"
    changes_text = prefix != "never" or charsmap is not None or squeeze
    find_normalized = bool(added) and (changes_text or any(SPACE_MARK in text for text in added))
    return BpeModel(
        unit="char",
        pretokenizer=split,
        tokens=tuple(pieces.texts),
        left=left,
        right=right,
        merged_ids=merged_ids,
        special_tokens={**by_kind[UNKNOWN], **by_kind[CONTROL]},
        unk_token=unknown,
        added_tokens=added,
        token_flags={text: ("normalized",) for text in added} if find_normalized else {},
        byte_fallback=fallback,
        fuse_unk=True,
        space_mark=SPACE_MARK,
        prefix_space=prefix,
        bos_token=control_names.get(contents.bos_id),
        eos_token=control_names.get(contents.eos_id),
    )


def parse(data: bytes) -> _Contents:
    """The contents of a file. Raises `FormatError` with the field and the byte."""
    found = _core.read_pieces(data)
    if found is None:  # slower, and says what is wrong
        rest, pieces = data, _parsed_pieces(data)
    else:
        rest, pieces = found[0], _Pieces(*found[1:])
    contents = _Contents(pieces)
    for number, kind, value in fields(rest, "the SentencePiece model"):
        if number == 2:
            _read_trainer(_bytes(value, kind, "trainer_spec"), contents)
        elif number == 3:
            _read_normalizer(_bytes(value, kind, "normalizer_spec"), contents)
    return contents


def _parsed_pieces(data: bytes) -> _Pieces:
    pieces: list[tuple[bytes, float, int]] = []
    for number, kind, value in fields(data, "the SentencePiece model"):
        if number == 1:
            pieces.append(_piece(_bytes(value, kind, "pieces"), f"pieces[{len(pieces)}]"))
    texts, scores, kinds = ([piece[column] for piece in pieces] for column in range(3))
    return _Pieces(texts, np.array(scores, np.float32), np.array(kinds, np.uint8))  # type: ignore[arg-type]


def _piece(data: bytes, place: str) -> tuple[bytes, float, int]:
    """(text, score, kind) of a piece."""
    text, score, piece_kind = "", 0.0, NORMAL
    for number, kind, value in fields(data, place):
        if number == 1:
            try:
                text = _bytes(value, kind, f"{place}.piece").decode()
            except UnicodeDecodeError as cause:
                raise FormatError(f"{place}.piece is not UTF-8: {cause.object[:20]!r}") from cause
        elif number == 2:
            if kind != FIXED32 or not isinstance(value, bytes):
                raise FormatError(f"{place}.score is not a float")
            (score,) = struct.unpack("<f", value)
        elif number == 3:
            piece_kind = _int(value, kind, f"{place}.type")
    if not text:
        raise FormatError(f"{place}.piece is empty")
    if not NORMAL <= piece_kind <= BYTE or not math.isfinite(score):
        raise FormatError(f"{place} ({text!r}) has the type {piece_kind} and the score {score}")
    return text.encode(), score, piece_kind


def _read_trainer(data: bytes, contents: _Contents) -> None:
    for number, kind, value in fields(data, "trainer_spec"):
        if number == 3:
            contents.model_type = _int(value, kind, "trainer_spec.model_type")
        elif number == 24:
            contents.suffix = bool(_int(value, kind, "trainer_spec.treat_whitespace_as_suffix"))
        elif number == 41:
            contents.bos_id = _int(value, kind, "trainer_spec.bos_id")
        elif number == 42:
            contents.eos_id = _int(value, kind, "trainer_spec.eos_id")


def _read_normalizer(data: bytes, contents: _Contents) -> None:
    for number, kind, value in fields(data, "normalizer_spec"):
        if number == 2:
            contents.charsmap = _bytes(value, kind, "normalizer_spec.precompiled_charsmap")
        elif number == 3:
            contents.dummy_prefix = bool(_int(value, kind, "normalizer_spec.add_dummy_prefix"))
        elif number == 4:
            contents.squeeze = bool(_int(value, kind, "normalizer_spec.remove_extra_whitespaces"))
        elif number == 5:
            contents.escape = bool(_int(value, kind, "normalizer_spec.escape_whitespaces"))


def _bytes(value: int | bytes, kind: int, place: str) -> bytes:
    if kind != BYTES or not isinstance(value, bytes):
        raise FormatError(f"{place} is not text, bytes or a message")
    return value


def _int(value: int | bytes, kind: int, place: str) -> int:
    if kind != VARINT or not isinstance(value, int):
        raise FormatError(f"{place} is not a whole number")
    return value


def _check(contents: _Contents) -> None:
    pieces = contents.pieces
    if not pieces.texts:
        raise FormatError("not a SentencePiece model: it has no pieces; check the file")
    if contents.model_type != _BPE:
        kind = {1: "UNIGRAM", 3: "WORD", 4: "CHAR"}.get(contents.model_type, contents.model_type)
        raise FormatError(f"trainer_spec.model_type is {kind}; only BPE models can be read")
    if contents.suffix or not contents.escape:
        which = (
            "trainer_spec.treat_whitespace_as_suffix"
            if contents.suffix
            else "normalizer_spec.escape_whitespaces: false"
        )
        raise FormatError(f"{which} is not supported; train the model without it")
    if len(set(pieces.texts)) < len(pieces.texts):
        seen: dict[bytes, int] = {}
        id, text = next((id, text) for id, text in enumerate(pieces.texts) if seen.setdefault(text, id) != id)
        raise FormatError(f"pieces[{id}] is {text.decode()!r}, the same as pieces[{seen[text]}]")
    for name, id in pieces.of_kind(UNUSED).items():
        raise FormatError(f"pieces[{id}] ({name!r}) is UNUSED, which is not supported; export the model without it")
    if (unknown := len(pieces.of_kind(UNKNOWN))) != 1:
        raise FormatError(f"{unknown} pieces are of type UNKNOWN; a model has one")
    have = {text.encode() for text in pieces.of_kind(BYTE)}
    if have and have != {fallback_token(byte) for byte in range(256)}:
        raise FormatError(f"{len(have)} pieces are of type BYTE; they have to be <0x00> to <0xFF>")
    mark = SPACE_MARK.encode()
    if mark not in pieces.texts or pieces.kinds[pieces.texts.index(mark)] != NORMAL:
        raise FormatError(f"no piece is {SPACE_MARK!r}, which stands for a space; train the model on text with spaces")


_Columns: TypeAlias = "NDArray[np.uint32]"  # (3, N): left id, right id, merged id


def _recovered(pieces: _Pieces) -> _Columns:
    """The merges by rank. Raises `FormatError` where equal scores leave the order of merges open."""
    normal = np.flatnonzero(pieces.kinds == NORMAL)
    id_of_rank = normal[np.argsort(-pieces.scores[normal], kind="stable")].astype(np.uint32)
    texts = [pieces.texts[id] for id in id_of_rank.tolist()]
    left, right, merged, _, incomplete = _core.recover_merges(texts, True, 0)
    if len(incomplete):
        text = texts[int(incomplete[0])].decode()
        raise FormatError(f"the piece {text!r} has a character that is not a piece by itself, which is not supported")
    columns: _Columns = id_of_rank[np.stack([left, right, merged])]
    scores = pieces.scores[columns[2]]
    starts = np.flatnonzero(np.r_[True, scores[1:] != scores[:-1], True])  # of merges with one score
    several = np.flatnonzero(np.diff(starts) > 1)
    if not len(scores) or not len(several):
        return columns
    ids = dict(zip(texts, id_of_rank.tolist(), strict=True))
    ordered, done = [], 0
    for start, stop in zip(starts[several].tolist(), starts[several + 1].tolist(), strict=True):
        ordered += [columns[:, done:start], _of_runs([pieces.texts[id] for id in columns[2, start:stop].tolist()], ids)]
        done = stop
    return np.concatenate([*ordered, columns[:, done:]], axis=1)


def _of_runs(merged: list[bytes], ids: Mapping[bytes, int]) -> _Columns:
    """The merges of pieces of one score, (3, N), in an order that merges as sentencepiece does: of equal ones the leftmost first.

    For runs of one character, such as the spaces of Llama's and Mistral's models, that is the longest first: the leftmost run
    grows until no longer one is a piece. Raises `FormatError` for other pieces.
    """
    texts = sorted(dict.fromkeys(text.decode() for text in merged), key=len, reverse=True)
    if len({character for text in texts for character in text}) > 1:
        one, other = texts[:2]
        raise FormatError(
            f"the pieces {one!r} and {other!r} have the same score, so which is merged first is left open"
        )
    splits = [(text, text[:at]) for text in texts for at in range(len(text) - 1, 0, -1)]
    sides = [(begin.encode(), text[len(begin) :].encode(), text.encode()) for text, begin in splits]
    merges = [(ids[a], ids[b], ids[both]) for a, b, both in sides if a in ids and b in ids]
    return np.array(merges, np.uint32).T


# --- writing -----------------------------------------------------------------------------------------------------------


def write(model: BpeModel, path: str | os.PathLike[str]) -> None:
    """Writes a model that the sentencepiece package loads. Raises `FormatError` for a vocabulary that it cannot hold."""
    Path(path).write_bytes(dump(model))


def dump(model: BpeModel) -> bytes:
    """The bytes of a `.model` file. Raises `FormatError` for a vocabulary that it cannot hold."""
    _check_writable(model)
    kinds = _kinds_of(model)
    scores = dict.fromkeys(range(len(model.tokens)), 0.0)
    normal = [id for id in range(len(model.tokens)) if kinds[id] == NORMAL]
    rank = {id: number for number, id in enumerate(dict.fromkeys([*model.merged_ids.tolist(), *normal]))}
    scores.update({id: -float(rank[id]) for id in normal})
    pieces = b"".join(
        blob(1, blob(1, token) + single(2, scores[id]) + (b"" if kinds[id] == NORMAL else varint(3, kinds[id])))
        for id, token in enumerate(model.tokens)
    )
    split = model.pretokenizer
    charsmap = base64.b64decode(split.charsmap) if split.charsmap is not None else b""
    normalizer = b"".join(
        [
            blob(1, b"identity" if not charsmap else b"user_defined"),
            blob(2, charsmap),
            varint(3, model.prefix_space != "never"),
            varint(4, split.squeeze_spaces),
            varint(5, True),
        ]
    )
    return pieces + blob(2, _trainer(model)) + blob(3, normalizer)


def _trainer(model: BpeModel) -> bytes:
    names = {40: model.unk_token, 41: model.bos_token, 42: model.eos_token}
    ids = {number: -1 if name is None else model.special_tokens[name] for number, name in names.items()}
    texts = {45: model.unk_token, 46: model.bos_token, 47: model.eos_token}
    return b"".join(
        [
            varint(3, _BPE),
            varint(4, len(model.tokens)),
            varint(35, model.byte_fallback),
            *(varint(number, id) for number, id in ids.items()),
            varint(43, -1),
            *(blob(number, name.encode()) for number, name in texts.items() if name is not None),
        ]
    )


def _kinds_of(model: BpeModel) -> dict[int, int]:
    kinds = dict.fromkeys(range(len(model.tokens)), NORMAL)
    kinds.update(dict.fromkeys(model.special_tokens.values(), CONTROL))
    kept = (model.id_of[text.encode()] for text in model.pretokenizer.unchanged)
    kinds.update(dict.fromkeys((*model.added_tokens.values(), *kept), USER_DEFINED))
    kinds.update(dict.fromkeys(model.fallback_ids, BYTE))
    kinds[model.special_tokens[str(model.unk_token)]] = UNKNOWN
    return kinds


def _check_writable(model: BpeModel) -> None:
    remedy = "export to tokenizer.json"
    lost_flags = {
        text: flags
        for text, flags in model.token_flags.items()
        if flags != ("normalized",) or text not in model.added_tokens
    }
    if lost_flags:
        raise FormatError(f"a SentencePiece model cannot hold token_flags={lost_flags}; {remedy}")
    refuse_facts(
        model, "a SentencePiece model", _HOLDS | {"token_flags", "charsmap", "squeeze_spaces", "unchanged"}, remedy
    )
    if model.unit != "char" or model.space_mark != SPACE_MARK or model.pattern not in ("metaspace", "none"):
        raise FormatError(
            f"a SentencePiece model has characters as base symbols and spaces written as {SPACE_MARK!r}; this vocabulary has "
            f"unit={model.unit!r}, space_mark={model.space_mark!r} and pattern={model.pattern!r}; {remedy}"
        )
    if model.unk_token is None:
        raise FormatError('a SentencePiece model needs an unknown token; learn the vocabulary with unk_token="<unk>"')
    if not model.byte_fallback and not model.fuse_unk:
        raise FormatError(
            f"a SentencePiece model fuses neighbouring unknown characters, so it cannot hold fuse_unk=False; {remedy}"
        )
    if model.prefix_space.endswith("_if_none") or (model.prefix_space == "always" and model.added_tokens):
        raise FormatError(
            f"a SentencePiece model cannot hold prefix_space={model.prefix_space!r}, only a space before the text; {remedy}"
        )
    if gap := next((id for id, token in enumerate(model.tokens) if not token), None):
        raise FormatError(f"a SentencePiece model cannot hold ids without a token, such as {gap}; {remedy}")


def read_back(model: BpeModel, path: str | os.PathLike[str]) -> BpeModel:
    """Reads a file written for `model`. Raises `FormatError` if its scores lead to other merges."""
    found = read(path)
    for name in ("left", "right", "merged_ids"):
        if not np.array_equal(getattr(found, name), getattr(model, name)):
            raise FormatError("a SentencePiece model finds other merges in these tokens; export to tokenizer.json")
    return found
