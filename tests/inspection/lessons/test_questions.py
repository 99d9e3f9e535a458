"""Questions that introductions leave open, asked by a reader who knows school mathematics, and where a lesson answers them.

Each has the step that answers it and the figures that do, worked out here by hand, in both languages.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from bpe_transformer.inspection.lessons import LANGUAGES, Lesson, Matrix, Table

Lessons = Callable[[str, str], Lesson]
BITES = 1 / 2  # the share of each of two neighbours in one row of weights
FIRST = [0.7, 0.8, 0.9, 1.0]  # I's row of Q Kᵀ
LEAK = 1 - math.exp(0.35) / (math.exp(0.35) + 3)  # of the first row, where the three hidden words score 0
SINUSOIDS_TWO_APART = sum(math.cos(2 / 10000 ** (2 * i / 16)) for i in range(8))

QUESTIONS: dict[str, tuple[str, str, list[str]]] = {
    "Why is a new word not simply unknown?": ("bpe", "result", ["low + est"]),
    "Why is the most frequent pair merged, and not another?": ("bpe", "merge", ["e s", "9", str(79 - 9)]),
    "Why three vectors, and not one?": ("attention", "roles", ["1.00", "1.48", "0.60"]),
    "Why is it divided by √d_k?": ("attention", "variance", ["softmax(0, √512) = (0.000, 1.000)", "softmax(0, √4) = (0.119, 0.881)"]),
    "Why a softmax, and not a division by the sum?": ("attention", "softmax", ["0.881", "0.119", f"{math.e:.3f}"]),
    "Can attention give something that no word has?": ("attention", "mean", ["0.90", "1.20"]),
    "What can two heads do that one cannot?": ("heads", "two", ["1.00", "0.00"]),
    "Do more heads make the model larger?": ("heads", "cost", [f"{4 * (512 * 512 + 512):,}"]),
    "Why −∞ before the softmax, and not a score of 0?": ("masks", "infinity", ["−∞", f"{LEAK:.3f}"]),
    "Why does order need positions?": ("positions", "set", ["game play love I"]),
    "Why waves, and not the numbers 1, 2, 3?": ("positions", "distance", ["15", "195", f"{SINUSOIDS_TWO_APART:.2f}"]),
    "Why is x added to what a layer makes of it?": ("norm", "residual", [f"{0.1**12:.0e}", f"{1.1**12:.2f}"]),
    "Why does the learning rate begin small?": ("schedule", "formula", ["0.001 → 1.000 · lr", "1000 → 1.000 · lr"]),
    "What is lost where a sentence goes through one vector?": ("seq2seq", "loss", ["50 %", "95 %"]),
    "Where does a translator look when it writes a word?": ("encoder-decoder", "cross", ["×"]),
    "What does BERT see that GPT does not?": ("bert", "reach", ["0"]),
    "What does training make smaller?": ("gpt", "bits", ["0.693"]),
}  # fmt: skip


def figures_of(found: Lesson, key: str) -> str:
    """Everything that a step says: its text, its worked lines and the cells of its figures."""
    step = next(step for step in found.steps if step.key == f"{found.name}.{key}")
    parts = [step.text, *step.worked]
    for figure in step.figures:
        if isinstance(figure, Table):
            parts += [cell for row in figure.rows for cell in row]
        elif isinstance(figure, Matrix):
            parts += ["−∞" if value is None else f"{value:.{figure.digits}f}" for row in figure.values for value in row]
    return "\n".join(parts)


def test_there_are_ten_questions_and_every_lesson_answers_one(lesson_of: Lessons) -> None:
    from bpe_transformer.inspection.lessons import LESSONS

    assert len(QUESTIONS) >= 10
    assert {name for name, _, _ in QUESTIONS.values()} == set(LESSONS)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_lesson_answers(lesson_of: Lessons, question: str, language: str) -> None:
    name, key, answers = QUESTIONS[question]
    said = figures_of(lesson_of(name, language), key)
    for answer in answers:
        assert answer in said, said


def test_a_list_of_scores_by_hand(lesson_of: Lessons) -> None:
    """The row that several answers are worked out from."""
    dots = next(step for step in lesson_of("attention", "en").steps if step.key == "attention.dot").figures[0]
    assert isinstance(dots, Matrix)
    assert dots.values[0] == pytest.approx(FIRST)
