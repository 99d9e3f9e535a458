"""Watching a vocabulary while it is learned: what is shown agrees with what is learned, and learning with what it was."""

from __future__ import annotations

import json

import pytest

from bpe_transformer import PretokenCounts, learn_bpe, learn_superwords
from bpe_transformer.errors import EncodingError
from bpe_transformer.inspection.history import live_learning
from bpe_transformer.inspection.history.live_learning import LiveFrame, LiveLearning

WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
TEXTS = ["세 마리 고양이가 다섯 권의 책을 읽었다. three cats read aaaa aaaaab books", "by the way, on the way"] * 5


@pytest.fixture
def every_frame(monkeypatch: pytest.MonkeyPatch) -> list[LiveFrame]:
    """A frame after every step of the learner."""
    monkeypatch.setattr(live_learning, "PERIOD", 0.0)
    return []


def test_frames_are_smaller_vocabularies(every_frame: list[LiveFrame]) -> None:
    counts = PretokenCounts.from_iterator(TEXTS)
    words = ["고양이가 읽었다", "aaaaaaab", "the way"]
    view = LiveLearning(words, every_frame.append)
    tokenizer = learn_bpe(counts, 420, special_tokens=["<s>"], watch=view)
    assert tokenizer.digest == learn_bpe(counts, 420, special_tokens=["<s>"]).digest
    assert [frame.merges for frame in every_frame] == [64, len(tokenizer.merges)]
    for frame in every_frame:
        smaller = tokenizer.truncate(257 + frame.merges)
        assert [list(word.ids) for word in frame.words] == [smaller.encode(word) for word in words]
        assert tokenizer.trace is not None
        assert [row.count for row in frame.rows] == [s.count for s in tokenizer.trace[frame.merges - 12 : frame.merges]]
        assert [row.new_token for row in frame.rows] == list(smaller.model.tokens[-12:])


def test_superwords_and_a_base(every_frame: list[LiveFrame]) -> None:
    narrow, wide = (PretokenCounts.from_iterator(TEXTS, pattern) for pattern in ("cl100k", "superword"))
    view = LiveLearning(["by the way"], every_frame.append)
    tokenizer = learn_superwords(narrow, wide, 300, transition=20, watch=view)
    assert [list(word.ids) for word in view.frame().words] == [tokenizer.encode("by the way")]
    assert (view.frame().merges, view.frame().wanted) == (44, 44)
    counts = PretokenCounts.from_iterator(TEXTS)
    base = learn_bpe(counts, 280)
    more = LiveLearning(["고양이가"], every_frame.append)
    longer = learn_bpe(counts, 320, base=base, watch=more)
    assert list(more.frame().words[0].ids) == longer.encode("고양이가")
    assert (more.frame().merges, more.frame().rows[-1].rank) == (64, 63)


def test_a_pace_shows_every_merge(every_frame: list[LiveFrame]) -> None:
    view = LiveLearning(["lowest"], every_frame.append, pace=1e-6)
    learn_bpe(PretokenCounts.from_words(WORDS), 14, unit="char", watch=view)
    assert [[token.decode() for token in frame.words[0].tokens] for frame in every_frame] == [
        ["l", "o", "w", "es", "t"],
        ["l", "o", "w", "est"],
        ["lo", "w", "est"],
        ["low", "est"],
    ]
    facts = json.loads(json.dumps(every_frame[1].as_dict()))
    assert (facts["merges"], facts["wanted"], facts["rows"][1]["compression"]) == (2, 4, 79 / 61)


def test_words_outside_the_alphabet(every_frame: list[LiveFrame]) -> None:
    with pytest.raises(EncodingError, match="character 'z'"):
        learn_bpe(PretokenCounts.from_words(WORDS), 14, unit="char", watch=LiveLearning(["zoo"], every_frame.append))
