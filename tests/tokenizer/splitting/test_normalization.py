"""The core normalises as Unicode's data says, and as SentencePiece's map says, and tells where every byte comes from."""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from typing import get_args

import pytest
import regex
import unicodedata2
from click.testing import CliRunner

from bpe_transformer import PretokenCounts, Pretokenizer, _core, learn_bpe
from bpe_transformer.cli import cli
from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.encoding.reference import by_map
from bpe_transformer.tokenizer.splitting import Normalization, normalizers
from bpe_transformer.tokenizer.splitting.alignment import (
    align,
    begins_segment,
    is_normalized,
    normalize,
    normalize_aligned,
)
from bpe_transformer.tokenizer.splitting.normalizers import CharsmapNormalizer
from bpe_transformer.tokenizer.splitting.precompiled_charsmap import entries_of

FORMS = get_args(Normalization)
EVERYTHING = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
MARKS = [c for c in EVERYTHING if unicodedata2.combining(c)]
DECOMPOSED = [c for c in EVERYTHING if unicodedata2.normalize("NFKD", c) != c and not 0xAC00 <= ord(c) < 0xD7A4]
JAMO = [chr(c) for c in (*range(0x1100, 0x1200), *range(0xAC00, 0xD7A4, 37))]


def test_the_version_is_that_of_the_data() -> None:
    assert _core.unicode_version == unicodedata2.unidata_version
    assert _core.FORMS == FORMS
    assert f"(Unicode {_core.unicode_version})" in CliRunner().invoke(cli, ["--version"]).output


@pytest.mark.parametrize("form", FORMS)
def test_every_character_that_may_change_alone_and_between_others(form: Normalization) -> None:
    text = "".join(f"{c}a{c}\u0301 " for c in {*DECOMPOSED, *MARKS, *JAMO, *EVERYTHING[::50]})
    assert normalize(form, text) == unicodedata2.normalize(form, text)


def some_texts(seed: int, count: int) -> list[str]:
    draw = random.Random(seed)
    texts = []
    for _ in range(count):
        pools = [draw.choice([MARKS, DECOMPOSED, JAMO, EVERYTHING]), MARKS, [*"abeo é\n"]]
        texts.append("".join(draw.choice(draw.choice(pools)) for _ in range(draw.randrange(9))))
    return texts


@pytest.mark.parametrize("form", FORMS)
def test_texts_are_normalised_as_unicode_says_and_aligned_by_segments(form: Normalization) -> None:
    for text in some_texts(1, 1500):
        expected = unicodedata2.normalize(form, text)
        assert normalize(form, text) == expected
        assert is_normalized(form, text) == is_normalized(form, text.encode()) == (expected == text)
        segments = [""]
        for char in text:
            if begins_segment(form, char):
                segments.append("")
            segments[-1] += char
        aligned = align((segment, unicodedata2.normalize(form, segment)) for segment in segments if segment)
        found = normalize_aligned(form, text)
        assert [found[0], found[1].tolist(), found[2].tolist()] == [
            aligned[0],
            aligned[1].tolist(),
            aligned[2].tolist(),
        ], text


def test_bytes_that_are_not_utf8_stay_and_join_nothing() -> None:
    data = b"e\xcc\x81\xffe\xff\xcc\x81\xe3\x81a"
    assert _core.normalize(0, data) == b"\xc3\xa9\xffe\xff\xcc\x81\xe3\x81a"
    _, starts, ends = _core.normalize_aligned(0, data)
    assert starts.tolist() == [0, 0, *range(3, 11)]
    assert ends.tolist() == [3, 3, *range(4, 12)]


MAPS: Sequence[dict[str, str]] = (
    {},
    {"A": "a", "e\u0301": "é", "é": "é", "\u0301": "", "\u3000": " ", "\t": " ", "ﬁ": "fi", "한": "하 ", "abc": "  x"},
    {"▁▁": "▁▁", "  x": "  x", "a": "", "b": "▁", "ab": "ba", "abé": " é "},
)


def compiled_map(entries: dict[str, str]) -> bytes:
    """The map as SentencePiece writes it: a double array of 1,024 units, and the texts."""
    block, values = b"", {}
    for key, text in entries.items():
        values[key.encode()] = len(block)
        block += text.encode() + b"\0"
    units, free, bases = [0] * 1024, set(range(1, 1024)), set(range(1, 1024))

    def place(unit: int, prefix: bytes) -> None:
        below = [key for key in values if key.startswith(prefix)]
        labels = {0} if prefix in values else set()
        labels |= {key[len(prefix)] for key in below if len(key) > len(prefix)}
        base = next(base for base in sorted(bases) if all(base ^ label in free for label in labels))
        bases.remove(base)
        units[unit] |= (unit ^ base) << 10 | (prefix in values) << 8
        free.difference_update(base ^ label for label in labels)
        for label in labels - {0}:
            units[base ^ label] = label
        if 0 in labels:
            units[base] = 1 << 31 | values[prefix]
        for label in labels - {0}:
            place(base ^ label, prefix + bytes([label]))

    place(0, b"")
    return b"".join(unit.to_bytes(4, "little") for unit in (4 * len(units), *units)) + block


@pytest.mark.parametrize("kept", [(), ("ab", "x", "한한"), ("a", "ab")])
def test_maps_are_read_as_the_reference_reads_them(kept: tuple[str, ...]) -> None:
    draw = random.Random(4)
    for entries in MAPS:
        data = compiled_map(entries)
        assert entries_of(base64.b64encode(data).decode()) == entries
        expected = {key: text for key, text in entries.items() if not key.startswith(kept)} | {key: key for key in kept}
        normalizer = CharsmapNormalizer(base64.b64encode(data).decode(), False, kept)
        assert list(normalizer.entries.items()) == sorted(expected.items(), key=lambda entry: entry[0].encode())
        for _ in range(40):  # damaged anywhere
            damaged = bytearray(data[: draw.choice((len(data), draw.randrange(len(data) + 1)))])
            for _ in range(min(draw.choice((1, 3, 30)), len(damaged))):
                damaged[draw.randrange(len(damaged))] = draw.choice((0, 1, 255, draw.randrange(256)))
            found = outcomes(base64.b64encode(damaged).decode())
            assert found[0] == found[1]


def outcomes(charsmap: str) -> list[dict[str, str] | None]:
    """What the core and the reference read, None for an error."""
    found: list[dict[str, str] | None] = []
    for read in (lambda: CharsmapNormalizer(charsmap, False).entries, lambda: entries_of(charsmap)):
        try:
            found.append(read())
        except FormatError:
            found.append(None)
    return found


@pytest.mark.parametrize("squeeze", [False, True])
@pytest.mark.parametrize("entries", MAPS)
def test_maps_take_the_longest_entry_and_squeeze_spaces(entries: dict[str, str], squeeze: bool) -> None:
    charsmap = _core.Charsmap(compiled_map(entries), [], squeeze)
    draw, normalizer = random.Random(2), _core.Normalizer((("charsmap", charsmap),))
    for _ in range(800):
        text = "".join(draw.choice(["  ", *"  \tabcAéxe\u0301\u3000ﬁ한▁"]) for _ in range(draw.randrange(14)))
        normalized, starts, ends = normalizer.normalize_aligned(text.encode())
        assert normalizer.normalize(text.encode()) == normalized
        expected, begins, stops = align(by_map(entries, squeeze, (), text))
        assert (normalized.decode(), starts.tolist(), ends.tolist()) == (expected, begins.tolist(), stops.tolist()), (
            text
        )


def test_lower_case_and_runs_are_the_same_in_blocks_and_with_places() -> None:
    draw = random.Random(9)
    cased = [c for c in EVERYTHING if c.lower() != c]
    steps: list[tuple[str, ...]] = [("lowercase",), ("replace", r"\s+", " "), ("replace", r"[^a-z]+", "é")]
    for step in steps:
        normalizer = normalizers.NormalizerSequence([step])
        for _ in range(150):
            some = [*draw.sample(cased, 3), *draw.sample(EVERYTHING, 3), *"aB \n\u3000한글é"][draw.choice((0, 6, 9)) :]
            text = "".join(draw.choice(some) * draw.choice((1, 1, 1, 2, 9)) for _ in range(draw.randrange(90)))
            data = text.encode() if draw.random() < 0.7 else text.encode()[1:]
            found = normalizer.core.normalize(data)
            assert found == normalizer.core.normalize_aligned(data)[0]
            if step[0] == "replace":
                decoded = data.decode("utf-8", "surrogateescape")
                assert found.decode("utf-8", "surrogateescape") == regex.sub(step[1], step[2], decoded)


def test_a_digest_stands_for_the_version_of_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = PretokenCounts.from_iterator(["low lower"], pattern=Pretokenizer(normalization="NFC"))
    before = learn_bpe(counts, 260).digest
    monkeypatch.setattr(_core, "unicode_version", "19.0.0")
    assert learn_bpe(counts, 260).digest != before
    assert "Unicode 18" in counts.unicode


def test_steps_of_a_sequence_use_the_same_tables() -> None:
    steps = normalizers.NormalizerSequence([("NFKC",), ("replace", r"\s+", " ")])
    assert steps.normalize("ﬁ  \u1d40a") == "fi Ta"
