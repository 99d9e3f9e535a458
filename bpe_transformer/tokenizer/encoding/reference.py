"""The stages of encoding in plain Python, written to be read and to compare the native core with in tests.

A text goes through them in the order of the model: special and added tokens are found in it; what is between them is
normalised, where tokens with the flag "normalized" are found; a space is put before it; expressions split it, one after another;
each pre-token becomes base ids, which are merged; a template puts ids around all. Text that has been changed is kept with its
source: for each byte, the bytes of the original text that it comes from.

Unicode's forms and where their segments begin come from the core, whose tests compare them with Unicode's data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from bpe_transformer.tokenizer.encoding.special_tokens import FLAGS
from bpe_transformer.tokenizer.splitting import patterns
from bpe_transformer.tokenizer.splitting.alignment import Normalization, begins_segment, normalize
from bpe_transformer.tokenizer.splitting.normalizers import Step, basic_steps
from bpe_transformer.tokenizer.splitting.precompiled_charsmap import entries_of
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

_entries = lru_cache(maxsize=4)(entries_of)
Id = tuple[int, int, int]  # id, and the bytes of the text that it stands for: start, end
Replaced = list[tuple[str, str]]  # a text in pieces, each with what it becomes


Source = tuple[tuple[int, int], ...]  # of a character: for each of its bytes the start and end of what it comes from


@dataclass(frozen=True)
class Sourced:
    """A text with the source of each of its characters: bytes of the original text; and where it ends there."""

    text: str
    sources: tuple[Source, ...]
    end: int

    @classmethod
    def of(cls, text: str) -> Sourced:
        """A text that is its own source."""
        ends = list(accumulate(len(character.encode()) for character in text))
        sources = [tuple((i, i + 1) for i in range(*place)) for place in zip([0, *ends], ends, strict=False)]
        return cls(text, tuple(sources), ends[-1] if ends else 0)

    def part(self, start: int, stop: int) -> Sourced:
        """The characters from `start` to `stop`."""
        return Sourced(self.text[start:stop], self.sources[start:stop], self.start(stop))

    def start(self, place: int) -> int:
        """The byte of the original at which a character begins."""
        return self.sources[place][0][0] if place < len(self.sources) else self.end

    def replaced(self, replacements: Replaced) -> Sourced:
        """The text with pieces of it replaced: all of a replacement comes from all of its piece."""
        text, sources, at = "", list[Source](), 0
        for piece, by in replacements:
            if piece == by:
                sources += self.sources[at : at + len(piece)]
            else:
                start = self.start(at) if at < len(self.sources) else self.sources[-1][-1][1]
                stop = self.sources[at + len(piece) - 1][-1][1] if piece else start
                sources += [((start, stop),) * len(character.encode()) for character in by]
            text, at = text + by, at + len(piece)
        return Sourced(text, tuple(sources), self.end)

    def with_space(self, source: int) -> Sourced:
        """The text with a space before it that comes from no byte."""
        return Sourced(" " + self.text, (((source, source),), *self.sources), self.end)


def encode(
    model: BpeModel, text: str, allowed: Collection[str] = (), add_bos: bool = False, add_eos: bool = False
) -> list[Id]:
    """The ids of a text with their places; special tokens that are not `allowed` are plain text."""
    ids: list[Id] = []
    whole = Sourced.of(text)
    sought = {**{name: model.special_tokens[name] for name in allowed}, **model.added_tokens}
    as_written = [name for name in sought if "normalized" not in model.token_flags.get(name, ())]
    for start, stop, token in find_tokens(model, text, {name: name for name in as_written}):
        if token is not None:
            ids.append((sought[token], whole.start(start), whole.start(stop)))
            continue
        segment = normalized(model, whole.part(start, stop))
        if segment.text and (model.prefix_space == "always" or (model.prefix_space == "first" and start == 0)):
            segment = segment.with_space(whole.start(start))
        later = {name: sought_in_normalized(model, name) for name in sought if name not in as_written}
        for first, last, found in find_tokens(model, segment.text, later, normalized=True):
            part = segment.part(first, last)
            if found is not None:
                ids.append((sought[found], part.start(0), part.sources[-1][-1][1]))
                continue
            is_first = start == 0 and first == 0 and part.start(0) == 0
            ids += encode_part(
                model, part.with_space(part.start(0)) if takes_space(model, part.text, is_first) else part
            )
    before, after = model.bos_eos_tokens
    prefix = [(model.special_tokens[name], 0, 0) for name in before if add_bos]
    size = len(text.encode())
    return [*prefix, *ids, *((model.special_tokens[name], size, size) for name in after if add_eos)]


def encode_pair(model: BpeModel, first: str, second: str, allowed: Collection[str] = ()) -> tuple[list[int], list[int]]:
    """(ids, type ids) of two texts in one row: by the template of pairs, or each text with what encoding adds to it."""
    texts = {name: [id for id, _, _ in encode(model, text, allowed)] for name, text in (("A", first), ("B", second))}
    before, after = ([("token", name) for name in names] for names in model.bos_eos_tokens)
    pieces = [(*piece, type_id) for type_id, text in enumerate("AB") for piece in (*before, ("text", text), *after)]
    id_of = {**model.added_tokens, **model.special_tokens}
    found = [
        (id, type_id)
        for kind, name, type_id in model.pair_template or pieces
        for id in (texts[name] if kind == "text" else [id_of[name]])
    ]
    return [id for id, _ in found], [type_id for _, type_id in found]


# --- special and added tokens ----------------------------------------------------------------------------------------------


def find_tokens(
    model: BpeModel, text: str, sought: dict[str, str], normalized: bool = False
) -> Iterator[tuple[int, int, str | None]]:
    """(start, stop, token or None) for tokens and the text between them; `sought` has the text of each token.

    The leftmost is found first, and the longest of those that begin there. In normalised text a space and the mark of a space
    are the same, unless a space is put before text only then.
    """
    mark = model.space_mark if normalized and not model.prefix_space.endswith("_if_none") else None
    plain = (lambda text: text.replace(mark, " ")) if mark else str
    start = at = 0
    while at < len(text):
        here = [name for name, form in sought.items() if form and plain(text).startswith(plain(form), at)]
        if not here:
            at += 1
            continue
        token = max(here, key=lambda name: len(sought[name]))
        begin, stop = at, at + len(sought[token])
        at = stop
        flags = model.token_flags.get(token, ())
        assert {*flags} <= {*FLAGS}
        if "single_word" in flags and (
            matches(r"\w", text[begin - 1 : begin]) or matches(r"\w", text[stop : stop + 1])
        ):
            continue
        while "lstrip" in flags and begin > start and matches(r"\s", text[begin - 1]):
            begin -= 1
        while "rstrip" in flags and stop < len(text) and matches(r"\s", text[stop]):
            stop += 1
        begin = max(begin, start) if "lstrip" in flags else begin
        if begin >= stop:
            continue  # white space that the token before took
        if start < begin:
            yield start, begin, None
        yield begin, stop, token
        start = stop
    if start < len(text):
        yield start, len(text), None


def sought_in_normalized(model: BpeModel, token: str) -> str:
    """The text of a token with the flag "normalized" in normalised text; SentencePiece's are sought as they are."""
    split = model.pretokenizer
    if split.charsmap is not None or split.squeeze_spaces:
        return token
    text = normalized(model, Sourced.of(token)).text
    return " " + text if model.prefix_space == "always" else text


def takes_space(model: BpeModel, text: str, is_first: bool) -> bool:
    """Whether a text between tokens gets a space because it does not begin with one."""
    may_take = model.prefix_space == "always_if_none" or (model.prefix_space == "first_if_none" and is_first)
    return may_take and not text.startswith((" ", model.space_mark or " "))


def matches(expression: str, text: str) -> bool:
    """Whether all of a text matches an expression."""
    return patterns.compiled_expression(expression).fullmatch(text) is not None


# --- normalisation ---------------------------------------------------------------------------------------------------------


def normalized(model: BpeModel, text: Sourced) -> Sourced:
    """A text in the model's normal form."""
    split = model.pretokenizer
    if split.charsmap is not None or split.squeeze_spaces:
        entries = _entries(split.charsmap) if split.charsmap is not None else {}
        return text.replaced(by_map(entries, split.squeeze_spaces, split.unchanged, text.text))
    steps: Sequence[Step] = split.rewriting if split.normalization is None else [(split.normalization,)]
    for basic in (basic for step in steps for basic in basic_steps(step)):
        if text.text:
            text = text.replaced(replacements(basic, text.text))
    return text


def replacements(step: Step, text: str) -> Replaced:
    """What one step of normalisation makes of a text."""
    kind, *arguments = step
    if kind == "lowercase":
        return [(character, character.replace("Σ", "σ").lower()) for character in text]
    if kind == "prepend":
        return [("", arguments[0]), (text, text)]
    if kind == "precompiled":
        return by_graphemes(_entries(arguments[0]), text)
    if kind == "replace":
        return by_expression(arguments[0], arguments[1], text)
    return by_form(kind, text)  # type: ignore[arg-type]


def by_form(form: Normalization, text: str) -> Replaced:
    """One of Unicode's forms, segment by segment."""
    segments = [""]
    for character in text:
        if begins_segment(form, character):
            segments.append("")
        segments[-1] += character
    return [(segment, normalize(form, segment)) for segment in segments if segment]


def by_expression(expression: str, content: str, text: str) -> Replaced:
    """Every match replaced; an empty one right after another match does not count."""
    replaced: Replaced = []
    end = 0
    for match in patterns.compiled_expression(expression).finditer(text):
        start, stop = match.span()
        if start == stop == end and end:
            continue
        replaced += (text[end:start], text[end:start]), (text[start:stop], content)
        end = stop
    return [*replaced, (text[end:], text[end:])]


def by_graphemes(entries: dict[str, str], text: str) -> Replaced:
    """Every grapheme by the shortest entry at its start; a long one, or one without, character by character."""

    def shortest(text: str) -> str | None:
        return next((entries[text[:size]] for size in range(1, len(text) + 1) if text[:size] in entries), None)

    replaced: Replaced = []
    for grapheme in patterns.compiled_expression(r"\X").findall(text):
        by = shortest(grapheme) if len(grapheme.encode()) < 6 else None
        if by is not None:
            replaced.append((grapheme, by))
        else:
            replaced += [(one, one if (by := shortest(one)) is None else by) for one in grapheme]
    return replaced


def by_map(entries: dict[str, str], squeeze: bool, unchanged: Collection[str], text: str) -> Replaced:
    """SentencePiece's rules: the longest entry at every place, then no spaces at the ends or after others."""
    kept = tuple(unchanged)
    entries = {key: by for key, by in entries.items() if not key.startswith(kept)} | {key: key for key in kept}
    replaced: Replaced = []
    while text:
        sizes = [size for size in range(len(text), 0, -1) if text[:size] in entries]
        key = text[: sizes[0]] if sizes else text[0]
        replaced.append((key, entries.get(key, key)))
        text = text[len(key) :]
    after_space = True
    for place, (source, by) in enumerate(replaced if squeeze else ()):
        left = by.lstrip(" ") if after_space else by
        after_space = left.endswith(" ") if left else after_space
        replaced[place] = source, left
    for place in range(len(replaced) - 1, -1, -1) if squeeze else ():
        replaced[place] = replaced[place][0], replaced[place][1].rstrip(" ▁")
        if replaced[place][1]:
            break
    return replaced


# --- splitting and merging -------------------------------------------------------------------------------------------------


def encode_part(model: BpeModel, part: Sourced) -> list[Id]:
    """The ids of a text between tokens."""
    split = model.pretokenizer
    data = part.text.encode()
    sources = [of_byte for source in part.sources for of_byte in source]
    ids: list[Id] = []
    for start, stop, _ in split.byte_spans(part.text):
        for id, first, last in encode_pretoken(model, data[start:stop]):
            first, last = start + first, start + last
            begin = sources[first][0] if first < len(sources) else part.end
            ids.append((id, begin, sources[last - 1][1] if last > first else begin))
    return ids


def encode_pretoken(model: BpeModel, pretoken: bytes) -> list[Id]:
    """The ids of a pre-token with their places in it: of itself, or of its symbols, merged in the order of their ranks."""
    whole = dict(model.whole_tokens())
    word, start = pretoken, 0
    if model.end_of_word is not None and model.unit == "char":
        text = pretoken.decode()
        bare = patterns.compiled_expression(r"\A\s+|\s+\z").sub("", text)
        start = len(text[: text.find(bare)].encode())
        word = bare.encode()
    if not word or word in whole:
        return [(whole[word], start, start + len(word))] if word else []
    symbols = base_symbols(model, word)
    ranks = {pair: rank for rank, pair in enumerate(zip(model.left.tolist(), model.right.tolist(), strict=True))}
    ids, spans = tuple(id for id, _, _ in symbols), [(first, last) for _, first, last in symbols]
    while pairs := [pair for pair in zip(ids, ids[1:], strict=False) if pair in ranks]:
        best = min(pairs, key=ranks.__getitem__)
        merged = merge_pair(ids, best, -1)
        places, at = [], 0
        for id in merged:
            places.append((spans[at][0], spans[at + (id == -1)][1]))
            at += 1 + (id == -1)
        ids, spans = tuple(int(model.merged_ids[ranks[best]]) if id == -1 else id for id in merged), places
    placed = [(id, start + first, start + last) for id, (first, last) in zip(ids, spans, strict=True)]
    return [piece for one in placed for piece in undone(model, one, pretoken)]


def undone(model: BpeModel, merged: Id, pretoken: bytes) -> list[Id]:
    """What a token becomes in the end: itself, or tokens that share its symbols among them."""
    id, start, stop = merged
    pieces: list[Id] = []
    for part in model.undone.get(id, ()):
        symbols = int(model.widths[part])
        end = start + len(pretoken[start:stop].decode()[:symbols].encode())
        pieces.append((part, start, end))
        start = end
    return pieces or [merged]


def base_symbols(model: BpeModel, word: bytes) -> list[Id]:
    """The base ids of a word with their places in it. Raises `KeyError` for a symbol that has none."""
    by_byte = model.unit == "byte"
    symbols = [bytes([byte]) for byte in word] if by_byte else [c.encode() for c in word.decode()]
    base = {model.tokens[id]: id for id in model.base_ids if id not in model.word_ends and id not in model.fallback_ids}
    ending = {model.tokens[id].removesuffix((model.end_of_word or "").encode()): id for id in model.word_ends}
    if model.space_mark is not None:
        base.pop(b" ", None)
        if model.space_mark.encode() in base:
            base[b" "] = base[model.space_mark.encode()]
    found: list[Id] = []
    at, after_unknown = 0, False
    for place, symbol in enumerate(symbols):
        is_last = model.end_of_word is not None and place == len(symbols) - 1
        id, stop = (ending if is_last else base).get(symbol), at + len(symbol)
        is_unknown = id is None and not model.fallback_ids
        if id is not None:
            found.append((id, at, stop))
        elif model.fallback_ids:
            found += [(model.fallback_ids[byte], at + i, at + i + 1) for i, byte in enumerate(symbol)]
        elif after_unknown and model.fuse_unk:
            found[-1] = found[-1][0], found[-1][1], stop
        else:
            found.append((model.special_tokens[model.unk_token or ""], at, stop))
        at, after_unknown = stop, is_unknown
    return found


def merge_pair(word: Sequence[int], pair: tuple[int, int], new_id: int) -> tuple[int, ...]:
    """`word` with every `pair`, from the left, replaced by `new_id`.

    >>> merge_pair((1, 1, 1), (1, 1), 2)
    (2, 1)
    """
    merged: list[int] = []
    position = 0
    while position < len(word):
        if tuple(word[position : position + 2]) == pair:
            merged.append(new_id)
            position += 2
        else:
            merged.append(word[position])
            position += 1
    return tuple(merged)
