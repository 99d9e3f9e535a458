"""Hand-checked numerals, and an independent reader of Korean numerals as oracle."""

from __future__ import annotations

import random

import pytest

from bpe_transformer.corpora import english_numerals as english
from bpe_transformer.corpora import korean_numerals as korean


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, "영"),
        (1, "일"),
        (6, "육"),
        (10, "십"),
        (11, "십일"),
        (16, "십육"),
        (20, "이십"),
        (21, "이십일"),
        (99, "구십구"),
        (100, "백"),
        (101, "백일"),
        (110, "백십"),
        (111, "백십일"),
        (1_000, "천"),
        (1_001, "천일"),
        (1_111, "천백십일"),
        (2_024, "이천이십사"),
        (10_000, "만"),
        (10_001, "만 일"),
        (10_500, "만 오백"),
        (11_000, "만 천"),
        (20_000, "이만"),
        (100_000, "십만"),
        (110_000, "십일만"),
        (1_000_000, "백만"),
        (1_234_567, "백이십삼만 사천오백육십칠"),
        (10_000_000, "천만"),
        (11_110_000, "천백십일만"),
        (100_000_000, "일억"),
        (100_010_000, "일억 일만"),
        (1_000_000_001, "십억 일"),
        (342_000_195_000, "삼천사백이십억 십구만 오천"),
        (999_999_999_999, "구천구백구십구억 구천구백구십구만 구천구백구십구"),
        (1_000_000_000_000, "일조"),
    ],
)
def test_sino_numerals_worked_by_hand(number: int, written: str) -> None:
    assert korean.sino(number) == written


@pytest.mark.parametrize(
    ("number", "alone", "before_a_counter"),
    [
        (1, "하나", "한"),
        (2, "둘", "두"),
        (3, "셋", "세"),
        (4, "넷", "네"),
        (5, "다섯", "다섯"),
        (10, "열", "열"),
        (11, "열하나", "열한"),
        (20, "스물", "스무"),
        (21, "스물하나", "스물한"),
        (24, "스물넷", "스물네"),
        (30, "서른", "서른"),
        (45, "마흔다섯", "마흔다섯"),
        (52, "쉰둘", "쉰두"),
        (63, "예순셋", "예순세"),
        (78, "일흔여덟", "일흔여덟"),
        (86, "여든여섯", "여든여섯"),
        (99, "아흔아홉", "아흔아홉"),
    ],
)
def test_native_numerals_worked_by_hand(number: int, alone: str, before_a_counter: str) -> None:
    assert korean.native(number) == alone
    assert korean.attributive(number) == before_a_counter


def test_months_with_the_two_irregular_ones() -> None:
    expected = "일월 이월 삼월 사월 오월 유월 칠월 팔월 구월 시월 십일월 십이월"
    assert " ".join(map(korean.month, range(1, 13))) == expected


def test_ordinals() -> None:
    assert [korean.ordinal(n) for n in (1, 2, 11, 20, 21, 100, 101)] == [
        "첫 번째",
        "두 번째",
        "열한 번째",
        "스무 번째",
        "스물한 번째",
        "백 번째",
        "백일 번째",
    ]


def read_sino(text: str) -> int:
    """The value of a Sino-Korean numeral by the rule that a reader applies: unlike the writer, it never divides."""
    total = group = digit = 0
    for sign in text.replace(" ", ""):
        if sign in "영일이삼사오육칠팔구":
            digit = "영일이삼사오육칠팔구".index(sign)
        elif sign in "십백천":
            group += (digit or 1) * {"십": 10, "백": 100, "천": 1000}[sign]
            digit = 0
        else:
            total += (group + digit or 1) * {"만": 10**4, "억": 10**8, "조": 10**12}[sign]
            group = digit = 0
    return total + group + digit


def test_an_independent_reader_gets_every_number_back() -> None:
    draw = random.Random(1)
    numbers = [*range(12_000), *(draw.randrange(10 ** draw.randint(1, 13)) for _ in range(20_000))]
    for number in numbers:
        assert read_sino(korean.sino(number)) == number


@pytest.mark.parametrize("number", [-1, 10**16])
def test_numbers_without_a_numeral_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        korean.sino(number)


@pytest.mark.parametrize(
    ("number", "plain", "british"),
    [
        (0, "zero", "zero"),
        (13, "thirteen", "thirteen"),
        (40, "forty", "forty"),
        (101, "one hundred one", "one hundred and one"),
        (1_005, "one thousand five", "one thousand and five"),
        (21_300, "twenty-one thousand three hundred", "twenty-one thousand three hundred"),
        (1_000_000_000_000, "one trillion", "one trillion"),
        (
            987_000_654_321,
            "nine hundred eighty-seven billion six hundred fifty-four thousand three hundred twenty-one",
            "nine hundred and eighty-seven billion six hundred and fifty-four thousand three hundred and twenty-one",
        ),
    ],
)
def test_english_cardinals_worked_by_hand(number: int, plain: str, british: str) -> None:
    assert english.cardinal(number) == plain
    assert english.cardinal(number, with_and=True) == british


def test_english_ordinals_and_years_worked_by_hand() -> None:
    words = ["first", "second", "third", "fifth", "eighth", "ninth", "twelfth", "twentieth", "forty-second"]
    assert [english.ordinal(n) for n in (1, 2, 3, 5, 8, 9, 12, 20, 42)] == words
    digits = ["1st", "2nd", "3rd", "11th", "12th", "13th", "21st", "111th", "1,102nd"]
    assert [english.ordinal_digits(n) for n in (1, 2, 3, 11, 12, 13, 21, 111, 1102)] == digits
    years = {1066: "ten sixty-six", 1900: "nineteen hundred", 1905: "nineteen oh five", 2000: "two thousand"}
    years |= {2007: "two thousand seven", 2010: "twenty ten", 2021: "twenty twenty-one"}
    assert {year: english.year(year) for year in years} == years
