"""Fixtures for all tests (small tokenizers, learned here and now), and what the options and markers of the tests do."""

from __future__ import annotations

import signal

import hypothesis
import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe

LOW_LOWER = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
TEXTS = [
    "The lower the newest, the widest: it's 1,234 low-lower prices!\n\n  And so on, until the end of the line.\n",
    "다람쥐 헌 쳇바퀴에 타고파. 한국어 문장 세 마리와 다섯 권, 그리고 스무 살.\n",
    "def newest(low, lower):\n    return [low, lower, 'widest']  # 3 of them\n",
] * 4

# a shell starts what runs in its background with Ctrl-C ignored, and children inherit that: tests of Ctrl-C need it back
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--examples",
        type=float,
        default=1,
        metavar="TIMES",
        help="how many times the examples of property tests to run",
    )
    parser.addoption(
        "--acceptance", action="store_true", help="download public vocabularies and compare with their packages"
    )
    parser.addoption("--soak", action="store_true", help="also run the tests that take minutes, marked soak")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    times = config.getoption("--examples")
    if not config.getoption("--soak") and (long := [item for item in items if item.get_closest_marker("soak")]):
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
    for item in items:
        function = getattr(item, "obj", None)
        settings = getattr(function, "_hypothesis_internal_use_settings", None)
        if settings is not None and times != 1:
            scaled = hypothesis.settings(settings, max_examples=max(int(settings.max_examples * times), 5))
            getattr(function, "__func__", function)._hypothesis_internal_use_settings = scaled
    if on_gpu := [item for item in items if item.get_closest_marker("gpu")]:
        import torch

        if not torch.cuda.is_available():
            for item in on_gpu:
                item.add_marker(pytest.mark.skip(reason="no CUDA device here"))


@pytest.fixture(scope="session")
def low_lower() -> Tokenizer:
    """The textbook vocabulary, in character units, with every merge there is."""
    return learn_bpe(PretokenCounts.from_words(LOW_LOWER), 1000, unit="char")


@pytest.fixture(scope="session")
def mixed() -> Tokenizer:
    """A byte vocabulary of English, Korean and code with the usual special tokens."""
    return learn_bpe(PretokenCounts.from_iterator(TEXTS), 500, special_tokens=["<pad>", "<s>", "</s>"])
