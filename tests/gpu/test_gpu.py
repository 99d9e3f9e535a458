from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from bpe_transformer.data import MaskedBatch, PackedBatch, TranslationBatch
from bpe_transformer.inference import LanguageModelSession, TranslationSession, beam_search, greedy_search
from bpe_transformer.models import FAMILIES, SHAPES
from bpe_transformer.models.layers import attend, causal_mask, fused_attend
from bpe_transformer.training import CausalLM, Engine, MaskedLM, Seq2Seq
from bpe_transformer.training.objectives import Masking, counter_uniform

pytestmark = pytest.mark.gpu
VOCAB, PAD = 64, 0
MASKING = Masking(mask_id=3, special_ids=(0, 1, 2, 3))


def ids(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(4, VOCAB, (rows, length), generator=torch.Generator().manual_seed(seed))


def objective_and_batch(family: str, **changes: Any) -> tuple[Any, Any]:
    torch.manual_seed(0)
    found = FAMILIES[family]
    options = found.options(**{"d_model": 64, "n_layers": 2, "max_len": 32, "dropout": 0.0, **changes})
    model = found.build(found.configure(options, vocab_size=VOCAB, pad_id=PAD))
    if found.task == "translation":
        src, tgt = ids(6, 9), ids(6, 8, seed=1)
        src[1, 5:] = tgt[1, 4:] = PAD
        return Seq2Seq(model, label_smoothing=0.1), TranslationBatch(src, tgt)
    if family == "gpt":
        return CausalLM(model), PackedBatch(ids(6, 16), ids(6, 16, seed=1))
    return MaskedLM(model, masking=MASKING, seed=1), MaskedBatch(ids(16, 24), torch.arange(16), torch.tensor(1))


@pytest.mark.parametrize("family", list(FAMILIES))
def test_loss_and_gradients_are_the_processors(cuda: torch.device, family: str) -> None:
    objective, batch = objective_and_batch(family)
    engine = Engine(device="cuda")
    moved = engine.prepare(copy.deepcopy(objective))
    here, there = objective(batch), moved(engine.move(batch))
    assert int(here.count) == int(there.count)
    torch.testing.assert_close(there.total.cpu(), here.total, rtol=1e-4, atol=1e-3)
    here.total.backward()
    there.total.backward()
    for one, other in zip(objective.parameters(), moved.parameters(), strict=True):
        torch.testing.assert_close(other.grad.cpu(), one.grad, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("family", list(FAMILIES))
def test_steps_in_every_precision_lower_the_loss(cuda: torch.device, family: str, precision: str) -> None:
    objective, batch = objective_and_batch(family)
    engine = Engine(device="cuda", precision=precision)
    module, batch = engine.prepare(objective), engine.move(batch)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2, fused=True)
    losses = []
    for _ in range(12):
        with engine.autocast():
            loss = module(batch)
        optimizer.zero_grad()
        engine.backward(loss.total / loss.count)
        engine.step(optimizer, module.parameters(), clip_norm=1.0)
        losses.append(float(loss.total.detach()))
    assert losses[-1] < 0.9 * losses[0]
    assert all(p.isfinite().all() for p in module.parameters())


def test_attention_runs_in_the_type_that_it_is_given(cuda: torch.device) -> None:
    q, k, v = (torch.randn(2, 4, 33, 32, device=cuda) for _ in range(3))
    explicit, _ = attend(q, k, v, causal_mask(33, cuda)[:, None], dropout=0.0)
    for dtype, tolerance in ((torch.float32, 1e-4), (torch.bfloat16, 3e-2), (torch.float16, 1e-2)):
        fused = fused_attend(q.to(dtype), k.to(dtype), v.to(dtype), None, causal=True, dropout=0.0)
        assert fused.dtype == dtype
        torch.testing.assert_close(fused.float(), explicit, atol=tolerance, rtol=tolerance)


def test_a_query_that_sees_nothing_gives_zeros_and_finite_gradients(cuda: torch.device) -> None:
    q, k, v = (torch.randn(2, 2, 4, 8, device=cuda, requires_grad=True) for _ in range(3))
    visible = torch.ones(2, 1, 4, 4, dtype=torch.bool, device=cuda)
    visible[1] = False
    fused = fused_attend(q, k, v, visible, causal=False, dropout=0.0)
    fused.sum().backward()
    assert fused[1].abs().max() == 0
    assert all(part.grad is not None and part.grad.isfinite().all() for part in (q, k, v))


def test_draws_are_the_same_on_every_device(cuda: torch.device) -> None:
    rows, places = torch.arange(50)[:, None], torch.arange(70)[None]
    assert torch.equal(counter_uniform(3, rows, places), counter_uniform(3, rows.to(cuda), places.to(cuda)).cpu())
    objective, batch = objective_and_batch("bert")
    engine = Engine(device="cuda")
    here = objective.masked(batch)
    there = engine.prepare(objective).masked(engine.move(batch))  # type: ignore[operator]
    assert all(torch.equal(one, other.cpu()) for one, other in zip(here, there, strict=True))


@pytest.mark.parametrize("family", ["transformer", "lstm", "bahdanau"])
def test_translations_are_the_processors(cuda: torch.device, family: str) -> None:
    model = objective_and_batch(family)[0].model.eval()
    src, start, limits = ids(5, 7), torch.full((5,), 1), torch.full((5,), 9)
    here = beam_search(TranslationSession(model, src), start, eos_id=2, limits=limits, beam=3, length_penalty=1.0)
    model.to(cuda)
    there = beam_search(
        TranslationSession(model, src.to(cuda)),
        start.to(cuda),
        eos_id=2,
        limits=limits.to(cuda),
        beam=3,
        length_penalty=1.0,
    )
    assert [h[0].ids for h in there] == [h[0].ids for h in here]


def test_a_language_model_writes_as_on_the_processor(cuda: torch.device) -> None:
    model = objective_and_batch("gpt", positions="rope")[0].model.eval()
    prompts, limits = [[4, 5, 6], [7], [8, 9]], torch.full((3,), 8)
    session = LanguageModelSession(model, prompts)
    here = greedy_search(session, session.start, eos_id=2, limits=limits)
    session = LanguageModelSession(model.to(cuda), prompts)
    assert greedy_search(session, session.start, eos_id=2, limits=limits.to(cuda)) == here


def test_a_step_draws_its_own_numbers(cuda: torch.device) -> None:
    engine = Engine(device="cuda")
    engine.seed(4, 7)
    first = torch.rand(3, device=cuda)
    engine.seed(4, 7)
    torch.testing.assert_close(torch.rand(3, device=cuda), first)
    engine.seed(4, 8)
    assert not torch.equal(torch.rand(3, device=cuda), first)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_compiled_step_equals_an_eager_one(cuda: torch.device, family: str) -> None:
    objective, batch = objective_and_batch(family)
    compiled = Engine(device="cuda", compile=True)
    module = compiled.prepare(copy.deepcopy(objective))
    eager = Engine(device="cuda").prepare(objective)
    one, other = eager(compiled.move(batch)), module(compiled.move(batch))
    torch.testing.assert_close(other.total, one.total, rtol=1e-4, atol=1e-3)
    one.total.backward()
    other.total.backward()
    for left, right in zip(eager.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(right.grad, left.grad, rtol=1e-3, atol=1e-3)


def test_steps_of_124_million_parameters(cuda: torch.device) -> None:
    torch.manual_seed(0)
    family, options = FAMILIES["gpt"], SHAPES["gpt2"].options
    model = family.build(family.configure(options, vocab_size=50_257, pad_id=0))
    assert sum(p.numel() for p in model.parameters()) == 124_439_808
    engine = Engine(device="cuda", precision="bfloat16")
    module = engine.prepare(CausalLM(model, dtype=torch.bfloat16))
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-4, fused=True)
    drawn = torch.randint(0, 50_257, (8, 1025))
    batch = engine.move(PackedBatch(drawn[:, :-1], drawn[:, 1:]))
    losses = []
    for _ in range(5):
        with engine.autocast():
            loss = module(batch)
        mean = loss.total / loss.count
        optimizer.zero_grad()
        engine.backward(mean)
        engine.step(optimizer, module.parameters(), clip_norm=1.0)
        losses.append(float(mean.detach()))
    assert losses[0] == pytest.approx(10.9, abs=0.3)  # ln 50,257 = 10.8
    assert losses[-1] < losses[0]
