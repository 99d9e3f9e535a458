"""Lessons on models that are hardly trained: what counts is that the numbers are the model's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from bpe_transformer.inspection.lessons import Lesson, lesson
from bpe_transformer.inspection.lessons.models import small_models

Lessons = Callable[[str, str], Lesson]


@pytest.fixture(scope="module")
def lesson_of() -> Iterator[Lessons]:
    """`lesson_of("masks", "ko")`, computed once; small models are used as they are initialised."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_models, "STEPS", 0)
        patch.setattr(small_models, "SEED", 21)  # translators that write whole characters, so that nothing is folded
        small_models.small_model.cache_clear()
        yield cache(lesson)
        small_models.small_model.cache_clear()
