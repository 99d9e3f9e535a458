"""Tables of English and Korean nouns with their Korean counter words (마리, 권, 명, …), measures and ordinals."""

from __future__ import annotations

from typing import NamedTuple


class Thing(NamedTuple):
    """An English noun (`one`, `many`), its Korean noun ("" when the counter names it) and native counter: 고양이 세 마리."""

    one: str
    many: str
    ko: str
    counter: str


THINGS = (
    Thing("cat", "cats", "고양이", "마리"),
    Thing("dog", "dogs", "개", "마리"),
    Thing("bird", "birds", "새", "마리"),
    Thing("cow", "cows", "소", "마리"),
    Thing("tiger", "tigers", "호랑이", "마리"),
    Thing("rabbit", "rabbits", "토끼", "마리"),
    Thing("book", "books", "책", "권"),
    Thing("notebook", "notebooks", "공책", "권"),
    Thing("dictionary", "dictionaries", "사전", "권"),
    Thing("person", "people", "사람", "명"),
    Thing("student", "students", "학생", "명"),
    Thing("child", "children", "아이", "명"),
    Thing("friend", "friends", "친구", "명"),
    Thing("doctor", "doctors", "의사", "명"),
    Thing("apple", "apples", "사과", "개"),
    Thing("egg", "eggs", "달걀", "개"),
    Thing("chair", "chairs", "의자", "개"),
    Thing("key", "keys", "열쇠", "개"),
    Thing("box", "boxes", "상자", "개"),
    Thing("cup of coffee", "cups of coffee", "커피", "잔"),
    Thing("cup of tea", "cups of tea", "차", "잔"),
    Thing("glass of water", "glasses of water", "물", "잔"),
    Thing("bottle of beer", "bottles of beer", "맥주", "병"),
    Thing("bottle of wine", "bottles of wine", "포도주", "병"),
    Thing("car", "cars", "자동차", "대"),
    Thing("bicycle", "bicycles", "자전거", "대"),
    Thing("computer", "computers", "컴퓨터", "대"),
    Thing("sheet of paper", "sheets of paper", "종이", "장"),
    Thing("photo", "photos", "사진", "장"),
    Thing("ticket", "tickets", "표", "장"),
    Thing("rose", "roses", "장미", "송이"),
    Thing("flower", "flowers", "꽃", "송이"),
    Thing("tree", "trees", "나무", "그루"),
    Thing("pair of shoes", "pairs of shoes", "신발", "켤레"),
    Thing("pair of socks", "pairs of socks", "양말", "켤레"),
    Thing("pencil", "pencils", "연필", "자루"),
    Thing("house", "houses", "집", "채"),
    Thing("ship", "ships", "배", "척"),
    Thing("letter", "letters", "편지", "통"),
    Thing("hour", "hours", "", "시간"),
    Thing("time", "times", "", "번"),
)

# (one, many, counter): measures, which take the Sino-Korean series: 삼 킬로미터
MEASURES = (
    ("second", "seconds", "초"),
    ("minute", "minutes", "분"),
    ("day", "days", "일"),
    ("week", "weeks", "주"),
    ("month", "months", "개월"),
    ("year", "years", "년"),
    ("kilometer", "kilometers", "킬로미터"),
    ("meter", "meters", "미터"),
    ("centimeter", "centimeters", "센티미터"),
    ("kilogram", "kilograms", "킬로그램"),
    ("gram", "grams", "그램"),
    ("liter", "liters", "리터"),
    ("percent", "percent", "퍼센트"),
    ("degree", "degrees", "도"),
    ("serving", "servings", "인분"),
)

# (noun, counter): "page 12" → 십이 쪽
NUMBERED = (("page", "쪽"), ("room", "호"), ("lesson", "과"), ("chapter", "장"), ("track", "번"))

# (noun, counter, largest): English orders, Korean counts in the Sino-Korean series: "3rd floor" → 삼 층
SINO_ORDINALS = (("floor", "층", 120), ("century", "세기", 30), ("anniversary", "주년", 200), ("grade", "학년", 12))

# (English, Korean): "the third question" → 세 번째 문제
ORDINAL_NOUNS = (
    ("question", "문제"),
    ("day", "날"),
    ("person", "사람"),
    ("room", "방"),
    ("lesson", "수업"),
    ("attempt", "시도"),
    ("game", "경기"),
    ("book", "책"),
    ("letter", "편지"),
    ("child", "아이"),
    ("step", "단계"),
    ("house", "집"),
    ("song", "노래"),
    ("station", "역"),
    ("sentence", "문장"),
)
