"""`BpeModel`: a BPE vocabulary as plain data, which the learner returns, the formats read and write, and `Codec` uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import chain
from typing import Any, Literal, TypeAlias

from bpe_transformer import _core
from bpe_transformer.lazy import NDArray, np
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.vocabulary.pickling import UnmergedTokens, reduced
from bpe_transformer.tokenizer.vocabulary.roles import NO_ROLES, Roles

Unit = Literal["byte", "char"]
PrefixSpace = Literal["never", "first", "always", "first_if_none", "always_if_none"]
Ids: TypeAlias = "NDArray[np.uint32]"
# Unicode's White_Space, and "Ġ", by which the names of bytes write a space
_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000Ġ" + "".join(map(chr, range(0x2000, 0x200B)))
Column: TypeAlias = Any  # `Ids`, or a memoryview of the core's memory, which becomes that when it is first looked at
_FIRST_UNICODE = "18.0.0"  # the version of Unicode that digests stand for where they do not say one


@dataclass(frozen=True, eq=False)
class BpeModel:
    """A BPE vocabulary and how it splits text: everything that decides the ids of a text.

    `tokens[id]` are the bytes of a token, with its end-of-word mark if it has one; for special and added tokens, the bytes of
    their text. The merge of rank `r` replaces the pair (`left[r]`, `right[r]`) by `merged_ids[r]`. All other tokens are base
    tokens: one byte or one character, with or without the end-of-word mark. Imported vocabularies may hold longer base tokens,
    which only `ignore_merges` reaches, and ids without a token, whose bytes are empty.

    - `special_tokens` are found in text only if the caller allows it; `added_tokens` are always found.
    - `byte_fallback` (characters only): the base tokens `<0x00>` … `<0xFF>` stand for the bytes of characters outside the
      alphabet, as in SentencePiece.
    - `fuse_unk`: neighbouring unknown characters of a pre-token become one `unk_token`.
    - `ignore_merges`: a pre-token that is a token gets its id without any merges (tiktoken, Llama 3).
    - `space_mark`: how tokens write a space, such as "▁"; both stand for a space in text.
    - `prefix_space`: whether a space is put before a text ("first"), or before each segment of it between special and added
      tokens ("always"); "…_if_none": only if it does not begin with a space.
    - `token_flags`: the flags with which special and added tokens are found in text (see `special_tokens.FLAGS`).
    - `roles`: what special tokens are for, where it was set; `named_roles` adds those by convention. Not part of the digest.
    - `config_fields`: what else a tokenizer_config.json held, such as a chat template; written back, and not in the digest.
    - `file_settings`: what a tokenizer.json held besides, written back and not in the digest: settings of a call (truncation,
      padding, dropout), its stages as they are written there, and its post-processor.
    - `pair_template`: the pieces of a row of two texts, each ("token", name, type id) or ("text", "A" or "B", type id); not in
      the digest either. None: each text with the tokens that encoding adds to it.
    - `offset_trims`: the steps of that post-processor that leave white space at the ends of a token out of its offsets
      (`trim_offsets`), one after another; true for one that spares a single space at the start of a text, since the space
      may have been put there (`add_prefix_space`). Not in the digest.
    - `undone`: ids that become others when all merges of a pre-token are done (subword-nmt with a vocabulary: tokens that are
      not in it). They are the last ids, which no text is encoded to, and are not counted in `vocab_size`.
    - `bos_token`, `eos_token`: special tokens that encoding adds on request; `template`: all tokens that it adds before and
      after a text then, if there are several.
    """

    unit: Unit
    pretokenizer: Pretokenizer
    tokens: tuple[bytes, ...]
    left: Ids
    right: Ids
    merged_ids: Ids
    special_tokens: Mapping[str, int]
    unk_token: str | None = None
    end_of_word: str | None = None
    added_tokens: Mapping[str, int] = field(default_factory=dict)
    byte_fallback: bool = False
    fuse_unk: bool = False
    ignore_merges: bool = False
    space_mark: str | None = None
    prefix_space: PrefixSpace = "never"
    bos_token: str | None = None
    eos_token: str | None = None
    token_flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    template: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    roles: Roles = NO_ROLES
    config_fields: Mapping[str, Any] = field(default_factory=dict)
    file_settings: Mapping[str, Any] = field(default_factory=dict)
    pair_template: tuple[tuple[str, str, int], ...] | None = None
    undone: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    offset_trims: tuple[bool, ...] = ()

    def __reduce__(self) -> tuple[object, ...]:
        unmerged = UnmergedTokens.of(self.tokens, self.left, self.right, self.merged_ids)
        return reduced(self, **({} if unmerged is None else {"tokens": unmerged}))

    @property
    def columns(self) -> tuple[Column, Column, Column]:
        """`left`, `right` and `merged_ids` as they were given: NumPy's arrays, or views of the core's memory."""
        left, right, merged_ids = (vars(self)[name] for name in _COLUMNS)
        return left, right, merged_ids

    def with_fields(self, **changes: Any) -> BpeModel:
        """The model with other values of some fields, as `dataclasses.replace`; the columns are handed on as they are."""
        return BpeModel(**{**{field.name: vars(self)[field.name] for field in fields(self)}, **changes})

    @property
    def pattern(self) -> str:
        """The split pattern, by name if it has one."""
        return self.pretokenizer.pattern

    @property
    def vocab_size(self) -> int:
        """The largest id that a text may be encoded to, + 1."""
        return len(self.tokens) - len(self.undone)

    @property
    def num_tokens(self) -> int:
        """How many of the ids below `vocab_size` have a token."""
        return sum(map(bool, self.tokens[: self.vocab_size]))

    @cached_property
    def id_of(self) -> dict[bytes, int]:
        """Ids by the bytes of their tokens."""
        return {token: id for id, token in enumerate(self.tokens) if token}

    @cached_property
    def base_ids(self) -> list[int]:
        """Ids of the base tokens, which no merge produces and which are neither special nor added.

        A special or added token that is a byte, such as "!", is a base token too if no other stands for that byte.
        """
        unmerged = [id for id in _core.others_than(len(self.tokens), self.columns[2], []) if self.tokens[id]]
        named = {*self.special_tokens.values(), *self.added_tokens.values()}
        if self.unit == "byte" and (
            bytes_named := [id for id in unmerged if id in named and len(self.tokens[id]) == 1]
        ):
            known = {self.tokens[id] for id in unmerged if id not in named}
            named.difference_update(id for id in bytes_named if self.tokens[id] not in known)
        return [id for id in unmerged if id not in named]

    @cached_property
    def fallback_ids(self) -> tuple[int, ...]:
        """With `byte_fallback`, the ids that stand for the 256 bytes; else empty."""
        if not self.byte_fallback:
            return ()
        id_of = {self.tokens[id]: id for id in self.base_ids}
        return tuple(id_of[fallback_token(byte)] for byte in range(256))

    @cached_property
    def named_roles(self) -> Roles:
        """The roles that were given, then those of `bos_token`, `eos_token`, `unk_token`, then those by convention."""
        framing = Roles(bos=self.bos_token, eos=self.eos_token, unk=self.unk_token)
        return self.roles.over(framing).over(Roles.by_convention(self.special_tokens))

    @property
    def bos_eos_tokens(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(tokens before a text, tokens after it) that encoding adds on request."""
        sides = ((self.bos_token,), (self.eos_token,)) if self.template is None else self.template
        prefix, suffix = (tuple(token for token in side if token is not None) for side in sides)
        return prefix, suffix

    @property
    def pair_pieces(self) -> tuple[tuple[str, str, int], ...]:
        """The pieces of a row of two texts; see `pair_template`."""
        if self.pair_template is not None:
            return self.pair_template
        prefix, suffix = self.bos_eos_tokens
        return tuple(
            piece
            for name, type_id in (("A", 0), ("B", 1))
            for piece in (
                *(("token", token, type_id) for token in prefix),
                ("text", name, type_id),
                *(("token", token, type_id) for token in suffix),
            )
        )

    @cached_property
    def lacks_bytes(self) -> bool:
        """Whether this is a byte vocabulary in which some bytes have no token."""
        if self.unit != "byte":
            return False
        sides = [{self.tokens[id] for id in self.base_ids if id not in self.word_ends and len(self.tokens[id]) == 1}]
        if self.end_of_word is not None:
            sides.append({self._unmarked(self.tokens[id]) for id in self.word_ends.intersection(self.base_ids)})
        return any(len([token for token in side if len(token) == 1]) < 256 for side in sides)

    @cached_property
    def decoded_bytes(self) -> list[bytes]:
        """By id below `vocab_size`, the bytes that a token stands for in text: marks of a word's end or a space are one."""
        decoded = list(self.tokens)
        if self.end_of_word is not None:
            ends, mark = self.word_ends, self.end_of_word.encode()
            decoded = [token.removesuffix(mark) + b" " if id in ends else token for id, token in enumerate(decoded)]
        if self.space_mark is not None:
            decoded = _core.with_spaces(decoded, self.space_mark, list(self.special_tokens.values()))
        for byte, id in enumerate(self.fallback_ids):
            decoded[id] = bytes([byte])
        return decoded[: self.vocab_size]

    @cached_property
    def word_ends(self) -> frozenset[int]:
        """Ids of the tokens that end a word: base tokens with the mark, and merges whose right side ends one.

        The text of the mark may also occur in a corpus, so the last bytes of a token do not decide.
        """
        if self.end_of_word is None:
            return frozenset()
        mark = self.end_of_word.encode()
        ends = {id for id in self.base_ids if self.tokens[id].endswith(mark) and len(self.tokens[id]) > len(mark)}
        for right, merged in zip(*(column.tolist() for column in self.columns[1:]), strict=True):
            if right in ends:
                ends.add(merged)
        return frozenset(ends)

    @cached_property
    def separate_ids(self) -> frozenset[int]:
        """Ids of the tokens that split a text into segments: special and added ones, without the unknown token.

        In SentencePiece's models, with `prefix_space="first"` or squeezed spaces, added tokens are inside segments.
        """
        unknown = {self.special_tokens[self.unk_token]} if self.unk_token is not None else set()
        inside = self.prefix_space == "first" or self.pretokenizer.squeeze_spaces
        added = () if inside else self.added_tokens.values()
        return frozenset({*self.special_tokens.values(), *added} - unknown)

    @cached_property
    def widths(self) -> Ids:
        """By id, the number of base symbols (bytes or characters) in a token.

        One that is merged from the bytes of fallback has as many symbols as they do, since its name is theirs.
        """
        widths = np.ones(len(self.tokens), np.uint32)
        symbols = {*range(len(self.tokens))} - {*self.special_tokens.values(), *self.fallback_ids}
        for id in symbols:
            token = self._unmarked(self.tokens[id]) if id in self.word_ends else self.tokens[id]
            widths[id] = len(token) if self.unit == "byte" else len(token.decode("utf-8", "replace"))
        of_bytes = set(self.fallback_ids)
        if of_bytes:
            columns = (column.tolist() for column in (self.left, self.right, self.merged_ids))
            for left, right, merged in zip(*columns, strict=True):
                if left in of_bytes or right in of_bytes:
                    of_bytes.add(merged)
                    widths[merged] = widths[left] + widths[right]
        return widths

    @cached_property
    def white_space(self) -> Ids:
        """By id, how many characters of white space the name of a token begins and ends with: shape (vocab_size, 2)."""
        found = np.zeros((len(self.tokens), 2), np.uint32)
        by_byte = {*range(len(self.tokens))} - self.separate_ids if self.unit == "byte" else frozenset[int]()
        for id, token in enumerate(self.tokens):
            if id in by_byte:  # of the names of bytes only that of a space is white space
                found[id] = [len(token) - len(stripped) for stripped in (token.lstrip(b" "), token.rstrip(b" "))]
            elif not token.isalnum():
                name = token.decode("utf-8", "replace")
                found[id] = [len(name) - len(stripped) for stripped in (name.lstrip(_SPACES), name.rstrip(_SPACES))]
        return found

    @cached_property
    def verbatim_ids(self) -> frozenset[int]:
        """Ids whose spaces are their own, and never one that encoding put before a text: bytes, and SentencePiece's pieces
        with a space in place of the mark.
        """
        pieces = (self.id_of[text.encode()] for text in self.pretokenizer.unchanged if text.startswith(" "))
        return frozenset((*self.fallback_ids, *pieces))

    @property
    def stripped_prefix(self) -> Literal["never", "first", "always"]:
        """Where decoding leaves out a space: where encoding puts one, and where it drops those that the text begins with."""
        if self.prefix_space == "never":
            return "first" if self.pretokenizer.squeeze_spaces else "never"
        return "first" if self.prefix_space.startswith("first") else "always"

    def decoder_flags(self) -> bytes:
        """By id below `vocab_size`, flags for the native decoder.

        1 special, 2 ends a word, 4 separates segments, 8 has a space of its own.
        """
        flags = bytearray(len(self.tokens))
        by_flag = (
            (1, self.special_tokens.values()),
            (2, self.word_ends),
            (4, self.separate_ids),
            (8, self.verbatim_ids),
        )
        for flag, ids in by_flag:
            for id in ids:
                flags[id] |= flag
        return bytes(flags[: self.vocab_size])

    def _unmarked(self, token: bytes) -> bytes:
        return token.removesuffix((self.end_of_word or "").encode())

    def alphabet(self) -> _core.Alphabet:
        """The base alphabet for the native core."""
        inner: dict[int, int] = {}
        last: dict[int, int] = {}
        fallback = set(self.fallback_ids)
        word_ends, by_byte = self.word_ends, self.unit == "byte"
        for id in self.base_ids:
            ends = id in word_ends
            symbol = self._unmarked(self.tokens[id]) if ends else self.tokens[id]
            text = symbol if by_byte else symbol.decode()
            if len(text) == 1 and id not in fallback:
                (last if ends else inner)[ord(text)] = id
        unknown = -1 if self.unk_token is None else self.special_tokens[self.unk_token]
        marks_end = self.end_of_word is not None
        if self.unit == "byte":
            if len(inner) == 256 and not marks_end:
                return _core.Alphabet.of_bytes([inner[byte] for byte in range(256)])
            return _core.Alphabet.of_some_bytes(inner, last, marks_end, unknown, self.fuse_unk)
        if self.space_mark is not None:  # a space is looked up as its mark, so that a token " " is never reached
            inner.pop(ord(" "), None)
            if ord(self.space_mark) in inner:
                inner[ord(" ")] = inner[ord(self.space_mark)]
        return _core.Alphabet.of_characters(inner, last, marks_end, unknown, list(self.fallback_ids), self.fuse_unk)

    def whole_tokens(self) -> list[tuple[bytes, int]]:
        """(bytes, id) of the tokens that a pre-token with the same bytes becomes without any merges.

        With `ignore_merges` these are all but special and added tokens; with protected spans, the added tokens as well.
        """
        whole = []
        if self.ignore_merges:
            kept = {*self.special_tokens.values(), *self.added_tokens.values()}
            fallback = set(self.fallback_ids)  # their text is <0x0A>, not the byte
            texts = [self.tokens[id] if id in fallback else text for id, text in enumerate(self.decoded_bytes)]
            if self.space_mark is not None:  # spaces are looked up as their mark, so that no text reaches these
                texts = [b"" if b" " in token else text for token, text in zip(self.tokens, texts, strict=False)]
            whole = [(text, id) for id, text in enumerate(texts) if text and id not in kept]
        if self.pretokenizer.protected:
            whole += [(text.encode(), id) for text, id in self.added_tokens.items()]
        return whole

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything that decides how text becomes ids, as hexadecimal digits."""
        import hashlib  # not needed to encode
        import json

        facts: dict[str, Any] = {
            "unit": self.unit,
            **self.pretokenizer.facts(),
            "end_of_word": self.end_of_word,
            "unk_token": self.unk_token,
            "special_tokens": dict(sorted(self.special_tokens.items())),
        }
        if self.added_tokens:
            facts["added_tokens"] = dict(sorted(self.added_tokens.items()))
        if _core.unicode_version != _FIRST_UNICODE:
            facts["unicode"] = _core.unicode_version
        for name in ("byte_fallback", "fuse_unk", "ignore_merges", "space_mark", "bos_token", "eos_token"):
            if value := getattr(self, name):
                facts[name] = value
        if self.prefix_space != "never":
            facts["prefix_space"] = self.prefix_space
        if self.template is not None:
            facts["template"] = self.template
        if self.token_flags:
            facts["token_flags"] = {token: list(flags) for token, flags in sorted(self.token_flags.items())}
        if self.undone:
            facts["undone"] = [[id, list(becomes)] for id, becomes in sorted(self.undone.items())]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        sizes = {size: size.to_bytes(4, "little") for size in set(map(len, self.tokens))}
        digest.update(b"".join(chain.from_iterable((sizes[len(token)], token) for token in self.tokens)))
        for column in (self.left, self.right, self.merged_ids):
            digest.update(column.astype("<u4").tobytes())
        return digest.hexdigest()


class _Column:
    """A column of merges: a view of the core's memory becomes an array when it is first looked at, since to import NumPy
    takes longer than to load most vocabularies.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, model: BpeModel, _: type[BpeModel]) -> Ids:
        values = vars(model)
        if isinstance(values[self.name], memoryview):
            values[self.name] = np.asarray(values[self.name])
        column: Ids = values[self.name]
        return column

    def __set__(self, model: BpeModel, column: Column) -> None:
        vars(model)[self.name] = column


_COLUMNS = ("left", "right", "merged_ids")
for _name in _COLUMNS:
    setattr(BpeModel, _name, _Column(_name))


def fallback_token(byte: int) -> bytes:
    """The token that stands for a byte under byte fallback.

    >>> fallback_token(10)
    b'<0x0A>'
    """
    return f"<0x{byte:02X}>".encode()
