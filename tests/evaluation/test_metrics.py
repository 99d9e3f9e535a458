from __future__ import annotations

import math
import sys

import pytest

from bpe_transformer.errors import ConfigError, CorpusError
from bpe_transformer.evaluation import (
    bits_per_byte,
    bleu,
    bleu_tokenizer,
    chrf,
    exact_match,
    language_of,
    perplexity,
)


def test_bleu_by_hand_with_its_signature() -> None:
    # 13a splits the final dot: 4 of 5 words, 3 of 4 pairs, 2 of 3 triples, 1 of 2 quadruples match, no brevity penalty
    scored = bleu(["the cat sat down ."], ["the cat sat down !"])
    assert scored.score == pytest.approx(100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)
    assert "tok:13a" in scored.signature
    assert "case:mixed" in scored.signature
    assert bleu(["The cat sat down ."], ["the cat sat down ."]).score < 100  # cased


def test_exact_match_names_the_misses() -> None:
    matched = exact_match(["a", "b", "c"], ["a", "x", "c"])
    assert (matched.matches, matched.total, matched.misses) == (2, 3, (1,))
    assert matched.share == pytest.approx(2 / 3)


def test_source_and_target_of_different_length_are_refused() -> None:
    for score in (bleu, exact_match):
        with pytest.raises(CorpusError, match="2 hypotheses and 1 references"):
            score(["a", "b"], ["a"])
        with pytest.raises(CorpusError, match="at least one"):
            score([], [])


def test_bits_per_byte_and_perplexity() -> None:
    assert bits_per_byte(8 * math.log(2), 4) == pytest.approx(2.0)
    assert perplexity(3 * math.log(7), 3) == pytest.approx(7.0)


def test_one_pair_may_be_two_texts() -> None:
    assert bleu("the cat sat down .", "the cat sat down .").score == 100
    assert bleu("the cat sat down .", ["a dog", "the cat sat down ."]).score == 100
    assert exact_match("four", "four").share == 1.0
    assert exact_match("four", "five").misses == (0,)
    for score in (bleu, exact_match):
        with pytest.raises(CorpusError):
            score(["four"], "four")


def test_the_tokenizer_is_that_of_the_language() -> None:
    assert bleu(["我喜欢红色的猫"], ["我喜欢红色的狗"]).score == 0.0
    scored = bleu(["我喜欢红色的猫"], ["我喜欢红色的狗"], tokenize=bleu_tokenizer("zh"))
    assert scored.score == pytest.approx(100 * (6 / 7 * 5 / 6 * 4 / 5 * 3 / 4) ** 0.25)
    assert "tok:zh" in scored.signature
    names = {"zh": "zh", "zh-CN": "zh", "Chinese": "zh", "ja": "ja", "jpn_Jpan": "ja"}
    assert [language_of(name, []) for name in names] == list(names.values())
    assert language_of("target", ["我喜欢猫", "狗"]) == "zh"
    assert language_of("target", ["私は猫が好きです"]) == "ja"
    assert [language_of("target", [text]) for text in ("고양이 세 마리", "Ein Hund 猫", "")] == ["", "", ""]
    with pytest.raises(ConfigError, match="tokenize='words' is unknown; choose one of"):
        bleu(["a"], ["a"], tokenize="words")


def test_several_references_and_chrf() -> None:
    scored = bleu(["the cat sat down .", "a"], [["no", "the cat sat down ."], ["a", "b"]])
    assert scored.score == 100
    assert "nrefs:2" in scored.signature
    with pytest.raises(CorpusError, match="rows have 1 or 2 references"):
        bleu(["a", "b"], [["a"], ["b", "c"]])
    assert chrf("고양이", "고양이").score == 100
    assert 0 < chrf(["고양이 세 마리"], [["고양이 네 마리", "x"]]).score < 100
    assert "chrF2" in repr(chrf("a", "a")) or "nc:6" in chrf("a", "a").signature


def test_japanese_is_scored_by_its_words() -> None:
    """2.6.0 of sacreBLEU counts nine of them here, of which eight are right."""
    pytest.importorskip("MeCab", reason="in the extra japanese")
    scored = bleu("私は東京に住んでいます。", "私は京都に住んでいます。", tokenize=bleu_tokenizer("ja"))
    assert scored.score == pytest.approx(100 * (8 / 9 * 6 / 8 * 4 / 7 * 3 / 6) ** 0.25)
    assert "tok:ja-mecab" in scored.signature


@pytest.mark.parametrize(("tokenize", "extra"), [("ja-mecab", "japanese"), ("ko-mecab", "korean")])
def test_a_tokenizer_whose_package_is_missing_names_the_extra(
    tokenize: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("MeCab", "mecab_ko"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"sacrebleu.tokenizers.tokenizer_{tokenize.replace('-', '_')}", raising=False)
    with pytest.raises(ConfigError, match=rf"run pip install 'bpe-transformer\[{extra}\]'"):
        bleu("a", "b", tokenize=tokenize)
