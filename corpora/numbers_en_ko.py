"""English number expressions with their Korean translation, generated: every answer is exact and there is only one.

Conventions where Korean leaves a choice (each source has exactly one right answer):

- Written numbers have a space after each unit of 만; dependent nouns (년, 일, 시, 분, 원, 마리 …) are set apart and
  month names are one word, as 한글 맞춤법 §43–44 puts first: 이천이십일 년 시월 삼 일.
- Half past is 반, never 삼십 분; noon is 정오 and midnight 자정, but "12:00 pm" stays 오후 열두 시.
- Native numerals (한, 두, 스무, 스물한) count up to 99 before native counters, 시간 and 번째; above that the
  Sino-Korean series does (백이십 명, 백일 번째). 분, 초, 일, 개월, 년, 원, 층, 세기 and measures always take the
  Sino-Korean series.

Deterministic on every machine and Python version: all draws come from `random.Random(int).random()`, whose stream
Python guarantees, and a source string belongs to a split by its SHA-256, so that splits cannot overlap.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from bpe_transformer.corpora import english_numerals as english
from bpe_transformer.corpora import korean_numerals as korean
from bpe_transformer.corpora.counters import MEASURES, NUMBERED, ORDINAL_NOUNS, SINO_ORDINALS, THINGS
from bpe_transformer.corpora.word_links import WordLinks, links_of, mark, without_marks

VERSION = 1  # part of every cache key; raise it when a change here changes the examples
SEED = 20
SIZES: Mapping[str, int] = MappingProxyType({"train": 60_000, "validation": 1_000, "test": 1_000})
_MISSES_UNTIL_EXHAUSTED = 2_000

T = TypeVar("T")


class Example(NamedTuple):
    """An English number expression, its Korean translation, and its kind, one of `KINDS`."""

    en: str
    ko: str
    kind: str


class AlignedExample(NamedTuple):
    """An example with the words of its two sides that say the same."""

    example: Example
    links: WordLinks


class _MarkedExample(NamedTuple):
    """An example, and its two sides with their marks."""

    example: Example
    en: str
    ko: str


def generate(split: str = "train", size: int | None = None, *, seed: int = SEED) -> Iterator[Example]:
    """Yields `size` examples (default: `SIZES[split]`), no English source twice and none that another split may hold.

    A kind whose sources run out (there are some ten thousand clock times) leaves its share to the others.

    >>> from itertools import islice
    >>> next(iter(generate("test", 1))).kind in KINDS
    True
    """
    for marked in _marked_examples(split, size, seed):
        yield marked.example


def generate_aligned(split: str = "train", size: int | None = None, *, seed: int = SEED) -> Iterator[AlignedExample]:
    """The examples of `generate`, each with its gold word alignment.

    >>> found = next(generate_aligned("test", 1))
    >>> found.example.en.split()[min(found.links.sure)[0]] in found.example.en
    True
    """
    for marked in _marked_examples(split, size, seed):
        yield AlignedExample(marked.example, links_of(marked.en, marked.ko))


def _marked_examples(split: str, size: int | None, seed: int) -> Iterator[_MarkedExample]:
    if split not in SIZES:
        raise ValueError(f"split {split!r} does not exist; choose one of {', '.join(SIZES)}")
    draw = Draw(int.from_bytes(hashlib.sha256(f"{seed}/{split}".encode()).digest()[:8], "big"))
    seen: set[str] = set()
    open_kinds = dict(KINDS)
    while len(seen) < (SIZES[split] if size is None else size):
        kind = draw.weighted([(name, share) for name, (share, _) in open_kinds.items()])
        make = open_kinds[kind][1]
        for _ in range(_MISSES_UNTIL_EXHAUSTED):
            marked_en, marked_ko = make(draw)
            en = without_marks(marked_en)
            if en not in seen and split_of(en) == split:
                seen.add(en)
                yield _MarkedExample(Example(en, without_marks(marked_ko), kind), marked_en, marked_ko)
                break
        else:
            del open_kinds[kind]


def split_of(en: str) -> str:
    """The one split that may hold the source `en`: 90 % train, 5 % validation, 5 % test, by SHA-256."""
    place = int.from_bytes(hashlib.sha256(en.encode()).digest()[:4], "big") / 2**32
    return "test" if place < 0.05 else "validation" if place < 0.10 else "train"


class Draw:
    """Random choices, from the one method of `random.Random` whose stream is the same everywhere."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random() < probability

    def between(self, low: int, high: int) -> int:
        """Uniform in low … high, both included."""
        return low + int(self._random() * (high - low + 1))

    def choose(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely."""
        return items[self.between(0, len(items) - 1)]

    def weighted(self, items: Sequence[tuple[T, float]]) -> T:
        """One of the items of (item, weight) pairs, with a probability in proportion to its weight."""
        place = self._random() * sum(weight for _, weight in items)
        for item, weight in items:
            place -= weight
            if place < 0:
                return item
        return items[-1][0]

    def magnitude(self, max_digits: int) -> int:
        """1 … 10^max_digits - 1: every number of digits equally likely, and more often than not round, as in use."""
        digits = self.between(1, max_digits)
        significant = digits if self.chance(0.4) else self.between(1, min(3, digits))
        figures = self.between(int(10 ** (significant - 1)), int(10**significant) - 1)
        return figures * int(10 ** (digits - significant))


def _written(draw: Draw, number: int) -> str:
    """`number` in English as somebody might write it: in digits or in words."""
    if draw.chance(0.55):
        return str(number) if 1000 <= number < 10_000 and draw.chance(0.3) else f"{number:,}"
    return english.cardinal(number, with_and=draw.chance(0.2))


def _scaled(draw: Draw, max_digits: int) -> tuple[str, int]:
    """A figure with a scale, such as 2.5 million, and the number it means."""
    power: int = draw.choose([power for power in (6, 9) if power < max_digits])
    scale = english.SCALES[power // 3]
    whole = draw.magnitude(min(3, max_digits - power))
    if draw.chance(0.5):
        return f"{whole} {scale}", whole * 10**power
    tenth = draw.between(1, 9)
    return f"{whole}.{tenth} {scale}", (10 * whole + tenth) * 10 ** (power - 1)


def _integer(draw: Draw) -> tuple[str, str]:
    if draw.chance(0.12):
        en, number = _scaled(draw, 12)
        return mark("n", en), mark("n", korean.sino(number))
    number = draw.weighted([(draw.magnitude(12), 0.99), (0, 0.005), (10**12, 0.005)])
    return mark("n", _written(draw, number)), mark("n", korean.sino(number))


def _ordinal(draw: Draw) -> tuple[str, str]:
    the = "the " if draw.chance(0.5) else ""
    write = draw.choose((english.ordinal, english.ordinal_digits))
    if draw.chance(0.2):
        noun, counter, largest = draw.choose(SINO_ORDINALS)
        number = draw.between(1, largest)
        return (
            f"{the}{mark('n', write(number))} {mark('o', noun)}",
            f"{mark('n', korean.sino(number))} {mark('o', counter)}",
        )
    number = draw.between(1, 99) if draw.chance(0.7) else draw.magnitude(4)
    en_noun, ko_noun = draw.choose(ORDINAL_NOUNS) if draw.chance(0.8) else ("", "")
    en, ko = mark("n", write(number)), mark("n", korean.ordinal(number))
    return f"{the}{en} {mark('o', en_noun)}".rstrip(), f"{ko} {mark('o', ko_noun)}".rstrip()


def _date(draw: Draw) -> tuple[str, str]:
    year = draw.between(1900, 2030) if draw.chance(0.8) else draw.between(1000, 2999)
    month = draw.between(1, 12)
    day = draw.between(1, _days_in(month, year))
    name = mark("m", english.MONTHS[month - 1])
    ko_year, ko_day = mark("y", f"{korean.sino(year)} 년"), mark("d", f"{korean.sino(day)} 일")
    ko_month = mark("m", korean.month(month))
    plain, first, nth = (mark("d", form) for form in (str(day), english.ordinal(day), english.ordinal_digits(day)))
    en_year, spoken_year = mark("y", str(year)), mark("y", english.year(year))
    which = draw.weighted((("full", 0.65), ("day", 0.15), ("month", 0.12), ("year", 0.08)))
    if which == "year":
        return f"the {mark('y', 'year')} {draw.choose((en_year, spoken_year))}", ko_year
    if which == "month":
        return f"{name} {en_year}", f"{ko_year} {ko_month}"
    if which == "day":
        form = draw.choose(
            (f"{name} {plain}", f"{name} {nth}", f"{plain} {name}", f"{name} {first}", f"the {first} of {name}")
        )
        return form, f"{ko_month} {ko_day}"
    en = draw.choose(
        (
            f"{name} {plain}, {en_year}",
            f"{name} {nth}, {en_year}",
            f"{plain} {name} {en_year}",
            f"{en_year}-{mark('m', f'{month:02}')}-{mark('d', f'{day:02}')}",
            f"{name} {first}, {spoken_year}",
            f"the {first} of {name}, {spoken_year}",
        )
    )
    return en, f"{ko_year} {ko_month} {ko_day}"


def _days_in(month: int, year: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _time(draw: Draw) -> tuple[str, str]:
    if draw.chance(0.002):
        en, ko = draw.choose((("noon", "정오"), ("midnight", "자정")))
        return mark("h", en), mark("h", ko)
    hour, minute = draw.between(1, 12), draw.between(0, 59)
    if draw.chance(0.35):
        minute -= minute % 15  # the quarters are what people say most
    half = draw.choose(("", "am", "pm"))
    ko = mark("h", f"{korean.attributive(hour)} 시")
    if minute:
        ko += " " + mark("i", "반" if minute == 30 else f"{korean.sino(minute)} 분")
    if half:
        ko = f"{mark('p', '오전' if half == 'am' else '오후')} {ko}"
    spelling = mark("p", draw.choose((half, f"{half[0]}.m."))) if half else ""
    form = draw.weighted((("digits", 0.5), ("words", 0.3), ("past", 0.2)))
    if form == "digits":
        written_minute = mark("i", f"{minute:02}") if minute else "00"
        en = (
            f"{mark('h', str(hour))}:{written_minute}"
            if minute or not half or draw.chance(0.5)
            else mark("h", str(hour))
        )
    elif form == "words" or not minute:
        en = _time_in_words(hour, minute, o_clock=not half)
    else:
        en = _time_past(draw, hour, minute)
    return f"{en} {spelling}".rstrip(), ko


def _time_in_words(hour: int, minute: int, *, o_clock: bool) -> str:
    if minute == 0:
        return mark("h", f"{english.cardinal(hour)} o'clock" if o_clock else english.cardinal(hour))
    spoken_minute = mark("i", f"{'oh ' if minute < 10 else ''}{english.cardinal(minute)}")
    return f"{mark('h', english.cardinal(hour))} {spoken_minute}"


def _time_past(draw: Draw, hour: int, minute: int) -> str:
    """Such as ten past three, 10 to 4. An am or pm after it is of the time itself: ten to twelve am is 11:50."""
    word, hour = ("past", hour) if minute <= 30 else ("to", hour % 12 + 1)
    distance = minute if minute <= 30 else 60 - minute
    number: Callable[[int], str] = str if draw.chance(0.3) else english.cardinal
    if distance == 30:
        return f"{mark('i', f'half {word}')} {mark('h', number(hour))}"
    if distance == 15:
        return f"{draw.choose(('', 'a '))}{mark('i', f'quarter {word}')} {mark('h', number(hour))}"
    unit = "" if distance % 5 == 0 else " minute" if distance == 1 else " minutes"
    return f"{mark('i', f'{number(distance)}{unit} {word}')} {mark('h', number(hour))}"


def _price(draw: Draw) -> tuple[str, str]:
    return _won(draw) if draw.chance(0.5) else _dollars(draw)


def _won(draw: Draw) -> tuple[str, str]:
    if draw.chance(0.12):
        amount, number = _scaled(draw, 10)
        return f"{mark('n', amount)} {mark('w', 'won')}", f"{mark('n', korean.sino(number))} {mark('w', '원')}"
    number = draw.magnitude(9)
    if draw.chance(0.4):
        en = f"{mark('w', '₩')}{mark('n', f'{number:,}')}"
    else:
        en = f"{mark('n', _written(draw, number))} {mark('w', 'won')}"
    return en, f"{mark('n', korean.sino(number))} {mark('w', '원')}"


def _dollars(draw: Draw) -> tuple[str, str]:
    if draw.chance(0.1):
        amount, number = _scaled(draw, 10)
        amount = mark("n", amount)
        en = draw.choose((f"{mark('w', '$')}{amount}", f"{amount} {mark('w', 'dollars')}"))
        return en, f"{mark('n', korean.sino(number))} {mark('w', '달러')}"
    dollars = draw.magnitude(7)
    cents = 0
    if dollars < 10_000 and draw.chance(0.5):
        cents = draw.between(1, 99)
        dollars = 0 if draw.chance(0.1) else dollars
    parts = [f"{mark('n', korean.sino(dollars))} {mark('w', '달러')}"] * bool(dollars)
    parts += [f"{mark('e', korean.sino(cents))} {mark('c', '센트')}"] * bool(cents)
    ko = " ".join(parts)
    if draw.chance(0.55):
        written_cents = f".{mark('e', f'{cents:02}')}" if cents else ""
        return f"{mark('w', '$')}{mark('n', f'{dollars:,}')}{written_cents}", ko
    write: Callable[[int], str] = english.cardinal if draw.chance(0.7) else "{:,}".format
    amounts = [f"{mark('n', write(dollars))} {mark('w', 'dollars' if dollars != 1 else 'dollar')}"] * bool(dollars)
    amounts += [f"{mark('e', write(cents))} {mark('c', 'cents' if cents != 1 else 'cent')}"] * bool(cents)
    return " and ".join(amounts), ko


def _counter(draw: Draw) -> tuple[str, str]:
    number = draw.weighted([(draw.between(1, 20), 0.45), (draw.between(21, 99), 0.35), (draw.magnitude(4), 0.2)])
    which = draw.weighted((("thing", 0.55), ("measure", 0.25), ("numbered", 0.1), ("age", 0.1)))
    if which == "age":
        number = min(number, 100)
        years = mark("o", "years old" if number != 1 else "year old")
        return (
            f"{mark('n', _written(draw, number))} {years}",
            f"{mark('n', korean.attributive(number))} {mark('o', '살')}",
        )
    if which == "numbered":
        noun, counter = draw.choose(NUMBERED)
        number = number % 1000 or 1
        write: Callable[[int], str] = str if draw.chance(0.6) else english.cardinal
        en = f"{mark('o', noun)} {mark('n', write(number))}"
        return en, f"{mark('n', korean.sino(number))} {mark('o', counter)}"
    if which == "measure":
        one, many, counter = draw.choose(MEASURES)
        en = f"{mark('n', _written(draw, number))} {mark('o', one if number == 1 else many)}"
        return en, f"{mark('n', korean.sino(number))} {mark('o', counter)}"
    thing = draw.choose(THINGS)
    en = f"{mark('n', _written(draw, number))} {mark('o', thing.one if number == 1 else thing.many)}"
    counter = mark("k" if thing.ko else "o", thing.counter)
    return en, f"{mark('o', thing.ko)} {mark('n', korean.attributive(number))} {counter}".lstrip()


# kind → (its share of the examples, the function that draws one)
KINDS: Mapping[str, tuple[float, Callable[[Draw], tuple[str, str]]]] = MappingProxyType(
    {
        "integer": (0.28, _integer),
        "ordinal": (0.12, _ordinal),
        "date": (0.20, _date),
        "time": (0.08, _time),
        "price": (0.18, _price),
        "counter": (0.14, _counter),
    }
)
