"""Translations of untrained models: what counts here is that scores, tokens, rules and long texts are right."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from bpe_transformer import Tokenizer
from bpe_transformer.errors import ConfigError, EncodingError
from bpe_transformer.inference import Translation, TranslationHypothesis, Translator, length_normalizer
from bpe_transformer.inference.long_texts import split_text

Make = Callable[..., Translator]
FAMILIES = ("transformer", "lstm", "bahdanau")


def test_one_text_is_one_text(translator: Make) -> None:
    model = translator()
    (listed,) = model.translate(["four"])
    assert model.translate("four") == listed
    assert isinstance(model.search("four"), Translation)
    assert isinstance(model.score("four", "네"), TranslationHypothesis)
    assert model.translate("") == ""
    assert model.translate(("a", " ", "b"))[1] == ""
    with pytest.raises(EncodingError, match="row 2 is int, not a text"):
        model.translate(["a", 3])  # type: ignore[list-item]


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_sums_of_the_models_log_probabilities(translator: Make, family: str) -> None:
    model = translator(family)
    for found in model.search(["three cats", "one"], beam=4, n_best=3, length_penalty=0.7):
        assert [one.score for one in found.hypotheses] == sorted((o.score for o in found.hypotheses), reverse=True)  # type: ignore[type-var]
        assert 1 <= len(found.hypotheses) <= 3
        src = [*model.tokenizer.encode_ordinary(found.source), model.special.eos]
        assert found.source_ids == len(src)
        for one in found.hypotheses:
            ids = [*map(id_of(model.tokenizer), [token for token, _ in one.tokens])]
            with torch.inference_mode():
                logits = model.model(torch.tensor([src]), torch.tensor([[model.special.bos, *ids[:-1]]]))[0]
            steps = logits.log_softmax(-1)[torch.arange(len(ids)), ids].tolist()
            assert [value for _, value in one.tokens] == pytest.approx(steps, abs=1e-4)
            assert one.log_probability == pytest.approx(sum(steps), abs=1e-3)
            assert one.score == pytest.approx(sum(steps) / length_normalizer(len(ids), 0.7), abs=1e-3)


def id_of(tokenizer: Tokenizer) -> Callable[[bytes], int]:
    ids = {tokenizer.token_bytes(id): id for id in range(tokenizer.vocab_size)}
    return ids.__getitem__


@pytest.mark.parametrize("family", FAMILIES)
def test_a_given_translation_is_scored_as_the_search_scored_it(translator: Make, family: str) -> None:
    model = translator(family)
    texts = ["three cats", "", "a low lower newest widest text"]
    targets = ["세 마리", "x", "읽었다. 고양이"]
    together = model.score(texts, targets, length_penalty=1.0)
    for text, target, found in zip(texts, targets, together, strict=True):
        alone = model.score(text, target, length_penalty=1.0)
        assert found.log_probability == pytest.approx(alone.log_probability, abs=1e-4)
        assert (found.text, found.finish) == (target, "given")
    best = model.search("three cats", beam=3, length_penalty=1.0).hypotheses[0]
    forced = model.search("three cats", beam=1, length_penalty=1.0, prefix="세 마리").hypotheses[0]
    assert forced.text.startswith("세 마리")
    prefix = together[0].tokens[:-1]
    for one, other in zip(prefix, forced.tokens, strict=False):
        assert one.token == other.token
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)
    assert best.finish in ("ended", "limit")
    with pytest.raises(ConfigError, match="2 texts and 1 target cannot be paired"):
        model.score(["a", "b"], ["c"])
    with pytest.raises(ConfigError, match="3 prefixes for 2 texts"):
        model.translate(["a", "b"], prefix=["x", "y", "z"])


def test_a_translation_cut_at_its_limit_says_so(translator: Make) -> None:
    model = translator(max_len_ratio=0.0, max_len_extra=3)
    found = model.search(["three cats"] * 2, beam=1, length_penalty=0.0)
    assert [one.hypotheses[0].finish for one in found] == ["limit"] * 2
    assert all(len(one.hypotheses[0].tokens) == 4 for one in found)  # the end counts
    plain = model.search(["three cats"], beam=1, scores=False)[0].hypotheses[0]
    assert (plain.text, plain.finish, plain.score) == (found[0].text, "limit", None)


def test_no_pair_and_no_word_comes_twice(translator: Make) -> None:
    model = translator()
    plain = model.search("three cats", beam=1).hypotheses[0]
    tokens = [token for token, _ in plain.tokens]
    assert len(tokens) - len(set(tokens)) > 2  # an untrained model repeats itself
    for size in (1, 2):
        tokens = [token for token, _ in model.search("three cats", beam=2, no_repeat_ngram=size).hypotheses[0].tokens]
        grams = [tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1)]
        assert len(grams) == len(set(grams))
    shy = [token for token, _ in model.search("three cats", beam=1, repetition_penalty=50.0).hypotheses[0].tokens]
    assert len(shy) - len(set(shy)) < len(plain.tokens) - len({token for token, _ in plain.tokens})


@pytest.mark.parametrize("family", FAMILIES)
def test_long_texts_are_split_cut_or_refused_and_the_others_go_on(translator: Make, family: str) -> None:
    model = translator(family)
    long = "three cats read a text. Two dogs, one bird! a low lower newest widest text"
    split, cut, refused = (
        model.search(["one", long, "two"], long=how, beam=2) for how in ("split", "truncate", "refuse")
    )
    assert [one.long for one in split] == [None, "split", None]
    assert [one.long for one in cut] == [None, "truncate", None]
    assert (
        [one.text for one in (refused[0], refused[2])]
        == [split[0].text, split[2].text]
        == model.translate(["one", "two"], beam=2)
    )
    assert (refused[1].long, refused[1].text, refused[1].hypotheses) == ("refuse", "", ())
    pieces = split_text(long, lambda text: len(model.tokenizer.encode_ordinary(text)), 23)
    assert len(pieces) > 1
    assert split[1].text.split() == " ".join(model.translate([text for text, _ in pieces], beam=2)).split()
    assert split[1].source_ids == len(model.tokenizer.encode_ordinary(long)) + 1


def test_a_text_is_cut_where_a_person_would_cut_it() -> None:
    text = "One two. Three, four five six! 세 마리. seven"
    for limit in range(1, 40):
        pieces = split_text(text, len, limit)
        assert "".join(piece + space for piece, space in pieces) == text
        assert all(len(piece) <= limit for piece, _ in pieces)
    assert [piece for piece, _ in split_text(text, len, 24)] == ["One two.", "Three, four five six!", "세 마리. seven"]
    assert [piece for piece, _ in split_text("我喜欢猫。我爱狗。", len, 5)] == ["我喜欢猫。", "我爱狗。"]


def test_unknown_characters_are_counted_kept_avoided_or_copied(
    translator: Make, character_vocabulary: Tokenizer
) -> None:
    model = translator(tokenizer=character_vocabulary)
    source = "three 猫 cats 犬"
    kept = model.search(source, beam=1, prefix="한 글")  # of which the vocabulary has the space alone
    assert kept.unknown == 2
    best = kept.hypotheses[0]
    assert best.text.startswith("<unk> <unk>")
    assert best.text.count("<unk>") == best.unknown >= 2
    assert best.unknown > model.search(source, beam=3, unknowns="avoid").hypotheses[0].unknown == 0
    copied = model.search(source, beam=1, prefix="한 글", unknowns="copy").hypotheses[0]
    ids, weights = (
        [id_of(model.tokenizer)(token) for token, _ in best.tokens[:-1]],
        model.attention(source, "한 글").cross,
    )
    assert weights is not None
    _, offsets = model.tokenizer.encode_offsets(source, unit="char")
    first = weights[-1].mean(axis=0)[0][: len(offsets)].argmax()
    assert copied.text.startswith(source[slice(*offsets[first])].strip())
    assert ids.count(character_vocabulary.special_tokens["<unk>"]) == best.unknown
    assert copied.unknown == best.unknown
    assert "<unk>" not in copied.text
    assert model.search("three cats", beam=1).unknown == 0
    plain = translator("lstm", tokenizer=character_vocabulary)
    with pytest.raises(ConfigError, match="family='lstm' has none; choose 'keep' or 'avoid'"):
        plain.translate("three", unknowns="copy")


@pytest.mark.parametrize(
    "options",
    [
        {"length_penalty": 1000},
        {"length_penalty": math.nan},
        {"length_penalty": -1},
        {"repetition_penalty": math.inf},
        {"repetition_penalty": 0},
        {"beam": 0},
        {"beam": 2.5},
        {"n_best": 3, "beam": 2},
        {"no_repeat_ngram": -1},
        {"long": "drop"},
        {"unknowns": "guess"},
        {"batch_tokens": 0},
        {"width": 5},
    ],
)
def test_options_out_of_range_are_refused(translator: Make, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        translator().translate("four", **options)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_translation_does_not_depend_on_the_others(translator: Make, family: str) -> None:
    model = translator(family)
    texts = ["three cats", "one", "a low lower newest", "dogs", "two two two two"]
    for beam in (1, 3):
        together = model.translate(texts, beam=beam)
        assert together == [model.translate(text, beam=beam) for text in texts]
        assert together == model.translate(texts, beam=beam, batch_tokens=1)
        assert together == [one.text for one in model.search(texts, beam=beam)]
