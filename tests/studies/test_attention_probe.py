"""Outputs under other weights and what they depend on: against the model itself and against calculations by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from bpe_transformer.data.batches.batch import TranslationBatch
from bpe_transformer.errors import ConfigError
from bpe_transformer.studies.base.attention_probe import AttentionProbe, jensen_shannon, total_variation
from bpe_transformer.studies.base.explained_steps import (
    ADVERSARIAL,
    ATTENTION,
    UNIFORM,
    ExplainedSteps,
    explained_steps,
)
from bpe_transformer.studies.base.number_corpus import NumberCorpus
from bpe_transformer.studies.base.training import seeded
from bpe_transformer.studies.explain import _test_pairs, make_uniform
from bpe_transformer.training.checkpoint import build_model


@pytest.fixture(scope="module")
def corpus() -> NumberCorpus:
    return NumberCorpus.of(60, 4, kinds=("counter", "time"))


@pytest.fixture(scope="module")
def model(corpus: NumberCorpus) -> Any:
    with seeded(5):
        return build_model(corpus.info("bahdanau", d_model=8, n_layers=1)).eval()


@pytest.fixture(scope="module")
def probe(corpus: NumberCorpus, model: Any) -> AttentionProbe:
    return AttentionProbe(model, corpus.batch(corpus.test))


@torch.no_grad()
def test_the_models_weights_give_the_models_output(probe: AttentionProbe, model: Any) -> None:
    logits = model(probe.batch.src, probe.batch.tgt[:, :-1])
    torch.testing.assert_close(probe.probabilities, logits.softmax(dim=-1))
    torch.testing.assert_close(probe.weights.sum(dim=-1), torch.ones(probe.weights.shape[:2]))


@torch.no_grad()
def test_uniform_weights_are_those_of_a_model_that_has_them(corpus: NumberCorpus, probe: AttentionProbe) -> None:
    """At the first step, whose state no weights have gone into yet."""
    with seeded(5):
        uniform = build_model(corpus.info("bahdanau", d_model=8, n_layers=1)).eval()
    make_uniform(uniform.decoder)  # type: ignore[arg-type]
    logits = uniform(probe.batch.src, probe.batch.tgt[:, :-1])
    torch.testing.assert_close(probe.outputs(probe.uniform())[:, 0], logits[:, 0].softmax(dim=-1))
    assert all(value.requires_grad == (name != "decoder.attention.score") for name, value in uniform.named_parameters())


def test_permuted_weights_are_the_same_weights(probe: AttentionProbe) -> None:
    found = probe.permuted(torch.Generator().manual_seed(1))
    torch.testing.assert_close(found.sort(dim=-1).values, probe.weights.sort(dim=-1).values)
    assert not torch.equal(found, probe.weights)
    assert float(found[~probe.mask[:, None].expand_as(found)].abs().sum()) == 0


@torch.no_grad()
def test_leaving_one_out_is_translating_without_it(corpus: NumberCorpus, probe: AttentionProbe, model: Any) -> None:
    found = probe.leave_one_out()
    length = int(probe.mask[0].sum())
    src = probe.batch.src[:1, :length]
    without = torch.cat((src[:, :1], src[:, 2:]), dim=1)
    steps = int((probe.batch.tgt[0] != corpus.special.pad).sum()) - 1
    tgt = probe.batch.tgt[:1, :steps]
    expected = total_variation(model(src, tgt).softmax(dim=-1), model(without, tgt).softmax(dim=-1))
    torch.testing.assert_close(found[0, :steps, 1], expected[0], atol=1e-6, rtol=1e-4)


def test_gradients_leave_the_weights_alone(corpus: NumberCorpus, probe: AttentionProbe, model: Any) -> None:
    """By differences: the source vector grows a little while the weights stay as they were."""
    found = probe.gradient_times_input()
    row, step, place, size = 0, 1, 2, 5e-2
    wanted = int(probe.batch.tgt[row, step + 1])
    weights = probe.weights[row, :, :]

    def scaled(factor: float) -> float:
        def grown(_: Any, __: Any, output: torch.Tensor) -> torch.Tensor:
            changed = output.clone()
            if output.size(1) == probe.batch.src.size(1) and not done:
                changed[0, place] *= factor
                done.append(True)
            return changed

        calls: list[int] = []

        def held(_: Any, inputs: Any, outputs: Any) -> Any:
            calls.append(1)
            own = weights[len(calls) - 1][None, None]
            return own @ inputs[2], own

        done: list[bool] = []
        handles = [
            model.src_embedding.register_forward_hook(grown),
            model.decoder.attention.register_forward_hook(held),
        ]
        with torch.no_grad():
            logits = model(probe.batch.src[row : row + 1], probe.batch.tgt[row : row + 1, :-1])
        for handle in handles:
            handle.remove()
        return float(logits.softmax(dim=-1)[0, step, wanted])

    slope = (scaled(1 + size) - scaled(1 - size)) / (2 * size)
    assert float(found[row, step, place]) == pytest.approx(abs(slope), rel=0.05, abs=1e-8)


@torch.no_grad()
def test_value_zeroing_by_hand(probe: AttentionProbe) -> None:
    found = probe.value_zeroing()
    row, step, place = 1, 0, 1
    context = (probe.weights @ probe._memory).clone()
    before = probe.states(context)[row, step]
    context[row, step] -= probe.weights[row, step, place] * probe._memory[row, place]
    after = probe.states(context)[row, step]
    cosine = float(before @ after / before.norm() / after.norm())
    assert float(found[row, step, place]) == pytest.approx(1 - cosine, abs=1e-6)


def test_adversarial_weights_change_little_and_are_far(probe: AttentionProbe) -> None:
    found = probe.adversarial(most=0.01, steps=60, restarts=2, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        change = total_variation(probe.outputs(found), probe.probabilities)
        distance = jensen_shannon(found, probe.weights)
        permuted = jensen_shannon(probe.permuted(torch.Generator().manual_seed(1)), probe.weights)
    assert float(change.max()) <= 0.01 + 1e-6
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(found.shape[:2]))
    assert float(distance.mean()) > float(permuted.mean())
    assert float(distance.max()) <= math.log(2) + 1e-6


def test_hits_by_hand(corpus: NumberCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that are put on the words that the gold alignment links are always right."""
    from bpe_transformer.studies.base import explained_steps as module

    pairs = _test_pairs(2)
    info = corpus.info("bahdanau", d_model=8, n_layers=1)
    with seeded(5):
        translator = corpus.translator(build_model(info), info)

    class Knowing(AttentionProbe):
        """A probe whose weights are the gold ones."""

        def __init__(self, model: Any, batch: TranslationBatch) -> None:
            super().__init__(model, batch)
            weights = torch.zeros_like(self.weights)
            for row, (_, _, links) in enumerate(pairs):
                src, tgt = (module._units(translator, side[row]).shares for side in batch[:2])
                for source, target in links.possible:
                    places = torch.from_numpy((tgt[:, target] > 0).nonzero()[0])
                    weights[row, places] += torch.nn.functional.pad(
                        torch.from_numpy(src[:, source]).float(), (0, weights.size(2) - len(src))
                    )
            self.weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=1)
            with torch.no_grad():
                self.probabilities = self.outputs(self.weights)

    monkeypatch.setattr(module, "AttentionProbe", Knowing)
    *_, steps = explained_steps(translator, pairs, seed=1, steps=2, restarts=1)
    assert isinstance(steps, ExplainedSteps)
    assert steps.hits[ATTENTION] == 1
    linked = [
        len({source for source, other in links.possible if other == target}) / len(src.split())
        for src, _, links in pairs
        for target in sorted({target for _, target in links.possible})
    ]
    assert steps.hits[UNIFORM] == pytest.approx(sum(linked) / len(linked))
    assert steps.changes[ADVERSARIAL].max() <= 0.01 + 1e-6


def test_other_models_are_refused(corpus: NumberCorpus) -> None:
    model = build_model(corpus.info("transformer", d_model=8, n_layers=1, n_heads=2, d_ff=8))
    with pytest.raises(ConfigError, match="family bahdanau with score additive"):
        AttentionProbe(model, corpus.batch(corpus.test))
