"""The schemas of `--json`: the views of texts and vocabularies keep to them, and they are strict."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import jsonschema
import numpy as np
import pytest

from bpe_transformer import Tokenizer
from bpe_transformer.inspection import AttentionMap, VocabBrowser, compare, summarize, tokenize_text
from bpe_transformer.inspection.comparison.vocab_size_sweep import SweepCorpus, sweep_vocab_sizes
from bpe_transformer.inspection.curves.run_curves import RunCurve, RunCurves
from bpe_transformer.inspection.tokens.chunked_text import ChunkedText
from bpe_transformer.inspection.vocabulary.trained_tokens import TrainedToken, TrainedTokens
from bpe_transformer.studies.side_by_side import SideBySide, Trial
from bpe_transformer.tokenizer import PretokenCounts

NAMES = ("tokens", "compare", "vocab", "sizes", "attention", "curve", "vocab_run", "ab")


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (files("bpe_transformer.inspection") / f"schemas/{name}.json").read_text("utf-8")
    )
    return found


@pytest.fixture(scope="module")
def facts(numbers: Tokenizer, low_lower: Tokenizer, pairs: list[tuple[str, str]]) -> dict[str, list[Any]]:
    """By schema, what the views say with and without a trace, a corpus, unknown characters and partial bytes."""
    en, ko = (
        ChunkedText(name, "\n".join(side[:100]))
        for name, side in zip(("en", "ko"), zip(*pairs, strict=True), strict=True)
    )
    untraced = Tokenizer(numbers.model)
    small = numbers.truncate(300)
    words = PretokenCounts.from_words({"low": 5, "lowest": 2})
    views: dict[str, list[Any]] = {
        "tokens": [
            tokenize_text(numbers, "세 마리 😀<s>", allowed_special={"<s>"}).as_dict(),
            tokenize_text(low_lower, "low 한").as_dict(),
            tokenize_text(untraced, "").as_dict(),
            summarize(numbers, ko, limit=3).as_dict(),
            summarize(low_lower, "low lowest").as_dict(),
            [summarize(numbers, side, limit=1).as_dict() for side in (en, ko)],
        ],
        "compare": [
            compare({"a": numbers, "b": small}, [], parallel=[(("en", en), ("ko", ko))]).as_dict(),
            compare({"a": low_lower}, [("x", ChunkedText("x", "low lowest"))]).as_dict(),
        ],
        "vocab": [
            VocabBrowser(numbers, [ko]).view(sort="swallowed", limit=None).as_dict(),
            VocabBrowser(untraced).view().as_dict(),
            VocabBrowser(low_lower, [ChunkedText("x", "low")]).view(limit=None).as_dict(),
        ],
        "sizes": [
            sweep_vocab_sizes(numbers).as_dict(),
            sweep_vocab_sizes(low_lower, [SweepCorpus.of_counts(words, name=name) for name in ("a", "b")]).as_dict(),
        ],
        "attention": [[AttentionMap(["세", b"\xeb"], ["three"], np.array([[0.25, 0.75]]), title="layer 1").as_dict()]],
    }
    views |= _views_of_training()
    loaded: dict[str, list[Any]] = json.loads(json.dumps(views))
    return loaded


def _views_of_training() -> dict[str, list[Any]]:
    """Of runs and of models, by hand."""
    points = ((1.0, 5.5), (2.0, 4.25))
    logged = RunCurve("a", 2, 3.5, points, points[1:], points[1], 1.5, 99.5, 0.01, 1 << 20)
    bare = RunCurve("b", 1, None, points[:1], (), None, None, None, None, None)
    trained = TrainedToken(3, b"low", 9, 1.5, 0.75, "trained", 4, 2.5, 1.25, -3.0)
    unseen = TrainedToken(4, b"\xeb", 0, 0.5, None, "never seen", 0, None, None, None)
    states = {"trained": 1, "under-trained": 0, "never seen": 1}
    tokens = [
        TrainedTokens("runs/a", "0" * 64, 5, states, rate, 1, 16, "pays", (trained, unseen)) for rate in (2.25, None)
    ]
    trials = [
        Trial(name, "f" * 64, 300, 2.5, 10_000, 50, 0.75, bits, 1.5, True)
        for name, bits in (("a", (2.5, 2.75)), ("b", (3.0,)))
    ]
    return {
        "curve": [RunCurves("loss", "minutes", (logged, bare)).as_dict()],
        "vocab_run": [found.as_dict() for found in tokens],
        "ab": [SideBySide(tuple(trials), 1e12, 512, 10**6, 10**5, (1, 2)).as_dict()],
    }


@pytest.mark.parametrize("name", NAMES)
def test_views_keep_to_their_schema(name: str, facts: dict[str, list[Any]]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    for document in facts[name]:
        jsonschema.validate(document, schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_strict(name: str, facts: dict[str, list[Any]]) -> None:
    """Whatever key is taken away anywhere, or a strange one added, the document is no longer valid."""
    validator = jsonschema.Draft202012Validator(schema(name))
    for document in facts[name]:
        for changed in _changed(document):
            assert not validator.is_valid(changed), changed


def _changed(document: Any) -> Iterator[Any]:
    for path in list(_objects(document))[:25]:
        if path and path[-1] in ("by_kind", "by_script", "unreachable"):  # counts by name
            continue
        for key in [*_at(document, path), None]:
            changed = copy.deepcopy(document)
            if key is None:
                _at(changed, path)["strange"] = 1
            else:
                del _at(changed, path)[key]
            yield changed


def _objects(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(document, dict):
        yield path
        for key, value in document.items():
            yield from _objects(value, (*path, key))
    elif isinstance(document, list):
        for place, value in enumerate(document[:2]):
            yield from _objects(value, (*path, place))


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def test_notebooks_and_rich_draw_every_view(numbers: Tokenizer, capsys: pytest.CaptureFixture[str]) -> None:
    import rich

    vocabulary = VocabBrowser(numbers, [ChunkedText("x", "세 마리 three")])
    comparison = compare({"a": numbers, "b": numbers.truncate(300)}, [("x", ChunkedText("x", "세 마리 three"))])
    summary = summarize(numbers, "세 마리 three")
    views = [summary, summary.top[0], summary.by_script[0], comparison, comparison.scores[0], comparison.overlaps[0]]
    views += [comparison.tokenizers[0], comparison.words[0], comparison.words[0].segments[0]]
    view = vocabulary.view(used=(1, None))
    views += [view, view.entries[0], vocabulary.pruning()]  # type: ignore[list-item]
    for one in views:
        bundle = one._repr_mimebundle_()
        assert "<pre" in bundle["text/html"]
        assert bundle["text/plain"].strip()
        rich.print(one)
        assert capsys.readouterr().out.strip()


def test_every_public_name_is_found() -> None:
    import bpe_transformer.inspection as room

    assert set(room.__all__) == {*room._FOLDER_OF, "View", "visible"} == set(dir(room))
    for name in room.__all__:
        assert getattr(room, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        _ = room.nothing
