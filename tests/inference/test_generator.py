"""Continuations of an untrained language model: settings, stop strings, streams and prompts."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from bpe_transformer.errors import ConfigError
from bpe_transformer.inference import TextGenerator, filter_logits
from bpe_transformer.inference.generation import TextWatcher, stop_strings

PROMPTS = ["three", "a low lower", "", "one two"]


def test_one_prompt_or_many_one_sample_or_many(generator: TextGenerator) -> None:
    options: dict[str, Any] = {"max_new": 6, "seed": 3}
    one = generator.generate("three", **options)
    assert isinstance(one, str)
    several = generator.generate("three", num_samples=3, **options)
    assert several[0] == one
    assert len(set(several)) > 1
    listed = generator.generate(PROMPTS, **options)
    assert [type(text) for text in listed] == [str] * 4
    assert [len(samples) for samples in generator.generate(PROMPTS, num_samples=2, **options)] == [2] * 4


@pytest.mark.parametrize("temperature", [0, 0.9])
def test_a_text_does_not_depend_on_those_beside_it(generator: TextGenerator, temperature: float) -> None:
    options: dict[str, Any] = {"max_new": 8, "temperature": temperature, "seed": 5}
    together = generator.generate(PROMPTS, **options)
    for place, prompt in enumerate(PROMPTS):
        ((alone,),) = generator.continuations([prompt], first_stream=place, **options)
        assert alone.text == together[place]
    assert together == generator.generate(PROMPTS, **options)


def test_the_coldest_temperature_is_greedy(generator: TextGenerator) -> None:
    greedy = generator.generate(PROMPTS, temperature=0, max_new=8)
    assert generator.generate(PROMPTS, temperature=1e-40, max_new=8, seed=9) == greedy
    logits = torch.tensor([[1.0, 3.0, 2.0]])
    cold = filter_logits(logits, temperature=1e-40, top_k=0, top_p=1.0).softmax(-1)
    torch.testing.assert_close(cold, torch.tensor([[0.0, 1.0, 0.0]]))


def test_min_p_keeps_a_share_of_the_highest() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()

    def kept(min_p: float) -> list[int]:
        found = filter_logits(logits, temperature=1.0, top_k=0, top_p=1.0, min_p=min_p)
        return torch.nonzero(found[0].isfinite())[:, 0].tolist()

    assert [kept(value) for value in (0.0, 0.2, 0.5, 1.0)] == [[0, 1, 2, 3], [0, 1, 2], [0, 1], [0]]


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"temperature": -1},
        {"top_p": 0},
        {"top_p": math.nan},
        {"min_p": 1.5},
        {"min_p": -0.1},
        {"top_k": -1},
        {"num_samples": -1},
        {"max_new": 0},
        {"long": "drop"},
        {"stop": ["a", ""]},
        {"colour": "red"},
    ],
)
def test_options_out_of_range_are_refused(generator: TextGenerator, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        generator.continuations(["three"], **options)


def test_a_text_ends_before_a_stop_string(generator: TextGenerator) -> None:
    options: dict[str, Any] = {"max_new": 16, "temperature": 0.9, "seed": 2}
    ((whole,),) = generator.continuations(["three"], **options)
    assert len(whole.text) > 4
    stop = whole.text[3:5]
    ((cut,),) = generator.continuations(["three"], stop=["not there", stop], **options)
    assert (cut.text, cut.finish) == (whole.text[: whole.text.find(stop)], "stopped")
    assert cut.num_ids < whole.num_ids
    ((other,),) = generator.continuations(["three"], stop="not there", **options)
    assert (other.text, other.finish) == (whole.text, whole.finish)


def test_a_stream_never_ends_inside_a_character_or_a_stop_string(generator: TextGenerator) -> None:
    pieces: list[tuple[int, int, str]] = []
    found = generator.continuations(
        PROMPTS,
        num_samples=2,
        max_new=14,
        temperature=0.9,
        seed=4,
        stop=["ab"],
        on_text=lambda *piece: pieces.append(piece),
    )
    for row, samples in enumerate(found):
        for place, one in enumerate(samples):
            assert "".join(text for *at, text in pieces if at == [row, place]) == one.text
    tokenizer, told = generator.tokenizer, list[str]()
    watcher = TextWatcher(tokenizer, stop_strings(["다람"]), told.append)
    for id in tokenizer.encode_ordinary("고양이 다"):
        assert not watcher.push(id)
        assert "".join(told) in "고양이 "  # what may begin the stop string is held back
    assert "".join(told) == "고양이 "
    for id in tokenizer.encode_ordinary("리"):
        watcher.push(id)
    watcher.finish()
    assert "".join(told) == watcher.text == "고양이 다리"
    watcher = TextWatcher(tokenizer, stop_strings("람"), told.append)
    assert [watcher.push(id) for id in tokenizer.encode_ordinary("다람")][-1]
    assert watcher.text == "다"


def test_a_prompt_that_is_too_long_says_so_or_is_cropped_from_the_left(generator: TextGenerator) -> None:
    long = "three cats read a text. Two dogs, one bird! " * 3
    with pytest.raises(ConfigError, match=r"row 2: a prompt of \d+ ids.*max_len=24.*long='crop'"):
        generator.continuations(["one", long])
    ((one,), (cropped,)) = generator.continuations(["one", long], long="crop", max_new=4, temperature=0)
    ids = generator.tokenizer.encode_ordinary(long)
    assert (one.cropped, cropped.cropped) == (0, len(ids) + 1 - 20)
    with torch.inference_mode():
        first = int(generator.model(torch.tensor([ids[-20:]]))[0, -1].argmax())
    ((again,),) = generator.continuations([long], long="crop", max_new=4, temperature=0)
    assert again == cropped
    assert cropped.num_ids == 0 or generator.tokenizer.decode([first])[:1] in ("�", cropped.text[:1])
    with pytest.raises(ConfigError, match="max_new=30"):
        generator.generate("one", max_new=30, long="crop")


def test_ids_are_penalised_and_no_pair_repeats(generator: TextGenerator) -> None:
    pieces: list[str] = []
    ((plain,),) = generator.continuations(["three"], temperature=0, on_text=lambda *at: pieces.append(at[2]))
    ((rare,),) = generator.continuations(["three"], temperature=0, no_repeat_ngram=1)
    assert plain.text != rare.text
    assert generator.generate("three", temperature=0, repetition_penalty=50.0) != plain.text
