"""Every example in a docstring is run, and prints what it says."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe

ROOT = Path(__file__).parents[2]

# Examples marked `+SKIP`, by the object whose docstring they stand in: what they read cannot be in a test.
MAY_BE_SKIPPED: dict[str, str] = {}


def modules_with_examples() -> list[str]:
    found = []
    for folder, package in (
        ("bpe_transformer", "bpe_transformer"),
        ("cli", "bpe_transformer.cli"),
        ("corpora", "bpe_transformer.corpora"),
    ):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8") and "_native" not in path.parts:
                parts = path.relative_to(ROOT / folder).with_suffix("").parts
                found.append(".".join([package, *parts]).removesuffix(".__init__"))
    return found


def names_at_hand() -> dict[str, object]:
    """What an example may use beside its own module's names, and `tok`: the textbook words with a space before each."""
    counts = PretokenCounts.from_words({" low": 5, " lower": 2, " newest": 6, " widest": 3})
    tok = learn_bpe(counts, vocab_size=270)
    return {"PretokenCounts": PretokenCounts, "Tokenizer": Tokenizer, "learn_bpe": learn_bpe, "tok": tok}


@pytest.mark.parametrize("module", modules_with_examples())
def test_the_examples_are_true(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = importlib.import_module(module)
    globs = names_at_hand() | vars(loaded)  # the examples share no names but these
    tests = [test for test in doctest.DocTestFinder().find(loaded, globs=globs) if test.examples]
    assert tests, f"{module} has lines with >>> that no docstring holds"
    for test in tests:
        if any(example.options.get(doctest.SKIP) for example in test.examples):
            assert test.name in MAY_BE_SKIPPED, f"{test.name} has examples that are not run"
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        said: list[str] = []
        assert runner.run(test, out=said.append).failed == 0, "".join(said)
