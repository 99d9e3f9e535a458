"""`tokenizer.json`, the format of the `tokenizers` package: what we save, and what of it we can load.

Read are BPE vocabularies over bytes (ByteLevel), over characters with an end-of-word suffix, and over characters with a
mark for spaces and byte fallback, as SentencePiece has them. What would encode otherwise than here is refused by its name.
`truncation` and `padding` are settings of a call that travel in the file; they are not read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.formats import byte_names, json_splitting
from bpe_transformer.tokenizer.formats.checks import Node, check_ids, parse_json, read_text, refuse_facts
from bpe_transformer.tokenizer.formats.merges import columns_of
from bpe_transformer.tokenizer.model import BpeModel, fallback_token
from bpe_transformer.tokenizer.specials import FLAGS

NAME = "tokenizer.json"
TOKENIZER_FILE = "tokenizer.json"
_HOLDS = {
    *("unk_token", "end_of_word", "added_tokens", "token_flags", "byte_fallback", "fuse_unk", "ignore_merges"),
    *("space_mark", "prefix_space", "bos_token", "eos_token", "normalization", "before", "protected"),
}


# --- writing -----------------------------------------------------------------------------------------------------------


def write(model: BpeModel, path: str | os.PathLike[str]) -> None:
    """Writes the file. Raises `FormatError` for what the format cannot hold."""
    Path(path).write_text(dump(model), encoding="utf-8", newline="\n")


def read_back(model: BpeModel, path: str | os.PathLike[str]) -> BpeModel:
    return read(path)


def dump(model: BpeModel) -> str:
    return json.dumps(to_json(model), ensure_ascii=False, indent=1)


def to_json(model: BpeModel) -> dict[str, Any]:
    """A model as the content of a `tokenizer.json`. Raises `FormatError` for what the format cannot hold."""
    refuse_facts(model, "tokenizer.json", _HOLDS, "keep it as it is, or learn a vocabulary without it")
    if model.prefix_space == "first":
        raise FormatError(
            "tokenizer.json cannot hold prefix_space='first', a space before the text but not after added tokens; "
            "export to sentencepiece"
        )
    names = [_name(model, id, token) for id, token in enumerate(model.tokens)]
    vocab = {name: id for id, name in enumerate(names) if model.tokens[id]}
    if len(vocab) < sum(map(bool, model.tokens)):
        twice = next(name for id, name in enumerate(names) if model.tokens[id] and vocab[name] != id)
        raise FormatError(
            f"two ids have the token {twice!r}, which tokenizer.json cannot hold; choose another end_of_word"
        )
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(model),
        "normalizer": json_splitting.normalizer(model),
        "pre_tokenizer": json_splitting.pre_tokenizer(model),
        "post_processor": _post_processor(model),
        "decoder": json_splitting.decoder(model),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": model.unk_token,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": model.end_of_word,
            "fuse_unk": model.fuse_unk,
            "byte_fallback": model.byte_fallback,
            "ignore_merges": model.ignore_merges,
            "vocab": vocab,
            "merges": [[names[a], names[b]] for a, b in zip(model.left.tolist(), model.right.tolist(), strict=True)],
        },
    }


def _name(model: BpeModel, id: int, token: bytes) -> str:
    if model.unit == "byte" and id not in model.separate_ids:
        return byte_names.name_of(token)
    return token.decode()


def _added_tokens(model: BpeModel) -> list[dict[str, Any]]:
    tokens = [(id, text, True) for text, id in model.special_tokens.items()]
    tokens += [(id, text, False) for text, id in model.added_tokens.items()]
    return [
        {
            "id": id,
            "content": text,
            **{
                flag: flag in model.token_flags.get(text, ())
                for flag in ("single_word", "lstrip", "rstrip", "normalized")
            },
            "special": special,
        }
        for id, text, special in sorted(tokens)
    ]


def _post_processor(model: BpeModel) -> dict[str, Any] | None:
    around = [token for token in (model.bos_token, model.eos_token) if token is not None]
    if not around:
        return None

    def pieces(sequence: str, type_id: int) -> list[dict[str, Any]]:
        found = [{"Sequence": {"id": sequence, "type_id": type_id}}]
        if model.bos_token is not None:
            found.insert(0, {"SpecialToken": {"id": model.bos_token, "type_id": type_id}})
        if model.eos_token is not None:
            found.append({"SpecialToken": {"id": model.eos_token, "type_id": type_id}})
        return found

    ids = {token: {"id": token, "ids": [model.special_tokens[token]], "tokens": [token]} for token in around}
    return {
        "type": "TemplateProcessing",
        "single": pieces("A", 0),
        "pair": [*pieces("A", 0), *pieces("B", 1)],
        "special_tokens": ids,
    }


def transformers_tokenizer(model: BpeModel) -> Any:
    """See `Tokenizer.as_transformers`."""
    try:
        import tokenizers
        import transformers
    except ImportError as cause:
        raise FormatError(f"the {cause.name} package is not installed; run pip install transformers") from cause
    named = {"bos_token": model.bos_token, "eos_token": model.eos_token, "unk_token": model.unk_token}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_str(dump(model)),
        **{name: token for name, token in named.items() if token is not None},
    )


# --- reading -----------------------------------------------------------------------------------------------------------


def read(path: str | os.PathLike[str]) -> BpeModel:
    """A model from a `tokenizer.json`. Raises `FormatError` that names the place."""
    return from_json(parse_json(read_text(path)))


def from_json(document: Any) -> BpeModel:
    """A model from the content of a `tokenizer.json`. Raises `FormatError` that names the place."""
    root = Node(document)
    body = root.child("model")
    _check_kind(body)
    end_of_word = body.get("end_of_word_suffix", str, "") or None
    splitting = json_splitting.read(root, end_of_word)
    vocab: dict[str, Any] = body.get("vocab", dict)
    specials, added, flags = _read_added(root)
    names = _names_by_id(vocab, {**specials, **added})
    columns = columns_of(_pairs(body.get("merges", list)), vocab, "model.merges")
    unk = body.get("unk_token", str, "") or None
    if unk is not None and unk not in specials and splitting.unit == "char":
        if unk not in vocab:
            raise FormatError(f"model.unk_token is {unk!r}, which has no id")
        specials[unk] = vocab[unk]
    ignore_merges = body.get("ignore_merges", bool, False)
    made = [names[id] for id in columns[2].tolist()] if splitting.marks_spaces else []
    bos, eos = _read_post_processor(root, specials)
    model = BpeModel(
        unit=splitting.unit,
        pretokenization=splitting.pretokenization(made, names, ignore_merges),
        tokens=byte_names.tokens_by_id(
            names, {*specials.values(), *added.values()}, splitting.unit == "byte", "model.vocab"
        ),
        left=columns[0],
        right=columns[1],
        made=columns[2],
        special_tokens=specials,
        unk_token=unk if splitting.unit == "char" else None,
        end_of_word=end_of_word,
        added_tokens=added,
        token_flags=flags,
        byte_fallback=body.get("byte_fallback", bool, False) and splitting.unit == "char",
        fuse_unk=body.get("fuse_unk", bool, False) and splitting.unit == "char" and unk is not None,
        ignore_merges=ignore_merges,
        space_mark=json_splitting.SPACE_MARK if splitting.marks_spaces else None,
        prefix_space=splitting.prefix,
        bos_token=bos,
        eos_token=eos,
    )
    _check_base(model, names)
    _check_flags(model)
    return model


def _check_kind(body: Node) -> None:
    if (kind := body.get("type", str, "BPE")) != "BPE":
        raise FormatError(f"model.type is {kind!r}; only BPE vocabularies can be loaded")
    for key in ("dropout", "continuing_subword_prefix"):
        if body.value.get(key):
            raise FormatError(
                f"model.{key} is {body.value[key]!r}, which is not supported; export the vocabulary without it"
            )


def _read_added(root: Node) -> tuple[dict[str, int], dict[str, int], dict[str, tuple[str, ...]]]:
    """(special tokens, other added tokens, flags), by the ids given."""
    specials: dict[str, int] = {}
    added: dict[str, int] = {}
    flags: dict[str, tuple[str, ...]] = {}
    for node in root.children("added_tokens"):
        text, id = node.get("content", str), node.get("id", int)
        if not text:
            raise FormatError(f"{node.place}.content is empty")
        if text in specials or text in added:
            raise FormatError(f"{node.place}: {text!r} is added a second time")
        (specials if node.get("special", bool, False) else added)[text] = id
        if found := tuple(flag for flag in FLAGS if node.get(flag, bool, False)):
            flags[text] = found
    return specials, added, flags


def _names_by_id(vocab: Mapping[str, Any], added: Mapping[str, int]) -> list[str]:
    """The name of every id, empty for ids without a token."""
    for text, id in added.items():
        if vocab.get(text, id) != id:
            raise FormatError(f"added token {text!r} has id {id}, but model.vocab gives it {vocab[text]}")
    ids = {**vocab, **added}
    names = [""] * check_ids(ids, "model.vocab")
    for name, id in ids.items():
        names[id] = name
    return names


def _pairs(merges: list[Any]) -> list[Any]:
    if str not in set(map(type, merges)):
        return merges
    return [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]


def _read_post_processor(root: Node, specials: Mapping[str, int]) -> tuple[str | None, str | None]:
    """(bos, eos): the special tokens that are put around a text."""
    node = root.optional("post_processor")
    steps = [] if node is None else node.children("processors") if node.value.get("type") == "Sequence" else [node]
    bos = eos = None
    for step in steps:
        kind = step.get("type", str)
        if kind == "ByteLevel":
            continue  # moves offsets, nothing else
        if kind in ("RobertaProcessing", "BertProcessing"):
            before, after = ([_named_pair(step, key)] for key in ("cls", "sep"))
        elif kind == "TemplateProcessing":
            before, after = _template(step)
        else:
            raise FormatError(f"{step.place} is {kind!r}, which is not supported; export the vocabulary without it")
        if len(before) > 1 or len(after) > 1 or bos or eos:
            raise FormatError(
                f"{step.place} puts {before} and {after} around a text; one token on each side is supported"
            )
        bos, eos = (names[0] if names else None for names in (before, after))
    for name in (bos, eos):
        if name is not None and name not in specials:
            raise FormatError(f"post_processor puts {name!r} around a text, which is no special token")
    return bos, eos


def _named_pair(step: Node, key: str) -> str:
    pair = step.get(key, list)
    if len(pair) != 2 or not isinstance(pair[0], str):
        raise FormatError(f"{step.place}.{key} is {pair!r}, not a token and its id")
    return pair[0]


def _template(step: Node) -> tuple[list[str], list[str]]:
    sides: tuple[list[str], list[str]] = ([], [])
    passed = 0
    for piece in step.children("single"):
        if "Sequence" in piece.value:
            passed = 1
        else:
            sides[passed].append(piece.child("SpecialToken").get("id", str))
    return sides


# --- what a vocabulary needs ---------------------------------------------------------------------------------------------


def _check_base(model: BpeModel, names: list[str]) -> None:
    base = {model.tokens[id] for id in model.base_ids}
    if model.unit == "byte":
        single = {token for token in base if len(token) == 1}
        if len(single) < 256:
            raise FormatError(
                f"model.vocab: the base alphabet of a byte vocabulary is the 256 bytes, each once; this one has {len(single)}"
            )
        return
    if model.byte_fallback and (missing := [byte for byte in range(256) if fallback_token(byte) not in base]):
        raise FormatError(f"model.byte_fallback is set, but {fallback_token(missing[0]).decode()!r} has no id")
    if model.space_mark is not None and model.space_mark.encode() not in base:
        raise FormatError(f"model.vocab has no token {model.space_mark!r}, which stands for a space")
    mark = model.end_of_word
    if mark is not None:
        for id in set(model.made.tolist()):
            if names[id].endswith(mark) and len(names[id]) == len(mark) + 1:
                raise FormatError(
                    f"merges make {names[id]!r} of a character and the end-of-word mark, which is not supported; "
                    "the mark has to be part of a base token"
                )


def _check_flags(model: BpeModel) -> None:
    """Refuses combinations of flags that the text in question could tell apart from the `tokenizers` package."""
    tokens = (*model.special_tokens, *model.added_tokens)
    for text, flags in model.token_flags.items():
        if "rstrip" in flags and any(other[0].isspace() for other in tokens if other != text):
            raise FormatError(
                f"added token {text!r} strips white space with which another one begins; set rstrip to false"
            )
