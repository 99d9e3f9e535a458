"""Numbers as Korean words: the Sino-Korean series (일 이 삼) and the native one (하나 둘 셋).

Spacing follows 한글 맞춤법 §44: a space after every unit of 만, so 1,234,567 is 백이십삼만 사천오백육십칠.
"""

from __future__ import annotations

SINO_DIGITS = ("영", "일", "이", "삼", "사", "오", "육", "칠", "팔", "구")
_SMALL_UNITS = ("", "십", "백", "천")  # powers of 10 within a group of four digits
_LARGE_UNITS = ("", "만", "억", "조")  # powers of 10,000
LARGEST = 10 ** (4 * len(_LARGE_UNITS)) - 1

_NATIVE_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
_NATIVE_ONES = ("", "하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉")
# Before a counter five native numerals change their form: 하나 → 한 마리, 스물 → 스무 살.
_ATTRIBUTIVE_ONES = ("", "한", "두", "세", "네", *_NATIVE_ONES[5:])


def sino(number: int) -> str:
    """The Sino-Korean numeral of `number`, 0 to 9,999조.

    일 is dropped before 십, 백 and 천, and before a leading 만 (10,000 is 만), but kept before 억 and 조.

    >>> sino(340_190_500)
    '삼억 사천십구만 오백'
    """
    if not 0 <= number <= LARGEST:
        raise ValueError(f"{number} is outside 0 … {LARGEST:,}, the range of Korean numerals that is written here")
    if number == 0:
        return SINO_DIGITS[0]
    groups: list[str] = []
    for unit in range(len(_LARGE_UNITS) - 1, -1, -1):
        group = number // 10 ** (4 * unit) % 10_000
        if group == 1 and unit == 1 and not groups:
            groups.append(_LARGE_UNITS[unit])
        elif group:
            groups.append(_sino_group(group) + _LARGE_UNITS[unit])
    return " ".join(groups)


def _sino_group(group: int) -> str:
    """1 to 9,999, written together: 1,110 is 천백십."""
    parts: list[str] = []
    for power in range(3, -1, -1):
        digit = group // 10**power % 10
        if digit:
            parts.append(("" if digit == 1 and power else SINO_DIGITS[digit]) + _SMALL_UNITS[power])
    return "".join(parts)


def native(number: int) -> str:
    """The native numeral of 1 … 99 as it stands alone.

    >>> native(20), native(21)
    ('스물', '스물하나')
    """
    if not 1 <= number <= 99:
        raise ValueError(f"{number} has no native Korean numeral; they run from 1 to 99")
    return _NATIVE_TENS[number // 10] + _NATIVE_ONES[number % 10]


def attributive(number: int) -> str:
    """The numeral before a counter that takes the native series: native up to 99, Sino-Korean above and for 0.

    >>> attributive(1), attributive(20), attributive(21), attributive(100)
    ('한', '스무', '스물한', '백')
    """
    if not 1 <= number <= 99:
        return sino(number)
    if number == 20:
        return "스무"
    return _NATIVE_TENS[number // 10] + _ATTRIBUTIVE_ONES[number % 10]


def ordinal(number: int) -> str:
    """첫 번째, 두 번째, …: the native series up to 99, Sino-Korean above; 1 alone is irregular.

    >>> ordinal(1), ordinal(20), ordinal(31)
    ('첫 번째', '스무 번째', '서른한 번째')
    """
    return f"{'첫' if number == 1 else attributive(number)} 번째"


def month(number: int) -> str:
    """The name of a month, one word. June and October lose their final consonant: 유월, 시월.

    >>> month(3), month(6), month(10)
    ('삼월', '유월', '시월')
    """
    return {6: "유월", 10: "시월"}.get(number) or f"{sino(number)}월"
