"""The files in which `transformers` keeps roles and added tokens: `tokenizer_config.json` and its neighbours.

What else stands there, such as a chat template, is kept with the vocabulary and written back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from bpe_transformer.errors import FormatError
from bpe_transformer.io import ENTRIES, SETTINGS, read_limited, read_within, shown
from bpe_transformer.tokenizer.vocabulary.model import BpeModel
from bpe_transformer.tokenizer.vocabulary.roles import NO_ROLES, Roles

CONFIG_FILE, MAP_FILE = "tokenizer_config.json", "special_tokens_map.json"
ADDED_FILE, GENERATION_FILE = "added_tokens.json", "generation_config.json"  # read where they are
CHAT_TEMPLATE_FILE = "chat_template.jinja"  # where transformers 5 keeps what is chat_template in earlier versions
_CLASS = "PreTrainedTokenizerFast"  # of transformers, which reads any tokenizer.json
_FLAGS = ("lstrip", "rstrip", "single_word", "normalized")
_OF_ROLES = frozenset(f"{role.name}_token" for role in fields(Roles))
_ORDER = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")  # of transformers


def write(roles: Roles, folder: Path, other_fields: Mapping[str, Any], tokens: Mapping[str, int]) -> None:
    """Writes both files, so that `AutoTokenizer.from_pretrained(folder)` reads the roles.

    other_fields: of tokenizer_config.json, besides roles. tokens: ids of special and added tokens by their texts; entries
    of `added_tokens_decoder` that contradict them are of another vocabulary, and are left out.
    """
    named = roles.to_special_tokens_map()
    others = dict(other_fields)
    if isinstance(decoder := others.get("added_tokens_decoder"), Mapping):
        others["added_tokens_decoder"] = {id: token for id, token in decoder.items() if _agrees(id, token, tokens)}
    config = {"clean_up_tokenization_spaces": False, **others, "tokenizer_class": _CLASS, **named}
    for name, data in ((CONFIG_FILE, config), (MAP_FILE, named)):
        (folder / name).write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def write_added(model: BpeModel, folder: Path) -> None:
    """Writes the neighbours of vocab.json: roles, and the tokens that are found in text, which that does not tell apart."""
    tokens = [
        (id, text, text in model.special_tokens)
        for text, id in (*model.special_tokens.items(), *model.added_tokens.items())
    ]
    entries = {
        str(id): {
            "content": text,
            **{flag: flag in model.token_flags.get(text, ()) for flag in _FLAGS},
            "special": special,
        }
        for id, text, special in sorted(tokens)
    }
    others = {**model.config_fields, "added_tokens_decoder": entries}
    write(model.named_roles, folder, others, {**model.added_tokens, **model.special_tokens})
    if model.added_tokens:
        ids = dict(sorted(model.added_tokens.items(), key=lambda item: item[1]))
        (folder / ADDED_FILE).write_text(json.dumps(ids, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Neighbours:
    """What lies beside the file of a vocabulary: roles, tokens that were added to it, and settings.

    - `special`, `added`: ids of added tokens by their texts; `flags` with which they are found (see `special_tokens.FLAGS`).
    - `generation`: ids of roles in generation_config.json, for those that no other file names.
    - `names`: tokens that are said to be special, some of them without an id, in the order in which transformers adds them.
    - `fields`: what else tokenizer_config.json holds, which is kept and written back.
    """

    roles: Roles = NO_ROLES
    special: Mapping[str, int] = field(default_factory=dict)
    added: Mapping[str, int] = field(default_factory=dict)
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    generation: Mapping[str, int] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def tokenizer_class(self) -> str:
        """The class of transformers that the folder is for, without "Fast"; empty if it does not say."""
        return str(self.fields.get("tokenizer_class") or "").removesuffix("Fast")

    def over(self, model: BpeModel) -> BpeModel:
        """The model with the roles and settings, and with those tokens of the folder that it lacks.

        What contradicts the model, such as a token with an id that another one has, is of another vocabulary and left out.
        """
        special, added, flags = dict(model.special_tokens), dict(model.added_tokens), dict(model.token_flags)
        tokens = list(model.tokens)
        merged = set(model.columns[2].tolist()) if self.special or self.added or self.names else set()
        limit = 4 * len(tokens) + 65_536 if not model.undone else -1  # undone ids are the last
        is_of_model = self.is_of(model)
        for is_special, named in ((True, self.special), (False, self.added)):
            for text, id in named.items():
                if text in special or text in added:
                    if id == special.get(text) and not is_special and text != model.unk_token and is_of_model:
                        added[text] = special.pop(text)
                    continue
                known = id < len(tokens) and tokens[id]
                if id > limit or id in merged or (known and known != text.encode()):
                    continue
                tokens += [b""] * (id + 1 - len(tokens))
                tokens[id] = text.encode()
                (special if is_special else added)[text] = id
                if kept := self._flags_for(text, model):
                    flags[text] = kept
        for text in self.names:
            if text in special or text in added:
                continue
            same = model.id_of.get(text.encode())
            if same is not None and same not in merged and len(text) > 1:
                special[text] = same  # a token of the vocabulary that its own file does not call special
            elif same is None and is_of_model and not model.undone:
                special[text] = len(tokens)  # as transformers numbers what no file does
                tokens.append(text.encode())
            if text in special and (kept := self._flags_for(text, model)):
                flags[text] = kept
        text_of = {id: text for text, id in special.items()}
        roles = self.roles.over(Roles(**{r: text_of[id] for r, id in self.generation.items() if id in text_of}))
        framing = {}
        for role, name in (("bos", "bos_token"), ("eos", "eos_token")):
            token = getattr(roles, role)
            if getattr(model, name) is None and token in special and self.fields.get(f"add_{name}") is True:
                framing[name] = token
        fields = {key: value for key, value in self.fields.items() if key != "tokenizer_class"}
        return model.with_fields(
            tokens=tuple(tokens),
            special_tokens=special,
            added_tokens=added,
            token_flags=flags,
            roles=roles,
            config_fields=fields,
            **framing,
        )

    def _flags_for(self, text: str, model: BpeModel) -> tuple[str, ...]:
        has_normalizer = model.pretokenizer.normalizer is not None
        return tuple(flag for flag in self.flags.get(text, ()) if flag != "normalized" or has_normalizer)

    def is_of(self, model: BpeModel) -> bool:
        """Whether the tokens that the folder names have the ids of the model, where it has them."""
        ids = {**model.special_tokens, **model.added_tokens}
        return all(ids.get(text, id) == id for text, id in (*self.special.items(), *self.added.items()))


def read(folder: Path) -> Neighbours:
    """The neighbours of a vocabulary in a folder; tokenizer_config.json comes before special_tokens_map.json, both before
    generation_config.json, whose ids name roles that no other file does.

    Raises `FormatError`.
    """
    roles = Roles()
    others: dict[str, Any] = {}
    of_roles: dict[str, Any] = {}
    listed: list[Any] = []  # of tokens that are special
    for name in (CONFIG_FILE, MAP_FILE):
        data = _object(folder / name)
        try:
            roles = roles.over(Roles.from_special_tokens_map(data))
        except FormatError as cause:
            raise FormatError(f"{folder / name}: {cause}") from None
        more = data.get("additional_special_tokens") or []
        if not isinstance(more, list):
            raise FormatError(f"{folder / name}: additional_special_tokens is {shown(more)}, not a list of tokens")
        listed += more
        of_roles = {**{name: data[name] for name in _ORDER if data.get(name)}, **of_roles}
        others = {**{key: value for key, value in data.items() if key not in _OF_ROLES}, **others}
    tokens = [*(of_roles[name] for name in _ORDER if name in of_roles), *listed]
    flags = {_text(token): _flags(token) for token in reversed(tokens) if isinstance(token, Mapping)}
    names = dict.fromkeys(filter(None, map(_text, tokens)))
    special: dict[str, int] = {}
    added: dict[str, int] = {}
    for text, id, entry in _entries(folder, others.get("added_tokens_decoder")):
        is_special = entry.get("special", False) is True or text in names
        (special if is_special else added)[text] = id
        if entry:
            flags[text] = _flags(entry)
    if (folder / CHAT_TEMPLATE_FILE).is_file():
        try:
            others["chat_template"] = read_limited(folder / CHAT_TEMPLATE_FILE, SETTINGS.bytes).decode()
        except ValueError as problem:
            raise FormatError(
                f"{folder / CHAT_TEMPLATE_FILE} cannot be read ({problem}); correct or remove it"
            ) from None
    generation = _generation_ids(folder / GENERATION_FILE)
    return Neighbours(roles, special, added, flags, generation, tuple(names), others)


def _entries(folder: Path, decoder: Any) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """(text, id, flags) of the tokens that tokenizer_config.json and added_tokens.json add, the first of them first."""
    seen = set()
    if not isinstance(decoder or {}, Mapping):
        raise FormatError(f"{folder / CONFIG_FILE}: added_tokens_decoder is {shown(decoder)}, not an object")
    for id, entry in decoder.items() if decoder else ():
        text = _text(entry)
        if not text or not str(id).isdecimal() or len(str(id)) > 10:
            raise FormatError(f"{folder / CONFIG_FILE}: added_tokens_decoder has the entry {id!r}: {entry!r:.60}")
        seen.add(text)
        yield text, int(id), entry if isinstance(entry, Mapping) else {}
    for text, id in _object(folder / ADDED_FILE).items():
        if not text or type(id) is not int or id < 0:
            raise FormatError(f"{folder / ADDED_FILE}: the id of {text!r:.60} is {id!r:.60}, not a whole number")
        if text not in seen:
            yield text, id, {}


def _generation_ids(path: Path) -> dict[str, int]:
    """The ids of roles in generation_config.json; of several for a role the first. Raises `FormatError`."""
    data = _object(path)
    found = {}
    for role in ("pad", "bos", "eos"):
        given = data.get(key := f"{role}_token_id")
        ids = given if isinstance(given, list) else [] if given is None else [given]
        if not all(type(id) is int for id in ids):
            raise FormatError(f"{path}: {key} is {shown(given)}, not an id; correct the file or remove it")
        if ids:
            found[role] = ids[0]
    return found


def _text(token: object) -> str:
    text = token.get("content") if isinstance(token, Mapping) else token
    return text if isinstance(text, str) else ""


def _flags(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(flag for flag in _FLAGS if entry.get(flag) is True)


def _object(path: Path) -> dict[str, Any]:
    """The object in a file, empty if there is none. Raises `FormatError`."""
    if not path.is_file():
        return {}
    try:
        return _parsed(path)
    except FormatError as cause:
        raise FormatError(f"{path}: {cause}") from None


def _agrees(id: str, token: object, tokens: Mapping[str, int]) -> bool:
    return str(tokens.get(_text(token))) == id


def _parsed(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_within(path, ENTRIES))
    except (ValueError, RecursionError) as problem:
        said = str(problem).removesuffix("; check the file")
        raise FormatError(f"it cannot be read ({said}); correct the file or remove it") from None
    if not isinstance(data, dict):
        raise FormatError("it holds no object; correct the file or remove it")
    return data
