"""`tokenizer.json`, the format of the `tokenizers` package: what we save, and what of it we can load."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from bpe_transformer.errors import BpeTransformerError, FormatError
from bpe_transformer.tokenizer import patterns
from bpe_transformer.tokenizer.formats import byte_names
from bpe_transformer.tokenizer.formats.checks import parse_json, read_text
from bpe_transformer.tokenizer.model import BpeModel
from bpe_transformer.tokenizer.pretokenization import PreTokenization

NAME = "tokenizer.json"
TOKENIZER_FILE = "tokenizer.json"


# --- writing -----------------------------------------------------------------------------------------------------------


def write(model: BpeModel, path: str | os.PathLike[str]) -> None:
    """Writes the file. Raises `FormatError` for what the format cannot hold."""
    Path(path).write_text(dump(model), encoding="utf-8", newline="\n")


def dump(model: BpeModel) -> str:
    return json.dumps(to_json(model), ensure_ascii=False, indent=1)


def read_back(model: BpeModel, path: str | os.PathLike[str]) -> BpeModel:
    return read(path)


def to_json(model: BpeModel) -> dict[str, Any]:
    """A model as the content of a `tokenizer.json`. Raises `FormatError` for what the format cannot hold."""
    for fact in ("added_tokens", "byte_fallback", "fuse_unk", "ignore_merges", "space_mark", "bos_token", "eos_token"):
        if getattr(model, fact):
            raise FormatError(f"{fact} is set, which cannot be written to tokenizer.json yet")
    if model.pretokenization != PreTokenization(model.pattern):
        raise FormatError(f"pre-tokens of {model.pretokenization} cannot be written to tokenizer.json yet")
    names = [_name(model, id, token) for id, token in enumerate(model.tokens)]
    vocab = {name: id for id, name in enumerate(names)}
    if len(vocab) < len(names):
        twice = next(name for id, name in enumerate(names) if vocab[name] != id)
        raise FormatError(
            f"two ids have the token {twice!r}, which tokenizer.json cannot hold; choose another end_of_word"
        )
    specials = model.special_tokens.items()
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": id,
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for token, id in sorted(specials, key=lambda item: item[1])
        ],
        "normalizer": None,
        "pre_tokenizer": _pre_tokenizer(model),
        "post_processor": None,
        "decoder": _decoder(model),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": model.unk_token,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": model.end_of_word,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocab,
            "merges": [[names[a], names[b]] for a, b in zip(model.left.tolist(), model.right.tolist(), strict=True)],
        },
    }


def _name(model: BpeModel, id: int, token: bytes) -> str:
    if model.unit == "byte" and id not in model.special_tokens.values():
        return byte_names.name_of(token)
    return token.decode()


def _split(expression: str, behavior: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": expression}, "behavior": behavior, "invert": False}


_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
_DROP_WHITE_SPACE = _split(r"\A\s+|\s+\z", "Removed")


def _pre_tokenizer(model: BpeModel) -> dict[str, Any]:
    steps = [_split(patterns.expression(model.pattern), "Isolated")]
    if model.unit == "byte":
        steps.append(_BYTE_LEVEL)
    elif model.end_of_word is not None:
        steps.append(_DROP_WHITE_SPACE)
    return {"type": "Sequence", "pretokenizers": steps}


def _decoder(model: BpeModel) -> dict[str, Any]:
    if model.unit == "byte":
        return _BYTE_LEVEL
    if model.end_of_word is not None:
        return {"type": "BPEDecoder", "suffix": model.end_of_word}
    return {"type": "Fuse"}


def transformers_tokenizer(model: BpeModel) -> Any:
    """See `Tokenizer.as_transformers`."""
    try:
        import tokenizers
        import transformers
    except ImportError as cause:
        raise FormatError(f"the {cause.name} package is not installed; run pip install transformers") from cause
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizers.Tokenizer.from_str(dump(model)))


# --- reading -----------------------------------------------------------------------------------------------------------


def read(path: str | os.PathLike[str]) -> BpeModel:
    """A model from a `tokenizer.json`. Raises `FormatError` that names the place."""
    return from_json(parse_json(read_text(path)))


def from_json(document: Any) -> BpeModel:
    """A model from the content of a `tokenizer.json`. Raises `FormatError` that names the place."""
    try:
        return _model(document)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as cause:
        if isinstance(cause, BpeTransformerError):
            raise
        raise FormatError(
            f"not a tokenizer.json of a BPE vocabulary: {type(cause).__name__} {cause}; check the file"
        ) from cause


def _model(document: Any) -> BpeModel:
    model = document["model"]
    if model.get("type", "BPE") != "BPE":
        raise FormatError(f"model.type is {model['type']!r}; only BPE vocabularies can be loaded")
    for key in ("dropout", "continuing_subword_prefix", "byte_fallback", "ignore_merges", "fuse_unk"):
        if model.get(key):
            raise FormatError(
                f"model.{key} is {model[key]!r}, which is not supported; export the vocabulary without it"
            )
    for key in ("normalizer", "truncation", "padding"):
        if document.get(key) is not None:
            raise FormatError(f"{key} is set, which is not supported; export the vocabulary without it")
    if (post := document.get("post_processor")) is not None and post.get("type") != "ByteLevel":
        raise FormatError(
            f"post_processor is {post.get('type')!r}, which is not supported; export the vocabulary without it"
        )
    pattern, byte_level = _read_pre_tokenizer(document.get("pre_tokenizer"), model.get("end_of_word_suffix"))
    names, specials = _read_vocabulary(model["vocab"], document.get("added_tokens") or [])
    unk = model.get("unk_token")
    if unk is not None and unk not in specials:
        specials[unk] = names.index(unk)
    tokens = tuple(_token_bytes(name, byte_level and id not in specials.values()) for id, name in enumerate(names))
    columns = _read_merges(
        model["merges"], {name: id for id, name in enumerate(names)}, model.get("end_of_word_suffix")
    )
    loaded = BpeModel(
        unit="byte" if byte_level else "char",
        pretokenization=PreTokenization(pattern),
        tokens=tokens,
        left=columns[0],
        right=columns[1],
        made=columns[2],
        special_tokens=specials,
        unk_token=None if byte_level else unk,
        end_of_word=model.get("end_of_word_suffix"),
    )
    _check_base(loaded)
    return loaded


def _read_pre_tokenizer(node: Any, end_of_word: str | None) -> tuple[str, bool]:
    """(pattern, whether it works on bytes)."""
    steps = node["pretokenizers"] if node and node["type"] == "Sequence" else [node] if node else []
    byte_level = bool(steps) and steps[-1]["type"] == "ByteLevel"
    last = steps[-1] if byte_level else None
    if last is not None and last.get("add_prefix_space"):
        raise FormatError(
            "pre_tokenizer.add_prefix_space is set, which is not supported; export the vocabulary without it"
        )
    splits = [step for step in steps if step is not last]
    if not byte_level and end_of_word is not None and splits and splits[-1] == _DROP_WHITE_SPACE:
        splits = splits[:-1]
    if last is not None and last.get("use_regex", True) and not splits:
        return "gpt2", True
    if len(splits) == 1 and splits[0]["type"] == "WhitespaceSplit" and end_of_word is not None:
        return "whitespace", False
    if len(splits) != 1 or splits[0]["type"] != "Split" or splits[0]["behavior"] != "Isolated" or splits[0]["invert"]:
        kinds = [step.get("type") for step in steps]
        raise FormatError(
            f"pre_tokenizer {kinds} is not supported; it has to be one isolating Split, with ByteLevel for bytes"
        )
    expression = splits[0]["pattern"]["Regex"]
    return patterns.canonical(expression), byte_level


def _read_vocabulary(vocab: dict[str, int], added: list[dict[str, Any]]) -> tuple[list[str], dict[str, int]]:
    """(names by id, special tokens)."""
    by_id: dict[int, str] = {}
    for name, id in [*vocab.items(), *((token["content"], token["id"]) for token in added)]:
        if isinstance(id, bool) or not isinstance(id, int):
            raise FormatError(f"the id of {name!r} is {id!r}, not a whole number")
        if by_id.setdefault(id, name) != name:
            raise FormatError(f"id {id} is given to both {by_id[id]!r} and {name!r}")
    if not by_id or set(by_id) != set(range(len(by_id))):
        missing = next((id for id in range(len(by_id)) if id not in by_id), 0)
        raise FormatError(f"ids have to run from 0 without a gap; id {missing} is missing")
    for token in added:
        if token.get("lstrip") or token.get("rstrip") or token.get("single_word"):
            raise FormatError(f"added token {token['content']!r} strips or needs word borders, which is not supported")
    return [by_id[id] for id in range(len(by_id))], {token["content"]: token["id"] for token in added}


def _read_merges(
    merges: list[Any], ids: dict[str, int], end_of_word: str | None
) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """Columns left, right, made."""
    columns = np.empty((3, len(merges)), np.uint32)
    for rank, merge in enumerate(merges):
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        try:
            columns[:, rank] = ids[left], ids[right], ids[left + right]
        except KeyError as cause:
            raise FormatError(
                f"merge {rank} ({left!r}, {right!r}) needs the token {cause.args[0]!r}, which has no id"
            ) from cause
    return columns


def _token_bytes(name: str, byte_level: bool) -> bytes:
    return byte_names.tokens_of([name])[0] if byte_level else name.encode()


def _check_base(model: BpeModel) -> None:
    base = [model.tokens[id] for id in model.base_ids]
    if model.unit == "byte":
        if sorted(base) != [bytes([byte]) for byte in range(256)]:
            raise FormatError(
                f"the base alphabet of a byte vocabulary is the 256 bytes, each once; this one has {len(base)} base tokens"
            )
        return
    mark = (model.end_of_word or "").encode()
    for id, token in zip(model.base_ids, base, strict=True):
        character = token[: -len(mark)] if id in model.word_ends else token
        if len(character.decode()) != 1:
            raise FormatError(f"token {token.decode()!r} is neither one character nor made by a merge")
