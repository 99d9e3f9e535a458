from __future__ import annotations

import math

import pytest
import torch

from bpe_transformer.data.batches.batch import IGNORED
from bpe_transformer.training.objectives.losses import projected_cross_entropy, rows_to_project


def test_label_smoothing_by_hand() -> None:
    # logits (0, ln 3): probabilities 1/4, 3/4; smoothed target with 0.2: 0.1 on id 0, 0.9 on id 1
    states, weight = torch.tensor([[1.0]]), torch.tensor([[0.0], [math.log(3)]])
    loss = projected_cross_entropy(states, weight, torch.tensor([1]), smoothing=0.2, dtype=torch.float32)
    assert loss.item() == pytest.approx(-0.1 * math.log(0.25) - 0.9 * math.log(0.75))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_gradients_equal_torchs(smoothing: float) -> None:
    torch.manual_seed(0)
    states = torch.randn(1100, 8, requires_grad=True)  # more than two blocks
    weight = torch.randn(30, 8, requires_grad=True)
    targets = torch.randint(0, 30, (1100,))
    ours = projected_cross_entropy(states, weight, targets, smoothing=smoothing, dtype=torch.float32)
    theirs = torch.nn.functional.cross_entropy(states @ weight.T, targets, label_smoothing=smoothing, reduction="sum")
    torch.testing.assert_close(ours, theirs)
    our_grads = torch.autograd.grad(ours / 7, (states, weight))
    their_grads = torch.autograd.grad(theirs / 7, (states, weight))
    for one, other in zip(our_grads, their_grads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_bfloat16_is_close_and_gradients_stay_float32() -> None:
    torch.manual_seed(0)
    states, weight = torch.randn(64, 16, requires_grad=True), torch.randn(30, 16, requires_grad=True)
    targets = torch.randint(0, 30, (64,))
    exact, rough = (
        projected_cross_entropy(states, weight, targets, smoothing=0.1, dtype=dtype)
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert rough.item() == pytest.approx(exact.item(), rel=1e-2)
    rough.backward()
    assert states.grad is not None
    assert states.grad.dtype == torch.float32


def test_no_gradient_is_computed_where_none_is_wanted() -> None:
    weight = torch.randn(30, 4, requires_grad=True)
    with torch.inference_mode():
        loss = projected_cross_entropy(
            torch.randn(5, 4), weight, torch.zeros(5, dtype=torch.long), smoothing=0.0, dtype=torch.float32
        )
    assert not loss.requires_grad


def test_rows_without_a_target_change_nothing_however_they_are_left_out() -> None:
    torch.manual_seed(0)
    states, weight = torch.randn(300, 16, requires_grad=True), torch.randn(30, 16, requires_grad=True)
    for share in (0.0, 0.05, 0.6, 1.0):  # of rows without one
        targets = torch.randint(0, 30, (300,)).masked_fill(torch.rand(300) < share, IGNORED)
        theirs = torch.nn.functional.cross_entropy(states @ weight.T, targets, ignore_index=IGNORED, reduction="sum")
        their_grads = torch.autograd.grad(theirs, (states, weight))
        for dtype, tolerance in ((torch.float32, 1e-4), (torch.bfloat16, 0.15)):
            ours = projected_cross_entropy(states, weight, targets, dtype=dtype)
            torch.testing.assert_close(ours, theirs, rtol=tolerance / 10, atol=tolerance)
            for one, other in zip(torch.autograd.grad(ours, (states, weight)), their_grads, strict=True):
                torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)
            assert (
                torch.autograd.grad(projected_cross_entropy(states, weight, targets, dtype=dtype), states)[0][
                    targets == IGNORED
                ]
                .eq(0)
                .all()
            )


def test_no_row_at_all_is_no_loss() -> None:
    states, weight = torch.randn(0, 4, requires_grad=True), torch.randn(30, 4, requires_grad=True)
    loss = projected_cross_entropy(states, weight, torch.zeros(0, dtype=torch.long))
    loss.backward()
    assert loss == 0
    assert weight.grad is not None
    assert weight.grad.eq(0).all()


def test_the_number_of_rows_repeats_in_half_precision() -> None:
    real = torch.arange(1000) % 7 == 0  # 143
    found = rows_to_project(real, 143, torch.bfloat16)
    assert found is not None
    assert found.numel() == 192
    assert set(real.nonzero()[:, 0].tolist()) <= set(found.tolist())
    assert found.unique().numel() == 192
    exact = rows_to_project(real, 143, torch.float32)
    assert exact is not None
    assert exact.tolist() == real.nonzero()[:, 0].tolist()
    assert rows_to_project(~real, 857, torch.bfloat16) is None
