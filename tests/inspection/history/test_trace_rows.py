"""The replay, worked by hand on `low-lower`, and in agreement with what the learner wrote down."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import EncodingError, LearningError
from bpe_transformer.inspection import base_alphabet, derive_word, encode_word, replay_trace, trace_table
from bpe_transformer.inspection.derivation.textbook_replay import TraceStep


def spelled(pair: tuple[bytes, bytes]) -> str:
    return " ".join(token.decode() for token in pair)


def after(step: TraceStep) -> list[str]:
    return [b" ".join(word.tokens).decode() for word in step.after]


def test_alphabet_is_the_ten_letters(low_lower: Tokenizer) -> None:
    alphabet = base_alphabet(low_lower)
    assert [token.decode() for token in alphabet.tokens] == list("deilnorstw")
    assert alphabet.special_tokens == ("<unk>",)


# low ×5, lower ×2, newest ×6, widest ×3, each pair counted by hand
FIRST_PAIRS = [
    ("e s", 9),  # newest 6 + widest 3; ids (1, 7) come before (7, 8)
    ("s t", 9),
    ("w e", 8),  # lower 2 + newest 6
    ("l o", 7),  # low 5 + lower 2; (3, 5) before (5, 9)
    ("o w", 7),
    ("e w", 6),  # (1, 9) before (4, 1)
    ("n e", 6),
    ("d e", 3),  # (0, 1), (2, 0), (9, 2)
    ("i d", 3),
    ("w i", 3),
    ("e r", 2),
]


def test_first_merge_counts_every_pair(low_lower: Tokenizer, words: dict[str, int]) -> None:
    step = next(replay_trace(words, low_lower))
    assert [(spelled(pair.tokens), pair.count) for pair in step.pairs] == FIRST_PAIRS
    assert (spelled(step.winner.tokens), step.winner.count, step.tied) == ("e s", 9, True)
    assert step.runner_up is not None
    assert (spelled(step.runner_up.tokens), step.runner_up.count) == ("s t", 9)
    assert (step.new_id, step.new_token, step.vocab_size) == (11, b"es", 12)
    assert (step.words_touched, step.tokens_left) == (2, 5 * 3 + 2 * 5 + 6 * 5 + 3 * 5)
    assert after(step) == ["l o w", "l o w e r", "n e w es t", "w i d es t"]


# merge, count, runner-up, its count, words changed, tokens left (79 letters before the first)
STEPS = [
    ("e s", 9, "s t", 9, 2, 70),
    ("es t", 9, "l o", 7, 2, 61),
    ("l o", 7, "o w", 7, 2, 54),
    ("lo w", 7, "e w", 6, 2, 47),
    ("e w", 6, "n e", 6, 1, 41),
    ("n ew", 6, "ew est", 6, 1, 35),
    ("new est", 6, "d est", 3, 1, 29),
    ("d est", 3, "i d", 3, 1, 26),
    ("i dest", 3, "w i", 3, 1, 23),
    ("w idest", 3, "e r", 2, 1, 20),
    ("e r", 2, "low e", 2, 1, 18),
    ("low er", 2, None, None, 1, 16),
]


def test_every_step_to_the_last_pair(low_lower: Tokenizer, words: dict[str, int]) -> None:
    found = [
        (
            spelled(step.winner.tokens),
            step.winner.count,
            spelled(step.runner_up.tokens) if step.runner_up else None,
            step.runner_up.count if step.runner_up else None,
            step.words_touched,
            step.tokens_left,
        )
        for step in replay_trace(words, low_lower)
    ]
    assert found == STEPS


def agrees(tokenizer: Tokenizer, counts: PretokenCounts) -> None:
    assert tokenizer.trace is not None
    steps = list(replay_trace(dict(counts.items()), tokenizer))
    assert len(steps) == len(tokenizer.trace)
    for step, noted in zip(steps, tokenizer.trace, strict=True):
        assert (step.rank, step.winner.pair, step.winner.count) == (noted.rank, (noted.left, noted.right), noted.count)
        assert (step.runner_up.pair if step.runner_up else None) == noted.runner_up
        assert (step.runner_up.count if step.runner_up else 0) == noted.runner_up_count
        assert (step.tied, step.words_touched, step.tokens_left) == (noted.tied, noted.words_touched, noted.tokens_left)
        assert (step.new_id, step.pairs[0].pair) == (noted.new_id, step.winner.pair)


@given(
    counts=st.dictionaries(st.text("abc한", min_size=1, max_size=8), st.integers(1, 20), min_size=1, max_size=8),
    unit=st.sampled_from(["byte", "char"]),
    end_of_word=st.sampled_from([None, "</w>"]),
    special=st.sampled_from([[], ["ab"], ["aa", "<unk>"]]),
)
@settings(deadline=None, max_examples=60)
def test_agrees_with_the_trace(counts: dict[str, int], unit: str, end_of_word: str | None, special: list[str]) -> None:
    words = PretokenCounts.from_words(counts)
    mark = end_of_word if unit == "char" else None
    tokenizer = learn_bpe(words, vocab_size=280, special_tokens=special, unit=unit, end_of_word=mark)  # type: ignore[arg-type]
    agrees(tokenizer, words)


def test_agrees_after_saving(tmp_path: object, low_lower: Tokenizer, words: dict[str, int]) -> None:
    low_lower.save(f"{tmp_path}/tok")
    again = Tokenizer.load(f"{tmp_path}/tok")
    agrees(again, PretokenCounts.from_words(words))


def test_other_words_skip_merges_they_do_not_hold(low_lower: Tokenizer) -> None:
    steps = list(replay_trace({"lowest": 1}, low_lower))
    assert [step.rank for step in steps] == [0, 1, 2, 3]
    assert after(steps[-1]) == ["low est"]


def test_derivation_of_a_word_that_never_occurred(low_lower: Tokenizer) -> None:
    derivation = derive_word("lowest", low_lower)
    assert derivation.ranks == (0, 1, 2, 3)
    stages = [b" ".join(stage.tokens).decode() for stage in derivation.stages]
    assert stages == ["l o w e s t", "l o w es t", "l o w est", "lo w est", "low est"]
    assert list(derivation.stages[-1].ids) == low_lower.encode("lowest") == [14, 12]


@given(st.text("deilnorstw", min_size=1, max_size=12))
@settings(deadline=None)
def test_derivation_ends_where_the_encoder_does(word: str) -> None:
    counts = PretokenCounts.from_words({"low": 5, "lower": 2, "newest": 6, "widest": 3})
    tokenizer = learn_bpe(counts, vocab_size=22, unit="char")
    assert list(derive_word(word, tokenizer).stages[-1].ids) == tokenizer.encode(word)


def test_derivation_with_end_of_word(marked: Tokenizer) -> None:
    assert list(derive_word("lowest", marked).stages[-1].ids) == marked.encode("lowest")


def test_word_outside_the_alphabet(low_lower: Tokenizer) -> None:
    with pytest.raises(EncodingError, match=r"'z' in the word 'zoo'.*choose words"):
        derive_word("zoo", low_lower)
    word = encode_word("zoo", low_lower, occurs=False)
    assert (word.derivation, word.text.num_unknown) == (None, 1)


def test_table_shows_a_window(low_lower: Tokenizer) -> None:
    table = trace_table(low_lower, 2, 4)
    assert [(row.rank, spelled(row.tokens), row.count, row.tied) for row in table.rows] == [
        (2, "l o", 7, True),
        (3, "lo w", 7, False),
    ]
    assert (table.total, table.has_trace) == (12, True)
    assert [row.rank for row in trace_table(low_lower, -2, None).rows] == [10, 11]
    assert trace_table(low_lower, 11, None).rows[0].runner_up is None


def test_table_without_a_trace(low_lower: Tokenizer) -> None:
    table = trace_table(Tokenizer(low_lower.model), 0, 2)
    assert not table.has_trace
    assert [(spelled(row.tokens), row.new_token, row.count) for row in table.rows] == [
        ("e s", b"es", None),
        ("es t", b"est", None),
    ]


def test_table_out_of_range(low_lower: Tokenizer) -> None:
    with pytest.raises(
        LearningError, match=r"no merge in the range 50:60; this tokenizer has 12 merges, ranks 0 to 11"
    ):
        trace_table(low_lower, 50, 60)


def test_json_holds_the_same_facts(low_lower: Tokenizer, words: dict[str, int]) -> None:
    step = json.loads(json.dumps(next(replay_trace(words, low_lower)).as_dict()))
    assert step["winner"]["tokens"] == [{"text": "e", "hex": "65"}, {"text": "s", "hex": "73"}]
    assert (step["tied"], step["tokens_left"], len(step["pairs"])) == (True, 70, 11)
    row = json.loads(json.dumps(trace_table(low_lower, 0, 1).as_dict()))["rows"][0]
    assert (row["count"], row["runner_up_count"], row["new_token"]["text"]) == (9, 9, "es")
