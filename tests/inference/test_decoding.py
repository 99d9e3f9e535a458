from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from bpe_transformer.errors import ConfigError
from bpe_transformer.inference import (
    LanguageModelSession,
    TranslationSession,
    Written,
    beam_search,
    filter_logits,
    greedy_search,
    length_normalizer,
    sample,
)

EOS = 2


class Table:
    """A decoding session with a fixed distribution for every prefix: what search should find can be worked out by hand."""

    def __init__(self, rows: int, probabilities: dict[tuple[int, ...], list[float]]) -> None:
        self.prefixes: list[tuple[int, ...]] = [()] * rows
        self.probabilities = probabilities
        self.first = True

    def step(self, ids: Tensor) -> Tensor:
        if not self.first:
            self.prefixes = [(*p, i) for p, i in zip(self.prefixes, ids.tolist(), strict=True)]
        self.first = False
        rows = [self.probabilities.get(prefix, [1.0, 1.0, 1.0]) for prefix in self.prefixes]  # rows that ended go on
        return torch.tensor(rows).clamp(min=1e-9).log()

    def select(self, rows: Tensor, sentences: Tensor) -> None:
        self.prefixes = [self.prefixes[row] for row in rows.tolist()]


# id 0 looks better at first, but everything after it is unlikely; greedy takes it, beam 2 does not
GARDEN_PATH = {
    (): [0.6, 0.4, 0.0],
    (0,): [0.35, 0.33, 0.32],
    (1,): [0.05, 0.05, 0.9],
    **{prefix: [0.1, 0.1, 0.8] for prefix in itertools.product((0, 1), repeat=2)},
    **{prefix: [0.1, 0.1, 0.8] for prefix in itertools.product((0, 1), repeat=3)},
    **{prefix: [0.1, 0.1, 0.8] for prefix in itertools.product((0, 1), repeat=4)},
}


def test_beam_search_finds_what_greedy_misses() -> None:
    start, limits = torch.tensor([9]), torch.tensor([4])
    (greedy,) = greedy_search(Table(1, GARDEN_PATH), start, eos_id=EOS, limits=limits)
    assert greedy == ([0, 0], "ended")  # 0.6 x 0.35 x 0.8 = 0.168
    (found,) = beam_search(Table(1, GARDEN_PATH), start, eos_id=EOS, limits=limits, beam=2, length_penalty=0.0)
    assert found[0].ids == [1]
    assert found[0].log_probability == pytest.approx(torch.tensor(0.4 * 0.9).log().item(), abs=1e-5)
    assert found[0].score == pytest.approx(found[0].log_probability)
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


def test_early_improbable_ends_do_not_end_the_search() -> None:
    # a sure text of six ids, with eos second best all the way: after two steps two hypotheses have ended, both bad
    sure = {(1,) * length: [0.001, 0.989, 0.01] for length in range(6)} | {(1,) * 6: [0.001, 0.001, 0.998]}
    dull = {
        prefix: [0.3, 0.3, 0.4]
        for length in range(1, 8)
        for prefix in itertools.product((0, 1), repeat=length)
        if 0 in prefix
    }
    for length_penalty in (0.0, 1.0):
        (found,) = beam_search(
            Table(1, {**sure, **dull}),
            torch.tensor([9]),
            eos_id=EOS,
            limits=torch.tensor([7]),
            beam=2,
            length_penalty=length_penalty,
        )
        assert found[0].ids == [1] * 6


def test_length_normalizer_is_gnmts_and_prefers_longer_texts() -> None:
    assert length_normalizer(1, 0.6) == 1.0
    assert length_normalizer(7, 1.0) == 2.0
    start, limits = torch.tensor([9]), torch.tensor([4])
    (found,) = beam_search(Table(1, GARDEN_PATH), start, eos_id=EOS, limits=limits, beam=2, length_penalty=2.0)
    for hypothesis in found:
        expected = hypothesis.log_probability / ((5 + len(hypothesis.ids) + 1) / 6) ** 2.0
        assert hypothesis.score == pytest.approx(expected)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_beam_of_one_is_greedy_and_a_wide_beam_is_no_worse(translation: Any, norm: str) -> None:
    torch.manual_seed(1)
    model = translation(norm_place=norm)
    with torch.no_grad():  # sharper, so that some sentences end by themselves
        model.tgt_embedding.tokens.weight.mul_(2.0)
    src = torch.randint(3, 40, (12, 6))
    src[3, 4:] = 0
    start, limits = torch.full((12,), 1), torch.randint(1, 12, (12,))
    plain = greedy_search(TranslationSession(model, src), start, eos_id=EOS, limits=limits)
    one = beam_search(TranslationSession(model, src), start, eos_id=EOS, limits=limits, beam=1, length_penalty=0.0)
    wide = beam_search(TranslationSession(model, src), start, eos_id=EOS, limits=limits, beam=4, length_penalty=0.0)
    assert [h[0].ids for h in one] == [written.ids for written in plain]
    assert all(len(h[0].ids) <= limit for h, limit in zip(wide, limits.tolist(), strict=True))
    gains = [w[0].log_probability - o[0].log_probability for w, o in zip(wide, one, strict=True)]
    assert sum(gains) > 0
    # the reported log-probability is the model's own
    for row in range(12):
        ids = wide[row][0].ids
        logits = model(src[row : row + 1], torch.tensor([[1, *ids]])).log_softmax(-1)[0]
        total = sum(logits[place, id].item() for place, id in enumerate([*ids, EOS]))
        assert wide[row][0].log_probability == pytest.approx(total, abs=1e-3)


def test_rows_do_not_influence_each_other(translation: Any) -> None:
    model = translation()
    src = torch.randint(3, 40, (5, 6))
    start, limits = torch.full((5,), 1), torch.tensor([3, 8, 5, 1, 8])
    together = beam_search(TranslationSession(model, src), start, eos_id=EOS, limits=limits, beam=3, length_penalty=1.0)
    for row in range(5):
        one = slice(row, row + 1)
        (alone,) = beam_search(
            TranslationSession(model, src[one]), start[one], eos_id=EOS, limits=limits[one], beam=3, length_penalty=1.0
        )
        assert [h.ids for h in alone] == [h.ids for h in together[row]]


def test_prompts_of_any_lengths_are_continued_as_if_alone(language: Any) -> None:
    model = language()
    prompts = [[4, 5, 6, 7], [8], [9, 10]]
    session = LanguageModelSession(model, prompts)
    together = greedy_search(session, session.start, eos_id=EOS, limits=torch.tensor([6, 3, 6]))
    for prompt, written, limit in zip(prompts, together, (6, 3, 6), strict=True):
        ids = list(prompt)
        while len(ids) < len(prompt) + limit and ids[-1] != EOS:
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
        assert written.ids == [id for id in ids[len(prompt) :] if id != EOS]


def test_an_empty_prompt_is_refused(language: Any) -> None:
    with pytest.raises(ConfigError, match="prompt of 0 ids"):
        LanguageModelSession(language(), [[3], []])


def test_sampling_is_seeded_and_follows_the_distribution(language: Any) -> None:
    model = language()

    def draw(seed: int) -> list[Written]:
        session = LanguageModelSession(model, [[4, 5]] * 4)
        limits = torch.full((4,), 8)
        return sample(session, session.start, eos_id=EOS, limits=limits, temperature=1.0, top_k=0, top_p=1.0, seed=seed)

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    fair = {(): [0.2, 0.5, 0.3], (0,): [0.0, 0.0, 1.0], (1,): [0.0, 0.0, 1.0]}
    drawn = sample(
        Table(4000, fair),
        torch.zeros(4000, dtype=torch.long),
        eos_id=EOS,
        limits=torch.full((4000,), 2),
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        seed=0,
    )
    shares = [sum(written.ids == wanted for written in drawn) / 4000 for wanted in ([0], [1], [])]
    assert shares == pytest.approx([0.2, 0.5, 0.3], abs=0.03)


def test_top_k_and_top_p_cut_the_tail() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()

    def kept(**changes: float) -> list[int]:
        settings: dict[str, Any] = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, **changes}
        return torch.nonzero(filter_logits(logits, **settings)[0].isfinite())[:, 0].tolist()

    assert kept() == [0, 1, 2, 3]
    assert kept(top_k=2) == [0, 1]
    assert kept(top_p=0.5) == [0]
    assert kept(top_p=0.6) == [0, 1]
    assert kept(top_k=3, top_p=0.9) == [0, 1, 2]  # 0.5 + 0.3 of 0.95 is 0.84
    torch.testing.assert_close(filter_logits(logits, temperature=2.0, top_k=0, top_p=1.0), (logits - logits[0, 0]) / 2)
    with pytest.raises(ConfigError, match=r"temperature=0.*top_k=-1.*top_p=2"):
        filter_logits(logits, temperature=0.0, top_k=-1, top_p=2.0)
