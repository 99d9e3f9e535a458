"""`tokenizer.json`, the format of the `tokenizers` package, which `Tokenizer.save` writes too: read and written.

It reads BPE vocabularies over bytes (ByteLevel), over characters with an end-of-word suffix, and over characters with a
space mark and byte fallback (as SentencePiece's). It refuses, by name, any setting that would encode differently here.
`truncation`, `padding` and `dropout` are settings of a call: they are kept and written back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bpe_transformer.errors import FormatError
from bpe_transformer.io import Node, parse_json
from bpe_transformer.tokenizer.encoding.special_tokens import FLAGS, overlapping
from bpe_transformer.tokenizer.formats.checks import as_text, check_ids, read_bytes, refuse_facts
from bpe_transformer.tokenizer.formats.merges import columns_of
from bpe_transformer.tokenizer.formats.tokenizer_json import known_keys, template, undone_merges
from bpe_transformer.tokenizer.formats.tokenizer_json import splitting as stages
from bpe_transformer.tokenizer.formats.tokenizer_json.normalizers import (
    MARK_SPACES,
    SPACE_MARK,
    joins_line_ends,
    steps_of,
)
from bpe_transformer.tokenizer.formats.tokenizer_json.splitting import Splitting
from bpe_transformer.tokenizer.formats.tokenizer_json.vocabulary import Vocabulary, read_vocabulary
from bpe_transformer.tokenizer.splitting import byte_level
from bpe_transformer.tokenizer.splitting.normalizers import NormalizerSequence
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, Column, fallback_token

NAME = "tokenizer.json"
Names = byte_level.Names
_VERSION = "1.0"
# of tokenizer_config.json, what `as_transformers` passes on
_CALL_SETTINGS = ("chat_template", "model_max_length", "padding_side", "truncation_side", "model_input_names")
_STAGES = ("normalizer", "pre_tokenizer", "decoder")
_HOLDS = {
    *("unk_token", "end_of_word", "added_tokens", "token_flags", "byte_fallback", "fuse_unk", "ignore_merges"),
    *("space_mark", "prefix_space", "bos_token", "eos_token", "template"),
    *("normalization", "before", "protected", "rewriting", "byte_splits", "charsmap", "squeeze_spaces"),
}


# --- writing -----------------------------------------------------------------------------------------------------------


def write(model: BpeModel, path: str | os.PathLike[str]) -> None:
    """Writes the file. Raises `FormatError` for a model that the format cannot hold."""
    Path(path).write_text(dump(model), encoding="utf-8", newline="\n")


def read_back(model: BpeModel, path: str | os.PathLike[str]) -> BpeModel:
    """Reads a file written for `model`; the format holds everything."""
    return read(path)


def dump(model: BpeModel) -> str:
    """The text of a `tokenizer.json` for a model. Raises `FormatError`."""
    return json.dumps(to_json(model), ensure_ascii=False, indent=1)


def to_json(model: BpeModel) -> dict[str, Any]:
    """The content of a `tokenizer.json` for a model. Raises `FormatError` for a model that the format cannot hold."""
    refuse_facts(model, "tokenizer.json", _HOLDS, "keep it as it is, or learn a vocabulary without it")
    if model.prefix_space == "first":
        raise FormatError(
            "tokenizer.json cannot hold prefix_space='first', a space before the text but not after added tokens; "
            "export to sentencepiece"
        )
    if joins_line_ends(model.pretokenizer):
        raise FormatError(
            "tokenizer.json cannot hold SentencePiece's normalizer without remove_extra_whitespaces: the tokenizers package "
            "takes \\r\\n as one character; export to sentencepiece"
        )
    names = token_names(model)
    vocab = {name: id for id, name in enumerate(names) if model.tokens[id]}
    if len(vocab) < sum(map(bool, model.tokens)):
        twice = next(name for id, name in enumerate(names) if model.tokens[id] and vocab[name] != id)
        raise FormatError(
            f"two ids have the token {twice!r}, which tokenizer.json cannot hold; choose another end_of_word"
        )
    document = {
        "version": _VERSION,
        "truncation": model.file_settings.get("truncation"),
        "padding": model.file_settings.get("padding"),
        "added_tokens": _added_tokens(model),
        "normalizer": stages.normalizer(model),
        "pre_tokenizer": stages.pre_tokenizer(model),
        "post_processor": template.write(model),
        "decoder": stages.decoder(model),
        "model": {
            "type": "BPE",
            "dropout": model.file_settings.get("dropout"),
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
    return document | _stages_as_read(model, document, names)


def _stages_as_read(model: BpeModel, document: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The stages of the file that a model was read from, where they still say what the model does: they are written back."""
    kept = {name: model.file_settings[name] for name in _STAGES if name in model.file_settings}
    if not kept:
        return {}
    with suppress(FormatError):  # other tokens after pruning, or a model that was changed
        splitting, flags = _read_splitting(Node({**document, **kept}), model.end_of_word)
        split = splitting.pretokenizer([names[id] for id in model.merged_ids.tolist()], names, model.ignore_merges)
        found = (splitting.unit, splitting.marks_spaces, splitting.prefix, split, flags)
        if found == (
            model.unit,
            model.space_mark is not None,
            model.prefix_space,
            model.pretokenizer,
            model.token_flags,
        ):
            return kept
    return {}


def token_names(model: BpeModel) -> list[str]:
    """The name of every id in the file; that of an id without a token is empty."""
    return [_name(model, id, token) for id, token in enumerate(model.tokens)]


def _name(model: BpeModel, id: int, token: bytes) -> str:
    if model.unit == "byte" and id not in model.separate_ids:
        return byte_level.name_of(token)
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


def transformers_tokenizer(model: BpeModel) -> Any:
    """See `Tokenizer.as_transformers`."""
    try:
        import tokenizers
        import transformers
    except ImportError as cause:
        raise FormatError(f"the {cause.name} package is not installed; run pip install transformers") from cause
    kept = {key: value for key, value in model.config_fields.items() if key in _CALL_SETTINGS}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_str(dump(model)),
        **kept,
        **model.named_roles.to_special_tokens_map(),
    )


# --- reading -----------------------------------------------------------------------------------------------------------


def read(path: str | os.PathLike[str]) -> BpeModel:
    """The model in a `tokenizer.json`. Raises `FormatError` with the place in the file."""
    data = read_bytes(path)
    vocabulary = read_vocabulary(data)
    return from_json(parse_json(as_text(data, path) if vocabulary is None else vocabulary.rest), vocabulary)


def from_json(document: Any, vocabulary: Vocabulary | None = None) -> BpeModel:
    """The model in the content of a `tokenizer.json`, with the vocabulary if that was taken out of it.

    Raises `FormatError` with the place in the file.
    """
    root = Node(document)
    if (version := root.get("version", str, _VERSION)) != _VERSION:
        raise FormatError(
            f"version is {version!r}, this program knows {_VERSION!r}; export the vocabulary with an older `tokenizers`"
        )
    body = root.child("model")
    known_keys.check(document)
    _check_kind(body)
    end_of_word = body.get("end_of_word_suffix", str, "") or None
    splitting, flags = _read_splitting(root, end_of_word)
    specials, added, _ = _read_added(root)
    names = _names_by_id(body, vocabulary, {**specials, **added}, splitting.marks_spaces or end_of_word is not None)
    columns = _columns(body, vocabulary, end_of_word)
    by_byte = splitting.unit == "byte"
    if by_byte:
        _check_names_of_bytes({**specials, **added}, _ids_by_name(body, vocabulary))
    lacks_symbols = not by_byte or _lacks_bytes(body, vocabulary, end_of_word)
    unk = body.get("unk_token", str, "") or None
    if unk is not None and not (lacks_symbols and (unk in specials or unk in _ids_by_name(body, vocabulary))):
        unk = None  # every symbol has an id, or the token has none: an unknown character then raises an error
    if unk is not None and unk not in specials:
        specials[unk] = _ids_by_name(body, vocabulary)[unk]
    byte_fallback = body.get("byte_fallback", bool, False)
    if by_byte and byte_fallback and lacks_symbols:
        raise FormatError("model.byte_fallback is set, but bytes have no token in model.vocab; set it to false")
    ignore_merges = body.get("ignore_merges", bool, False)
    merged = [names[id] for id in columns[2].tolist()] if splitting.marks_spaces else []
    prefix, suffix = template.read(root, {**added, **specials})
    model = BpeModel(
        unit=splitting.unit,
        pretokenizer=splitting.pretokenizer(merged, names, ignore_merges),
        tokens=byte_level.tokens_by_id(names, {*specials.values(), *added.values()}, by_byte, "model.vocab"),
        left=columns[0],
        right=columns[1],
        merged_ids=columns[2],
        special_tokens=specials,
        unk_token=unk,
        end_of_word=end_of_word,
        added_tokens=added,
        token_flags=flags,
        byte_fallback=byte_fallback and not by_byte,
        fuse_unk=body.get("fuse_unk", bool, False) and unk is not None,
        ignore_merges=ignore_merges,
        space_mark=SPACE_MARK if splitting.marks_spaces else None,
        prefix_space=splitting.prefix,
        bos_token=prefix[0] if prefix else None,
        eos_token=suffix[-1] if suffix else None,
        template=(prefix, suffix) if max(len(prefix), len(suffix)) > 1 else None,
        file_settings=_file_settings(root, body),
        pair_template=template.read_pair(root, {**added, **specials}),
        offset_trims=template.read_trims(root),
    )
    _check_base(model, names)
    _check_flags(model)
    return undone_merges.with_undone(model, body, names)


def _read_splitting(root: Node, end_of_word: str | None) -> tuple[Splitting, dict[str, tuple[str, ...]]]:
    """The stages before merging, and the flags of the tokens that are found between them."""
    splitting = stages.read(root, end_of_word)
    specials, added, flags = _read_added(root)
    return splitting, _without_needless_normalized(flags, {**specials, **added}, splitting)


def _check_kind(body: Node) -> None:
    if (kind := body.get("type", str, undone_merges.PLAIN)) not in (undone_merges.PLAIN, undone_merges.TYPE):
        raise FormatError(
            f"model.type is {kind!r}; only BPE vocabularies can be loaded; use the tokenizers package for it, or learn one"
        )
    if prefix := body.get("continuing_subword_prefix", str, ""):
        raise FormatError(
            f"model.continuing_subword_prefix is {prefix!r}, which is not supported; export the vocabulary without it"
        )
    dropout = body.get("dropout", object, 0)  # a setting of a call: see `Tokenizer.encode`
    if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
        raise FormatError(f"model.dropout is {dropout!r}, not a probability; set it to null")


def _file_settings(root: Node, body: Node) -> dict[str, Any]:
    """What is written back as it is."""
    found = {name: root.value.get(name) for name in ("truncation", "padding", "post_processor", *_STAGES)}
    found["dropout"] = body.value.get("dropout")
    return {name: value for name, value in found.items() if value is not None}


def _read_added(root: Node) -> tuple[dict[str, int], dict[str, int], dict[str, tuple[str, ...]]]:
    """(special tokens, other added tokens, flags of both), by the text of the token."""
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


def _check_names_of_bytes(tokens: Mapping[str, int], ids: Mapping[str, Any]) -> None:
    """Raises `FormatError` for a token such as "é", which by its name is byte E9 to the package, of which no text is left."""
    for text in tokens:
        if not text.isascii() and byte_level.is_name(text) and len(text) == 1 and text in ids:
            byte = byte_level.tokens_of([text])[0].hex().upper()
            raise FormatError(
                f"added token {text!r} has the id of byte {byte}, which has this name in model.vocab; "
                "leave the token out of added_tokens, or give it an id and a name that no byte has"
            )


def _ids_by_name(body: Node, vocabulary: Vocabulary | None) -> dict[str, Any]:
    found: dict[str, Any] = body.get("vocab", dict) if vocabulary is None else vocabulary.ids
    return found


def _names_by_id(body: Node, vocabulary: Vocabulary | None, added: Mapping[str, int], as_list: bool) -> Names:
    """The name of every id, empty for ids without a token; unless `as_list`, they may still be in the core's memory."""
    if vocabulary is not None and vocabulary.in_order(added):
        return vocabulary.names if as_list else vocabulary.all_names
    vocab = _ids_by_name(body, vocabulary)
    for text, id in added.items():
        if vocab.get(text, id) != id:
            raise FormatError(f"added token {text!r} has id {id}, but model.vocab gives it {vocab[text]}")
    ids = {**vocab, **added}
    size = check_ids(ids, "model.vocab")
    if list(ids.values()) == list(range(size)):
        return list(ids)
    names = [""] * size
    for name, id in ids.items():
        names[id] = name
    return names


def _columns(body: Node, vocabulary: Vocabulary | None, end_of_word: str | None) -> tuple[Column, Column, Column]:
    """The columns of the merges."""
    if vocabulary is None:
        found = columns_of(_pairs(body.get("merges", list), end_of_word), body.value["vocab"], "model.merges")
    elif end_of_word is not None and len(end_of_word) > 1 and end_of_word in vocabulary.ids:
        found = columns_of(_pairs(vocabulary.pairs(), end_of_word), vocabulary.ids, "model.merges")
    else:
        return vocabulary.columns
    left, right, merged_ids = found
    return left, right, merged_ids


def _pairs(merges: list[Any], end_of_word: str | None) -> list[Any]:
    if str in set(map(type, merges)):
        merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
    if end_of_word is None or len(end_of_word) == 1:
        return merges
    # the mark by itself is not a base symbol ("a</w>" is one), so merges with it apply only if other merges spell it out
    pairs = [merge for merge in merges if isinstance(merge, list) and len(merge) == 2]
    if any(end_of_word == f"{left}{right}" for left, right in pairs):
        return merges
    return [merge for merge in merges if not isinstance(merge, list) or end_of_word not in merge]


def _lacks_bytes(body: Node, vocabulary: Vocabulary | None, end_of_word: str | None) -> bool:
    names = set(byte_level.CHAR_OF_BYTE.values())
    if end_of_word is not None:
        names |= {name + end_of_word for name in names}
    if vocabulary is not None:
        first = range(min(2 * len(names), len(vocabulary.all_names)))
        if names <= set(map(vocabulary.all_names.__getitem__, first)):
            return False  # as in most: they come first
    return not names <= _ids_by_name(body, vocabulary).keys()


def _without_needless_normalized(
    flags: dict[str, tuple[str, ...]], tokens: Mapping[str, int], splitting: Splitting
) -> dict[str, tuple[str, ...]]:
    """The flags, without "normalized" where the tokens are found at the same places without it."""
    normalized = {text for text in flags if "normalized" in flags[text]}
    if splitting.words_alone and normalized:
        raise FormatError(
            f"added token {min(normalized)!r} is searched for before text is split into words, which is not supported; "
            "set normalized to false"
        )
    found_before_marks = (
        splitting.marks_spaces and not splitting.marks_early and splitting.prefix in ("never", "always")
    )
    if found_before_marks and (
        text := next(filter(_holds_space, map(NormalizerSequence(splitting.steps).normalize, sorted(normalized))), None)
    ):
        raise FormatError(
            f"added token {text!r} is searched for before spaces are replaced by marks, which is not supported; "
            "set normalized to false"
        )
    if splitting.marks_early and any("strip" in "".join(flags[text]) for text in normalized):
        # spaces are marks by then, which "lstrip" and "rstrip" do not strip
        splitting.steps += [("prepend", SPACE_MARK)] * (splitting.prefix == "always") + [MARK_SPACES]
        splitting.prefix = "never" if splitting.prefix == "always" else splitting.prefix
    changed = (
        splitting.steps
        or splitting.prefix == "always"
        or (splitting.marks_spaces and any(map(_holds_space, normalized)))
    )
    others = tokens.keys() - normalized
    # a token that is found first, before normalisation, ends the word on its side
    ends_words = bool(others) and any("single_word" in flags[text] for text in normalized)
    if changed or ends_words or overlapping(normalized, others):
        return flags
    shorter = {text: tuple(flag for flag in flags[text] if flag != "normalized") for text in flags}
    return {text: kept for text, kept in shorter.items() if kept}


def _holds_space(text: str) -> bool:
    return " " in text or SPACE_MARK in text


# --- SentencePiece's normalizer ------------------------------------------------------------------------------------------
# The package's Precompiled takes the shortest entry of a charsmap at every grapheme, SentencePiece the longest at every
# character: rare texts differ, such as Hangul in separate letters. A saved folder says beside the file which is meant.

_NORMALIZER_FACTS = "sentencepiece_normalizer"  # in tokenizer_config.json


def normalizer_facts(model: BpeModel) -> dict[str, Any]:
    """What tokenizer_config.json says so that `with_facts` finds SentencePiece's normalizer again; empty for others."""
    split = model.pretokenizer
    if split.charsmap is None and not split.squeeze_spaces:
        return {}
    return {_NORMALIZER_FACTS: {"squeeze_spaces": split.squeeze_spaces}}


def with_facts(model: BpeModel, fields: dict[str, Any]) -> BpeModel:
    """The model with SentencePiece's normalizer, if `fields` of tokenizer_config.json, from which that is taken, name it.

    A file whose steps are others by now keeps them.
    """
    facts = fields.pop(_NORMALIZER_FACTS, None)
    split = model.pretokenizer
    if not isinstance(facts, dict) or not split.rewriting:
        return model
    charsmap = split.rewriting[0][1] if split.rewriting[0][0] == "precompiled" else None
    named = replace(split, rewriting=(), charsmap=charsmap, squeeze_spaces=facts.get("squeeze_spaces") is True)
    return replace(model, pretokenizer=named) if steps_of(named) == split.rewriting else model


# --- checks ------------------------------------------------------------------------------------------------------------


def _check_base(model: BpeModel, names: Names) -> None:
    base = {model.tokens[id] for id in model.base_ids}
    if model.byte_fallback and (missing := [byte for byte in range(256) if fallback_token(byte) not in base]):
        raise FormatError(f"model.byte_fallback is set, but {fallback_token(missing[0]).decode()!r} has no id")
    if model.space_mark is not None and model.byte_fallback and model.space_mark.encode() not in base:
        raise FormatError(
            f"model.vocab has no token {model.space_mark!r}, which stands for a space; set byte_fallback to false"
        )
    if (mark := model.end_of_word) is not None and (
        twice := next((names[id] for id in model.merged_ids.tolist() if names[id][1:] == mark), None)
    ):
        raise FormatError(
            f"merges make {twice!r}, which a character before the end of a word is as well; leave that merge out"
        )


def _check_flags(model: BpeModel) -> None:
    """Raises `FormatError` for combinations of flags with which the `tokenizers` package may give other ids."""
    tokens = (*model.special_tokens, *model.added_tokens)
    for text, flags in model.token_flags.items():
        if model.ignore_merges and not {"single_word", "normalized"}.isdisjoint(flags):
            raise FormatError(
                f"added token {text!r} may remain in a text as a word, which model.ignore_merges turns into the token, "
                "which is not supported; set single_word and normalized to false"
            )
        if "rstrip" in flags and any(other[0].isspace() for other in tokens if other != text):
            raise FormatError(
                f"added token {text!r} strips white space with which another token begins; set rstrip to false"
            )
