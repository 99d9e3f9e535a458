"""Numbers as English words, cardinal and ordinal, and years as they are read aloud."""

from __future__ import annotations

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = ("", "thousand", "million", "billion", "trillion")
LARGEST = 1000 ** len(SCALES) - 1
_IRREGULAR_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def cardinal(number: int, *, with_and: bool = False) -> str:
    """`number` in words, 0 to 999 trillion; `with_and` is the British form.

    >>> cardinal(1_234), cardinal(105, with_and=True)
    ('one thousand two hundred thirty-four', 'one hundred and five')
    """
    if not 0 <= number <= LARGEST:
        raise ValueError(f"{number} is outside 0 … {LARGEST:,}, the range of English numerals that is written here")
    if number == 0:
        return _ONES[0]
    groups: list[str] = []
    for scale in range(len(SCALES) - 1, -1, -1):
        group = number // 1000**scale % 1000
        if not group:
            continue
        words = _below_thousand(group, with_and)
        if with_and and scale == 0 and group < 100 and groups:
            words = f"and {words}"
        groups.append(f"{words} {SCALES[scale]}".rstrip())
    return " ".join(groups)


def _below_thousand(number: int, with_and: bool) -> str:
    hundreds, rest = divmod(number, 100)
    if not hundreds:
        return _below_hundred(rest)
    words = f"{_ONES[hundreds]} hundred"
    if rest:
        words += f"{' and' if with_and else ''} {_below_hundred(rest)}"
    return words


def _below_hundred(number: int) -> str:
    if number < len(_ONES):
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return f"{_TENS[tens]}-{_ONES[ones]}" if ones else _TENS[tens]


def ordinal(number: int) -> str:
    """`number` as an ordinal in words.

    >>> ordinal(21), ordinal(112), ordinal(30)
    ('twenty-first', 'one hundred twelfth', 'thirtieth')
    """
    words = cardinal(number)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    head, last = words[:cut], words[cut:]
    if last in _IRREGULAR_ORDINALS:
        return head + _IRREGULAR_ORDINALS[last]
    return head + (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")


def ordinal_digits(number: int) -> str:
    """`number` as an ordinal in digits, with commas.

    >>> ordinal_digits(21), ordinal_digits(112), ordinal_digits(1003)
    ('21st', '112th', '1,003rd')
    """
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def year(number: int) -> str:
    """A year from 1000 to 2999 as it is read aloud.

    >>> year(1999), year(1905), year(1900), year(2007), year(2021)
    ('nineteen ninety-nine', 'nineteen oh five', 'nineteen hundred', 'two thousand seven', 'twenty twenty-one')
    """
    century, rest = divmod(number, 100)
    if century % 10 == 0 and rest < 10:
        return cardinal(number)
    if rest == 0:
        return f"{_below_hundred(century)} hundred"
    return f"{_below_hundred(century)} {'oh ' if rest < 10 else ''}{_below_hundred(rest)}"
