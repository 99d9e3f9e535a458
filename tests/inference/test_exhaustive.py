"""Beam search against all texts that there are, on tiny models of every family and with every option."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from bpe_transformer.inference import (
    Constraints,
    LanguageModelSession,
    TranslationSession,
    beam_search,
    greedy_search,
    length_normalizer,
)
from bpe_transformer.models.registry import FAMILIES

EOS, VOCAB, LIMIT = 2, 6, 3
SRC = [[3, 4, 5, 2], [5, 3, 2]]
EVERY = [ids for length in range(LIMIT + 1) for ids in itertools.product((0, 1, 3, 4, 5), repeat=length)]
OPTIONS: dict[str, tuple[float, Constraints]] = {
    "plain": (0.0, Constraints()),
    "length penalty": (1.0, Constraints()),
    "strong length penalty": (3.0, Constraints()),
    "prefix": (0.6, Constraints(prefixes=[[4], [3, 3]])),
    "no repeats": (1.0, Constraints([[3, 3], []], no_repeat_ngram=1)),
    "no repeated pairs": (1.0, Constraints(no_repeat_ngram=2)),
    "repetition penalty": (0.5, Constraints(repetition_penalty=1.7)),
    "suppressed": (1.0, Constraints(suppressed=(0, 1))),
    "all": (1.0, Constraints([[4, 3], []], no_repeat_ngram=2, repetition_penalty=0.7, suppressed=(1,))),
}


def build(family: str) -> Any:
    torch.manual_seed(5)
    shape: dict[str, Any] = {"d_model": 8, "n_layers": 1, "max_len": 16, "dropout": 0.0}
    if family in ("transformer", "gpt"):
        shape |= {"n_heads": 2, "d_ff": 8, "positions": "rope" if family == "gpt" else "sinusoidal"}
    found = FAMILIES[family]
    model = found.build(found.configure(found.options(**shape), vocab_size=VOCAB, pad_id=0)).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # sharp enough for ends to come early in some texts
            parameter.add_(torch.randn_like(parameter) * 0.6)
    return model


def all_logits(model: Any, row: int) -> Tensor:
    """(texts, LIMIT + 1, V): what follows each prefix of every text, by one pass over the whole of it."""
    padded = torch.tensor([[*ids, *[3] * (LIMIT - len(ids))] for ids in EVERY])
    if hasattr(model, "trunk"):
        begun = torch.tensor(SRC[row]).expand(len(EVERY), -1)
        logits: Tensor = model(torch.cat((begun, padded), dim=1))[:, len(SRC[row]) - 1 :]
        return logits
    src, start = torch.tensor(SRC[row]).expand(len(EVERY), -1), torch.ones(len(EVERY), 1, dtype=torch.long)
    logits = model(src, torch.cat((start, padded), dim=1))
    return logits


def all_scores(logits: Tensor, row: int, constraints: Constraints) -> dict[tuple[int, ...], float]:
    """The log-probability of every text."""
    scores = {}
    penalty = constraints.repetition_penalty
    for ids, steps in zip(EVERY, logits, strict=True):
        total = 0.0
        for place, id in enumerate([*ids, EOS]):
            step = steps[place]
            if penalty != 1.0:
                step = step.clone()
                for held in set(ids[:place]):
                    step[held] = step[held] / penalty if step[held] > 0 else step[held] * penalty
            total += float(step.log_softmax(-1)[id]) if allowed(ids, place, id, row, constraints) else -math.inf
        scores[ids] = total
    return scores


def allowed(ids: tuple[int, ...], place: int, id: int, row: int, constraints: Constraints) -> bool:
    prefix = constraints.prefixes[row] if constraints.prefixes else ()
    if place < len(prefix):
        return id == prefix[place]
    if id in constraints.suppressed:
        return False
    size = constraints.no_repeat_ngram
    written = [*ids[:place], id]
    grams = [tuple(written[start : start + size]) for start in range(len(written) - size + 1)]
    return not (size and len(grams) > 1 and grams[-1] in grams[:-1])


@pytest.mark.parametrize("family", ["transformer", "lstm", "bahdanau", "gpt"])
@torch.inference_mode()
def test_a_wide_beam_finds_the_best_of_all_texts(family: str) -> None:
    model = build(family)
    wide, logits = len(EVERY), [all_logits(model, row) for row in range(2)]
    for name, (length_penalty, constraints) in OPTIONS.items():
        if family == "gpt":
            session: Any = LanguageModelSession(model, SRC)
            start = session.start
        else:
            padded = torch.tensor([SRC[0], [*SRC[1], 0]])
            session, start = TranslationSession(model, padded), torch.tensor([1, 1])
        found = beam_search(
            session,
            start,
            eos_id=EOS,
            limits=torch.tensor([LIMIT, LIMIT]),
            beam=wide,
            length_penalty=length_penalty,
            constraints=constraints,
        )
        for row, hypotheses in enumerate(found):
            wanted = {
                ids: total / length_normalizer(len(ids) + 1, length_penalty)
                for ids, total in all_scores(logits[row], row, constraints).items()
                if total > -math.inf
            }
            best = sorted(wanted, key=wanted.__getitem__, reverse=True)
            assert len(hypotheses) == len(wanted), name
            assert tuple(hypotheses[0].ids) == best[0], name
            for hypothesis in hypotheses:
                assert hypothesis.score == pytest.approx(wanted[tuple(hypothesis.ids)], abs=1e-4), name
                assert sum(hypothesis.token_log_probabilities) == pytest.approx(hypothesis.log_probability, abs=1e-4)
            assert [h.score for h in hypotheses] == sorted((h.score for h in hypotheses), reverse=True)


@pytest.mark.parametrize("family", ["transformer", "bahdanau"])
def test_greedy_search_is_a_beam_of_one_with_every_option(family: str) -> None:
    model = build(family)
    src = torch.randint(3, VOCAB, (40, 5), generator=torch.Generator().manual_seed(1))
    start, limits = torch.full((40,), 1), torch.randint(1, 9, (40,), generator=torch.Generator().manual_seed(2))
    for name, (_, constraints) in OPTIONS.items():
        if constraints.prefixes:
            constraints = Constraints([[4]] * 40, constraints.no_repeat_ngram, constraints.repetition_penalty)
        same: dict[str, Any] = {"eos_id": EOS, "limits": limits, "constraints": constraints}
        greedy = greedy_search(TranslationSession(model, src), start, **same)
        one = beam_search(TranslationSession(model, src), start, beam=1, length_penalty=1.0, **same)
        assert [h[0].ids for h in one if h] == [w.ids for w, h in zip(greedy, one, strict=True) if h], name
        ended = [(w.finish, h[0].finish) for w, h in zip(greedy, one, strict=True) if h and len(w.ids) < 8]
        assert all(plain == scored or plain == "limit" for plain, scored in ended), name


def test_rows_do_not_depend_on_the_batch_with_every_option() -> None:
    model = build("transformer")
    src = torch.randint(3, VOCAB, (8, 5), generator=torch.Generator().manual_seed(3))
    limits = torch.randint(1, 9, (8,), generator=torch.Generator().manual_seed(4))
    for length_penalty, constraints in OPTIONS.values():
        if constraints.prefixes:
            continue
        same: dict[str, Any] = {
            "eos_id": EOS,
            "beam": 3,
            "length_penalty": length_penalty,
            "constraints": constraints,
        }
        together = beam_search(TranslationSession(model, src), torch.full((8,), 1), limits=limits, **same)
        for row in range(8):
            one = slice(row, row + 1)
            (alone,) = beam_search(TranslationSession(model, src[one]), torch.tensor([1]), limits=limits[one], **same)
            assert [h.ids for h in alone] == [h.ids for h in together[row]]
            assert [h.score for h in alone] == pytest.approx([h.score for h in together[row]], abs=1e-4)
