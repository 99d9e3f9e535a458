"""Patterns that the core compiles split as the `regex` package does, and those that it cannot take are refused by name."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Sequence

import pytest

from bpe_transformer import PretokenCounts, Pretokenizer, _core, learn_bpe
from bpe_transformer.tokenizer.splitting import patterns, pretokenizer
from bpe_transformer.tokenizer.splitting.compiled_patterns import Scanner, Stage, compile_splits

DEEPSEEK = (
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
)
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SEQUENCES = {
    "DeepSeek": DEEPSEEK,
    "tekken": (TEKKEN,),
    "CLIP": (patterns.keeping(patterns.CLIP_WORDS),),
    "BERT": (patterns.dropping(r"\s+"), r"[!-/:-@\[-`{-~\p{P}]"),
    "at white space": (patterns.dropping(r"\s+"),),
    "at spaces, then words": (patterns.dropping(" "), "gpt2"),
    "words, then numbers": (patterns.keeping(r"[\w]+|[^\w\s]+"), r"\p{N}"),
    "superword": ("superword",),
    "merged with the next": (r"(?:X|\d)(?:(?!X|\d)[\s\S])*+|(?:(?!X|\d)[\s\S])++",),
    "merged with the one before": (r"(?:(?!\s)[\s\S])*+\s|(?:(?!\s)[\s\S])++", r"\p{Lu}"),
    "contiguous": (r"(?:[\p{P}])++|(?:(?![\p{P}])[\s\S])++",),
    "before capitals": (r"(?=\p{Lu})|(?<=\d)",),
    "at the borders of words": (r"\b", r"a*?b|a*"),
    "ignoring case": (r"(?i)straSSe|[k-z]|\p{Lu}é|(?-i:q)",),
    "anchors": (r"^a|b$|\Ac|d\Z|(?m:^e|f$)|(?s:.)", r"(?m)^.*$"),
    "by groups": (r"(?>a+)b|(?:ab|a)(?:c|bcd)|(a|aa)+$",),
    "runs and single ones": (r"\p{N}", r"[\p{Han}\p{Hiragana}]+", r"\p{Lu}?\p{Ll}+|[^\p{L}\s]+|\s"),
    "classes of classes": (r"[\p{L}&&[^\p{Latin}]]+|[\w+][-\d]+|[a-c[x-z]]{2,3}",),
    "o200k": ("o200k",),
}


def compiled(chain: Sequence[str]) -> Scanner:
    """The core's own compilation, unchecked; also of patterns that have a hand-written scanner."""
    return _core.CompiledPattern([Stage.of(pattern).native for pattern in chain])


def by_regex(chain: Sequence[str], text: str) -> list[bytes]:
    return [word.encode("utf-8", "surrogateescape") for _, word in patterns.split_by_chain(tuple(chain), text)]


def characters() -> list[str]:
    """Some of every general category, and what patterns name."""
    draw = random.Random(7)
    by_category: dict[str, list[str]] = {}
    for code_point in range(0x30000):
        by_category.setdefault(unicodedata.category(chr(code_point)), []).append(chr(code_point))
    by_category.pop("Cs")
    some = [char for chars in by_category.values() for char in draw.sample(chars, min(8, len(chars)))]
    return [*some, *"aAbBcCdDeEfFkKſ\u212aqsStTxXzZ'.,!  \n\r\t09_-", "漢", "字", "ひ", "カ", "・", "\u3097", "한", "é"]


CHARACTERS = characters()


def texts(draw: random.Random, count: int, length: int) -> list[str]:
    made = []
    for _ in range(count):
        few = draw.sample(CHARACTERS, draw.choice((2, 5, 30)))
        made.append("".join(draw.choice(few) * draw.choice((1, 1, 1, 2, 3)) for _ in range(draw.randrange(length))))
    return made


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences_in_use_split_as_regex_does(name: str) -> None:
    chain = tuple(map(patterns.canonical, SEQUENCES[name]))
    scanner = compiled(chain)
    for text in texts(random.Random(name), 150, 12 if "groups" in name else 60):
        assert _core.split(scanner, text) == by_regex(chain, text), text


@pytest.mark.parametrize("name", SEQUENCES)
def test_long_texts_which_are_split_at_several_places_at_once(name: str) -> None:
    chain, draw = tuple(map(patterns.canonical, SEQUENCES[name])), random.Random(name)
    scanner = compiled(chain)
    for _ in range(4):
        some = draw.sample(CHARACTERS, draw.choice((3, 12, 60)))
        words = ["".join(draw.choices(some, k=draw.randint(1, 9))) for _ in range(50)]
        text = "".join(
            draw.choice((*words, " ", " the", "\n", "  ", "can't", "ABC", "12", "漢字")) for _ in range(1200)
        )
        data = text.encode()
        if draw.random() < 0.5:
            damaged = bytearray(data)
            for _ in range(40):
                damaged[draw.randrange(len(data))] = draw.choice(b"\x80\xff\xe3 a")
            data = bytes(damaged)
        length = draw.choice((len(data), 5000, 2100, 700))
        text = data[:length].decode("utf-8", "surrogateescape")
        assert _core.split(scanner, data[:length]) == by_regex(chain, text)


@pytest.mark.parametrize("name", ["DeepSeek", "CLIP", "before capitals", "o200k"])
def test_bytes_that_are_not_utf8_are_lone_surrogates(name: str) -> None:
    chain, draw = tuple(map(patterns.canonical, SEQUENCES[name])), random.Random(3)
    scanner = compiled(chain)
    for _ in range(100):
        data = bytes(draw.choice(b"a1 \xe3\x81\x82\xf0\x9f\x98\x80\xed\xc3\xff\n") for _ in range(draw.randrange(20)))
        text = data.decode("utf-8", "surrogateescape")
        assert _core.split(scanner, data) == by_regex(chain, text), data


def random_pattern(draw: random.Random, depth: int = 0) -> str:
    """A pattern of the dialect, at most three groups deep."""
    sets = (
        "a", "b", "k", "é", ".", " ", r"\s", r"\S", r"\d", r"\w", r"\W", r"\p{L}", r"\p{Lu}", r"\P{N}", r"\p{Han}", r"\pM",
        "[a-c]", "[^ab]", r"[\s\d]", r"[^\r\n\p{L}\p{N}]", r"[\p{P}'\-]", r"\n",
    )  # fmt: skip
    looks = (r"(?=\S)", r"(?!\S)", "(?=[ab])", r"(?!\d|a)", r"(?<=\s)", "(?<!a)", "^", "$", r"\b", r"\Z")
    quantifiers = ("", "", "", "?", "*", "+", "{2}", "{1,3}", "{2,}", "??", "*?", "+?", "++", "?+", "*+", "{1,2}+")
    choice = draw.random()
    if depth < 3 and choice < 0.25:
        return "|".join(random_pattern(draw, depth + 1) for _ in range(draw.randrange(1, 4)))
    if depth < 3 and choice < 0.65:
        return "".join(random_pattern(draw, depth + 1) for _ in range(draw.randrange(1, 4)))
    if depth < 3 and choice < 0.8:
        opening = draw.choice(("(?:", "(?:", "(?i:", "(", "(?s:"))
        return f"{opening}{random_pattern(draw, depth + 1)}){draw.choice(('', '', '?', '+', '{1,2}'))}"
    if choice < 0.87:
        return draw.choice(looks)
    return draw.choice(sets) + draw.choice(quantifiers)


def check_random_patterns(seed: int, count: int) -> int:
    """Compares `count` random patterns with `regex` on random texts; how many the core took."""
    draw = random.Random(seed)
    taken = 0
    while count:
        chain = tuple(patterns.literally(random_pattern(draw)) for _ in range(draw.choice((1, 1, 1, 2, 3))))
        try:
            scanner = compiled(chain)
        except _core.UnsupportedPattern:
            count -= 1
            continue
        for text in texts(draw, 12, 10):
            assert _core.split(scanner, text) == by_regex(chain, text), (chain, text)
        taken += 1
        count -= 1
    return taken


def test_random_patterns_split_random_text_as_regex_does() -> None:
    assert check_random_patterns(1, 400) > 200


@pytest.mark.soak
def test_many_random_patterns_split_random_text_as_regex_does() -> None:
    assert check_random_patterns(2, 40_000) > 20_000


def test_splits_of_bytes_are_cut_for_threads_where_both_sides_split_as_before() -> None:
    draw, cuts = random.Random(6), 0
    for joins in (None, *patterns.JOINED):
        expression = r"\p{L}\p{L}?|[^\p{L}]" if joins is None else patterns.joining(joins, r"[^\p{L}]é?|\p{L}\p{L}")
        scanner = Pretokenizer("gpt2", byte_splits=(expression,)).splitter
        assert isinstance(scanner, _core.CompiledPattern)
        for text in texts(draw, 60, 40):
            data, cut = text.encode(), 0
            while (cut := _core.next_cut(scanner, data, cut)) < len(data):
                cuts += 1
                sides = _core.split(scanner, data[:cut]) + _core.split(scanner, data[cut:])
                assert sides == _core.split(scanner, data), (joins, text, cut)
                cut += 1
    assert cuts > 100


def test_every_code_point_is_in_the_classes_of_regex() -> None:
    text = "".join(f"a{chr(c)}" for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    chain = (r"\p{Lu}|\p{Nd}|\p{Po}|\p{Cn}|[a\s\p{Han}]|[\p{Greek}\p{Common}]+",)
    assert _core.split(compiled(chain), text) == by_regex(chain, text)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"(a)\1", r"the escape \\1"),
        ("(?=ab)c|.", "look-around of more than one character"),
        ("(?:ab)++", "more than one character"),
        (r"\p{Emoji}", r"the property \\p\{Emoji\}"),
        ("[[:alpha:]]", "POSIX class"),
        (r"a(?R)?b", r"\(\?R"),
        ("(?:a*)*b", "repetition of what may be empty"),
        ("(?:[ab]{1,90}c){1,90}", "more than"),
    ],
)
def test_what_cannot_be_compiled_is_named_and_goes_through_regex(pattern: str, reason: str) -> None:
    with pytest.raises(_core.UnsupportedPattern, match=reason):
        compiled((pattern,))
    split = Pretokenizer(pattern)
    assert split.scanner is None
    assert split.way.startswith("by the regex package: the core cannot compile")
    assert PretokenCounts.from_iterator(["abab 12"], pattern=split).total > 0


def test_a_compilation_that_differs_is_not_used() -> None:
    found, way = compile_splits([Stage("a|ab")], lambda text: [text] if text else [])
    assert found is None
    assert "would split" in way


def test_compiled_patterns_encode_count_and_find_offsets() -> None:
    texts = [" 12345 hello, World! 漢字カ・カ abc\n\n  x", "don't  stop\n", "", "カナ123"] * 3
    split = Pretokenizer(DEEPSEEK[2], before=DEEPSEEK[:2], protected=(r"World!",))
    assert isinstance(split.scanner, _core.CompiledPattern)
    counts = PretokenCounts.from_iterator(texts, pattern=split)
    words = [word for text in texts for word in split.split(text)]
    assert dict(counts.items()) == Counter(word.encode() for word in words)
    tokenizer = learn_bpe(counts, 280)
    codec = tokenizer.codec
    for text in texts[:4]:
        pretokens = [word.encode() for word in split.split(text)]
        ids, spans = codec.encode_offsets(text)
        assert ids == codec.encode(text) == codec.encode_pretokens(pretokens)
        assert b"".join(text.encode()[start:end] for start, end in spans.tolist()) == text.encode()
        by_python = pretokenizer.custom_pattern(split.protected, split.before, split.pattern, ())
        sampled = codec.encoder.sample(by_python, text, codec.policy((), "all"), 0.5, 1)
        assert tokenizer.encode(text, dropout=0.5, seed=1) == sampled


def test_text_that_a_pattern_drops_has_no_offsets() -> None:
    split = Pretokenizer(patterns.keeping(patterns.CLIP_WORDS))
    tokenizer = learn_bpe(PretokenCounts.from_iterator(["low lower"], pattern=split), 260)
    ids, spans = tokenizer.encode_offsets(" low  lower ")
    assert tokenizer.decode(ids) == "lowlower"
    assert [" low  lower "[start:end] for start, end in spans.tolist()] == [tokenizer.decode([id]) for id in ids]


def test_documents_are_cut_for_threads_only_where_both_sides_split_as_before() -> None:
    draw = random.Random(5)
    for name, expected in (("DeepSeek", True), ("tekken", True), ("CLIP", True), ("before capitals", False)):
        chain = tuple(map(patterns.canonical, SEQUENCES[name]))
        scanner = compiled(chain)
        assert isinstance(scanner, _core.CompiledPattern)
        assert scanner.can_cut == expected
        for text in texts(draw, 60, 40) if expected else ():
            data, cut = text.encode(), 0
            while (cut := _core.next_cut(scanner, data, cut)) < len(data):
                sides = _core.split(scanner, data[:cut]) + _core.split(scanner, data[cut:])
                assert sides == _core.split(scanner, data), (name, text, cut)
                cut += 1


def test_large_sets_are_read_in_one_go_and_many_sets_are_refused() -> None:
    letters = "".join(map(chr, range(0x4E00, 0x9E20, 2)))
    assert _core.CompiledPattern([Stage(f"[{letters}]+|a").native]).samples
    with pytest.raises(_core.UnsupportedPattern, match="sets of characters"):
        _core.CompiledPattern([Stage("".join(map(chr, range(0x4E00, 0x5E00)))).native])
    with pytest.raises(ValueError, match="no stages"):
        _core.CompiledPattern([])
