"""What `torch.compile` makes of a training step: one graph, and the numbers of the step that is not compiled."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from bpe_transformer.data import LabelledBatch, MaskedBatch, PackedBatch, TranslationBatch
from bpe_transformer.models import FAMILIES
from bpe_transformer.models.layers import RecurrentStack
from bpe_transformer.training import CausalLM, Classification, Engine, MaskedLM, Seq2Seq
from bpe_transformer.training.objectives.masking import Masking
from tests.training.runs.jobs import settings_of, trainer_of

VOCAB, PAD = 20, 0


def ids(rows: int, length: int) -> Tensor:
    return torch.randint(4, VOCAB, (rows, length), generator=torch.Generator().manual_seed(rows))


def example(name: str, r_drop: float = 0.0, **changes: Any) -> tuple[Any, Any]:
    """An objective in training and a batch for it; `name` is a family, or classification on one ("gpt classes")."""
    torch.manual_seed(0)
    family = FAMILIES[name.split()[0]]
    shape: dict[str, Any] = {"d_model": 8, "n_layers": 1, "max_len": 8, **changes}
    shape |= {} if family.task == "translation" and name != "transformer" else {"n_heads": 2, "d_ff": 8}
    config = family.configure(family.options(**shape), vocab_size=VOCAB, pad_id=PAD)
    if "classes" in name:
        model = family.build_classifier(config, n_classes=3)
        return Classification(model, r_drop=r_drop).train(), LabelledBatch(ids(3, 5), torch.tensor([0, 2, 1]))
    model = family.build(config)
    if family.task == "translation":
        src, tgt = ids(3, 4), ids(3, 4)
        src[1, 2:] = tgt[1, 3:] = PAD
        return Seq2Seq(model, label_smoothing=0.1, r_drop=r_drop).train(), TranslationBatch(src, tgt)
    if name == "gpt":
        documents = torch.tensor([[0, 0, 0, 1, 1]] * 3)
        batch = PackedBatch(ids(3, 6)[:, :-1], ids(3, 6)[:, 1:], documents, torch.tensor([[0, 1, 2, 0, 1]] * 3))
        return CausalLM(model, r_drop=r_drop).train(), batch
    masking = Masking(mask_id=3, special_ids=(0, 1, 2, 3))
    return (
        MaskedLM(model, masking=masking, seed=1, r_drop=r_drop).train(),
        MaskedBatch(ids(8, 8), torch.arange(8), torch.tensor(2)),
    )


NAMES = ("transformer", "gpt", "bert", "lstm", "bahdanau", "bert classes", "gpt classes")
VARIANTS: tuple[tuple[str, dict[str, Any]], ...] = (
    *((name, {"r_drop": 1.0}) for name in NAMES),
    ("lstm", {"cell": "gru", "n_layers": 2}),
    ("lstm", {"bidirectional": False, "n_layers": 2}),
    ("bahdanau", {"cell": "lstm", "n_layers": 2}),
    *(("bahdanau", {"score": score}) for score in ("general", "concat")),
)


@pytest.mark.parametrize(
    ("name", "changes"),
    [*((name, {}) for name in NAMES), *(pytest.param(*found, marks=pytest.mark.soak) for found in VARIANTS)],
)
def test_a_training_step_has_no_graph_break(name: str, changes: dict[str, Any]) -> None:
    objective, batch = example(name, **changes)

    def step(*parts: Tensor) -> Tensor:
        loss = objective(type(batch)(*parts))
        mean: Tensor = loss.total / loss.count
        return mean

    torch._dynamo.reset()
    found = torch._dynamo.explain(step)(*batch)
    assert found.graph_break_count == 0, found.break_reasons
    assert found.graph_count == 1


@pytest.mark.soak
@pytest.mark.parametrize("name", NAMES)
def test_two_compiled_steps_equal_two_eager_ones(name: str) -> None:
    objective, batch = example(name, dropout=0.0)
    torch._dynamo.reset()
    losses = []
    for is_compiled in (False, True):
        engine = Engine(device="cpu", compile=is_compiled)
        module = engine.prepare(copy.deepcopy(objective))
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        for _ in range(2):
            loss = module(engine.move(batch))
            optimizer.zero_grad()
            engine.backward(loss.total / loss.count)
            engine.step(optimizer, module.parameters())
            losses.append(float(loss.total.detach()))
    assert losses[2:] == pytest.approx(losses[:2], rel=1e-5)
    assert losses[0] != losses[1]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_loop_of_a_compiled_step_equals_packed_rows(
    cell: str, bidirectional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    stack = RecurrentStack(cell, 5, 6, 2, bidirectional=bidirectional)
    x, lengths = torch.randn(4, 7, 5, requires_grad=True), torch.tensor([3, 7, 1, 5])
    found = []
    for is_compiling in (False, True):
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda answer=is_compiling: answer)
        states, final = stack(x, lengths=lengths)
        total = (states * torch.linspace(-1, 1, states.size(-1))).sum() + sum(part.square().sum() for part in final)
        found.append((states, *final, *torch.autograd.grad(total, [x, *stack.parameters()])))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-5)
    assert found[1][0][2, 1:].abs().max() == 0


@pytest.mark.soak
def test_a_compiled_run_ends_like_one_that_is_not(tmp_path: Path) -> None:
    found = []
    for compile in (False, True):
        torch._dynamo.reset()
        directory = tmp_path / str(compile)
        # by SGD: Adam divides the gradient of a key's bias, which is but rounding, by its own size
        plain: dict[str, Any] = {"optimizer": "sgd", "lr": 0.1, "dropout": 0.0, "steps": 3, "eval_steps": 3}
        settings = settings_of("language model", compile=compile, **plain)
        result = trainer_of("language model", directory, settings).run(resume=False)
        found.append((result.validation_loss, load_file(directory / "model.safetensors")))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-5)
    for name, value in found[0][1].items():
        torch.testing.assert_close(found[1][1][name], value, rtol=1e-4, atol=1e-5)
