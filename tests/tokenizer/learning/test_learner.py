"""Learning: the textbook example by hand, the layout of ids, and options that do not fit."""

from __future__ import annotations

import pytest

from bpe_transformer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.errors import CorpusError, EncodingError, LearningError
from bpe_transformer.tokenizer.splitting.byte_level import gpt2_byte_order

WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}


def test_textbook_by_hand(low_lower: Tokenizer) -> None:
    # d e i l n o r s t w in code-point order are ids 0 to 9; "es" and "st" both occur 6 + 3 = 9 times, and (1, 7) < (7, 8)
    assert [low_lower.token_bytes(id).decode() for id in range(10)] == list("deilnorstw")
    assert low_lower.first_merge_id == 10
    first, second, third = low_lower.trace[:3]
    assert (first.left, first.right, first.count, first.runner_up, first.runner_up_count, first.tied) == (
        1,
        7,
        9,
        (7, 8),
        9,
        True,
    )
    assert (first.words_touched, first.tokens_left) == (2, 15 + 10 + 36 + 18 - 9)
    assert (second.left, second.right, second.count, second.tied) == (10, 8, 9, False)
    assert (second.runner_up, second.runner_up_count) == ((3, 5), 7)  # "lo" and "ow", in low 5 and lower 2
    assert (third.left, third.right, third.count) == (3, 5, 7)
    assert [low_lower.token_bytes(step.new_id) for step in low_lower.trace[:4]] == [b"es", b"est", b"lo", b"low"]


def test_a_word_that_never_occurred_encodes_without_unk() -> None:
    tok = learn_bpe(PretokenCounts.from_words(WORDS), 15, unit="char", unk_token="<unk>")
    assert [tok.token_bytes(id) for id in tok.encode("lowest")] == [b"low", b"est"]
    assert tok.decode(tok.encode("lowest")) == "lowest"


def test_layout_of_ids() -> None:
    tok = learn_bpe(PretokenCounts.from_words(WORDS), 262, special_tokens=["<pad>", "<s>"])
    assert [tok.token_bytes(id) for id in range(256)] == [bytes([byte]) for byte in range(256)]
    assert tok.special_tokens == {"<pad>": 256, "<s>": 257}
    assert tok.first_merge_id == 258
    assert tok.vocab_size == 262
    assert [step.new_id for step in tok.trace] == [258, 259, 260, 261]


def test_gpt2_order_of_bytes() -> None:
    order = gpt2_byte_order()
    assert order[:3] == [0x21, 0x22, 0x23]
    assert order[94:96] == [0xA1, 0xA2]
    assert order[188:191] == [0, 1, 2]
    assert order[-2:] == [0xA0, 0xAD]
    assert sorted(order) == list(range(256))


def test_end_of_word_is_part_of_the_last_character() -> None:
    tok = learn_bpe(
        PretokenCounts.from_iterator(["low lower", "low"], "whitespace"), 100, unit="char", end_of_word="</w>"
    )
    assert {tok.token_bytes(id) for id in range(tok.first_merge_id)} == {b"l", b"o", b"w", b"e", b"w</w>", b"r</w>"}
    assert tok.trace[0].count == 3  # "lo": white space before a word makes no other word of it
    assert tok.decode(tok.encode("  lower\n low ")) == "lower low"
    with pytest.raises(EncodingError, match=r"'l' \(U\+006C\) at byte 5"):
        tok.encode("low  l")


def test_fewer_merges_than_asked_for_when_pairs_run_out() -> None:
    tok = learn_bpe(PretokenCounts.from_words({"ab": 1}), 1000)
    assert tok.vocab_size == 257
    assert tok.trace[0].runner_up is None
    assert not tok.trace[0].tied


def test_min_frequency() -> None:
    tok = learn_bpe(PretokenCounts.from_words(WORDS), 1000, min_frequency=9)
    assert [step.count for step in tok.trace] == [9, 9]


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    learn_bpe(PretokenCounts.from_words(WORDS), 260, progress=lambda *n: told.append(n))
    assert told == [(4, 4)]


def test_threads_and_order_do_not_show(tmp_path: object) -> None:
    texts = ["the lower the newer", "widest 한국어 문장", "newest of the low"] * 50
    digests = {
        learn_bpe(PretokenCounts.from_iterator(order, num_threads=threads), 400).digest
        for threads in (1, 2, 7)
        for order in (texts, texts[::-1], sorted(texts))
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab_size": 100, "special_tokens": ["<pad>", "<s>", "</s>"]}, r"vocab_size=100 is smaller .*256 bytes \+ 3 special tokens\); ask for at least 259"),
        ({"vocab_size": 9, "unit": "char"}, r"10 characters \+ 0 special tokens\); ask for at least 10"),
        ({"vocab_size": 300, "unit": "word"}, 'choose "byte" or "char"'),
        ({"vocab_size": 300, "end_of_word": "</w>"}, 'goes with unit="char"'),
        ({"vocab_size": 300, "unk_token": "<unk>"}, 'goes with unit="char"'),
        ({"vocab_size": 300, "unit": "char", "alphabet_order": "gpt2"}, 'goes with unit="byte"'),
        ({"vocab_size": 300, "alphabet_order": "latin"}, 'choose "byte" or "gpt2"'),
        ({"vocab_size": 300, "special_tokens": ["<s>", "<s>"]}, "given twice"),
        ({"vocab_size": 300, "special_tokens": "<s>"}, "put it into a list"),
        ({"vocab_size": 300, "min_frequency": 0}, "at least 1"),
        ({"vocab_size": 2**32}, "does not fit 32-bit ids"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(options: dict[str, object], message: str) -> None:
    with pytest.raises(LearningError, match=message):
        learn_bpe(PretokenCounts.from_words(WORDS), **options)  # type: ignore[arg-type]


def test_empty_counts() -> None:
    with pytest.raises(CorpusError, match="the corpus is empty"):
        learn_bpe(PretokenCounts.from_iterator([]), 300)
    with pytest.raises(CorpusError, match="white space only"):
        learn_bpe(PretokenCounts.from_iterator([" \n "]), 300, unit="char", end_of_word="</w>")


def test_more_symbols_than_64_bits() -> None:
    with pytest.raises(LearningError, match=r"more than 2\^64"):
        learn_bpe(PretokenCounts.from_words({"low": 2**63, "new": 2**63}), 300)
