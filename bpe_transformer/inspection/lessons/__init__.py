"""Lessons: what introductions to tokenizers and Transformers state, computed step by step in front of the reader.

    rich.print(lesson("attention"))
    rich.print(lesson("masks", "ko"))

The numbers come from the library's own layers; the words from one file a language under `words/`.
"""

from bpe_transformer.inspection.lessons.catalog import LESSONS, lesson, lessons
from bpe_transformer.inspection.lessons.lesson import Curves, Lesson, LessonList, LessonStep, Matrix, Step, Table
from bpe_transformer.inspection.lessons.request import Request, read_matrix
from bpe_transformer.inspection.lessons.writer import LANGUAGES

__all__ = [
    "LANGUAGES",
    "LESSONS",
    "Curves",
    "Lesson",
    "LessonList",
    "LessonStep",
    "Matrix",
    "Request",
    "Step",
    "Table",
    "lesson",
    "lessons",
    "read_matrix",
]
