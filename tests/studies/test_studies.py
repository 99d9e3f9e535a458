"""Every study at a tiny size: its structure, its determinism, and the arithmetic of what it measures."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.layers import MultiHeadAttention
from bpe_transformer.studies import cost, explain, gradient, length, scaling, warmup
from bpe_transformer.studies.base import number_corpus, training_curves
from bpe_transformer.studies.base.number_corpus import NumberCorpus, Pair, chain, parameters_of
from bpe_transformer.studies.base.recall import Recall
from bpe_transformer.studies.base.study import Result
from bpe_transformer.studies.base.training import seeded
from bpe_transformer.training.checkpoint import build_model
from bpe_transformer.training.schedules import inverse_sqrt

torch.set_num_threads(1)

TINY = {
    "length": length.Settings(lengths=(1, 2), trained=2, d_model=8, steps=3, batch=4, tests=2),
    "gradient": gradient.Settings(lengths=(1, 4), d_model=8, steps=2, batch=4, seeds=1),
    "cost": cost.Settings(lengths=(8, 16), widths=(4, 8), width=4, length=8, batch=1, repeats=1),
    "explain": explain.Settings(pairs=3, d_model=8, steps=2, batch=4, search=3, seeds=2),
    "warmup": warmup.Settings(d_model=8, n_layers=1, steps=4, warmup=2, batch=4, seeds=1),
    "scaling": scaling.Settings(d_model=16, n_layers=1, steps=4, batch=4, seeds=1),
}
RUN: dict[str, Any] = {
    module.__name__.rpartition(".")[2]: module.run_study
    for module in (length, gradient, cost, explain, warmup, scaling)
}


@pytest.fixture(scope="module", autouse=True)
def small_corpora() -> Any:
    """Fewer pairs than the studies take, so that a tiny one is done in a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(length, "_TRAIN_PAIRS", 60)
        patch.setattr(length, "_TEST_PAIRS", 10)
        patch.setattr(explain, "_TRAIN_PAIRS", 60)
        patch.setattr(training_curves, "TRAIN_PAIRS", 60)
        patch.setattr(training_curves, "TEST_PAIRS", 8)
        patch.setattr(gradient, "_TESTED", 3)
        yield


@pytest.fixture(scope="module")
def found(small_corpora: Any) -> dict[str, tuple[Result, list[float]]]:
    """Every study once, with what it reported of its progress."""
    results = {}
    for name, settings in TINY.items():
        shares: list[float] = []
        results[name] = (RUN[name](settings, lambda share, _, shares=shares: shares.append(share)), shares)
    return results


@pytest.mark.parametrize("name", [name for name in TINY if name != "cost"])
def test_the_same_settings_give_the_same_figures(name: str, found: dict[str, tuple[Result, list[float]]]) -> None:
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    again = RUN[name](TINY[name])
    assert again.as_dict() == found[name][0].as_dict()
    assert torch.equal(torch.random.get_rng_state(), before)  # whoever draws beside it draws as before


@pytest.mark.parametrize("name", list(TINY))
def test_progress_goes_on_to_the_end(name: str, found: dict[str, tuple[Result, list[float]]]) -> None:
    shares = found[name][1]
    assert shares == sorted(shares)
    assert 0.8 < shares[-1] <= 1


def test_structure(found: dict[str, tuple[Result, list[float]]]) -> None:
    data = {name: result.as_dict() for name, (result, _) in found.items()}
    assert [(one["model"], one["links"]) for one in data["length"]["points"]] == [
        (model, links) for model in ("lstm", "bahdanau", "transformer") for links in (1, 2)
    ]
    assert [(one["model"], one["trained"]) for one in data["gradient"]["profiles"]] == [
        (model, trained) for model in ("rnn", "lstm", "gru", "bahdanau", "transformer") for trained in (False, True)
    ]
    assert {(one["layer"], one["length"], one["width"]) for one in data["cost"]["by_width"]} == {
        (layer.name, 8, width) for layer in cost.LAYERS for width in (4, 8)
    }
    for name in ("warmup", "scaling"):
        curves = data[name]["curves"]
        assert [curve["steps"] for curve in curves] == [[0, 1, 2, 3, 4]] * 4
        assert len({tuple(curve["losses"]) for curve in curves}) == 4
        assert len({curve["parameters"] for curve in curves}) <= 2
    explained = data["explain"]
    assert explained["models"] == 2
    assert explained["seed_divergence_of_words"] > 0
    assert all(sum(one["histogram"]) == pytest.approx(1) for one in explained["agreements"])
    assert [one["weights"] for one in explained["other_weights"]] == ["permuted", "adversarial", "uniform"]
    assert explained["other_weights"][1]["change"] <= 0.01


def test_attention_and_the_recurrent_layer_cost_what_they_hold(found: dict[str, tuple[Result, list[float]]]) -> None:
    result = found["cost"][0]
    assert isinstance(result, cost.CostStudy)
    explicit, fused = (result.of(layer.name, "length")[-1].memory for layer in cost.LAYERS[1:])
    assert explicit >= 2 * 16 * 16 * 4  # the scores and the weights of 16 positions, in float32
    assert fused < explicit
    assert all(one.forward > 0 and one.backward > 0 for one in result.by_length)


def test_gradient_norms_are_finite_differences() -> None:
    """The norm that is measured is that of the slope of the answer's logit along its own gradient."""
    task = Recall.of_corpus()
    settings = TINY["gradient"]
    assert isinstance(settings, gradient.Settings)
    batch = task.batch(np.random.default_rng(1), 4, np.array([3, 1]))
    assert [int(batch.src[row, place]) in task.numbers for row, place in ((0, 1), (1, 3))] == [True, True]
    assert sum(int(id) in task.numbers for id in batch.src.flatten()) == 2
    for name in gradient.MODELS:
        with seeded(3):
            model = gradient._model(name, task, settings).eval()
        norms, _ = gradient.gradient_norms(model, batch, [1, 3])
        slope = _steepest(model, batch.src[:1], batch.tgt[:1], 1)
        assert float(norms[0]) == pytest.approx(slope, rel=0.03), name


def _steepest(model: Any, src: torch.Tensor, tgt: torch.Tensor, place: int) -> float:
    """The norm of the gradient by central differences over every feature of the source vector at a place."""
    width, size = model.src_embedding.tokens.weight.size(1), 2e-2
    slopes = []
    for feature in range(width):
        values = []
        for sign in (1, -1):

            def moved(_: Any, __: Any, output: torch.Tensor, feature: int = feature, sign: int = sign) -> torch.Tensor:
                if output.size(1) == 1:  # the target
                    return output
                changed = output.clone()
                changed[0, place, feature] += sign * size
                return changed

            handle = model.src_embedding.register_forward_hook(moved)
            with torch.no_grad():
                values.append(float(model(src, tgt[:, :1])[0, 0, tgt[0, 1]]))
            handle.remove()
        slopes.append((values[0] - values[1]) / (2 * size))
    return math.sqrt(sum(slope**2 for slope in slopes))


def test_equal_models_are_equally_large() -> None:
    corpus = NumberCorpus.of(60, 1)
    sizes = [parameters_of(info) for info in length.equal_models(corpus, 32).values()]
    assert max(sizes) / min(sizes) < 1.05


def test_chains_and_batches() -> None:
    corpus = NumberCorpus.of(60, 5, kinds=("counter",), most_words=4)
    assert not {pair.en for pair in corpus.train} & {pair.en for pair in corpus.test}
    assert all(len(pair.en.split()) <= 4 for pair in corpus.train)
    long = chain(corpus.train[:3])
    assert long.en.count(" ; ") == long.ko.count(" ; ") == 2
    batch = corpus.batch([long, Pair("one cat", "고양이 한 마리")])
    special = corpus.special
    assert batch.tgt[:, 0].tolist() == [special.bos] * 2
    assert batch.src[1].tolist().count(special.eos) == 1
    assert corpus.tokenizer.decode(batch.src[0].tolist()[:-1]) == long.en
    assert corpus.info("lstm").corpus == number_corpus.NAME


def test_the_division_is_taken_out_of_every_attention() -> None:
    corpus = NumberCorpus.of(60, 4)
    info = corpus.info("transformer", d_model=16, n_layers=1, n_heads=2, d_ff=16)
    with seeded(1):
        divided, plain = build_model(info).eval(), build_model(info).eval()
    plain.load_state_dict(divided.state_dict())
    scaling.without_division(plain)
    # queries √d_k times as long are the same as scores that are not divided
    for module in divided.modules():
        if isinstance(module, MultiHeadAttention):
            with torch.no_grad():
                module.qkv.weight[:16] *= math.sqrt(8)
                module.qkv.bias[:16] *= math.sqrt(8)
    batch = corpus.batch(corpus.test)
    torch.testing.assert_close(plain(*batch), divided(*batch))


def test_schedules_differ_in_the_ramp_alone() -> None:
    with_it = [inverse_sqrt(step, lr=2.0, warmup=10) for step in (1, 5, 10, 40)]
    without = [warmup.without_warmup(2.0, 10)(step) for step in (1, 5, 10, 40)]
    assert with_it == pytest.approx([0.2, 1.0, 2.0, 1.0])
    assert without == pytest.approx([2.0, 2.0, 2.0, 1.0])


def test_what_does_not_fit_is_refused(tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match="d_model=20 does not divide into 8 heads"):
        scaling.Settings(d_model=20)
    with pytest.raises(ConfigError, match="steps=0"):
        warmup.Settings(steps=0)
    with pytest.raises(ConfigError, match="must be at least 1 each"):
        gradient.Settings(lengths=(0, 4))


@pytest.mark.parametrize("name", list(TINY))
def test_minutes_are_met_where_a_part_of_the_work_stays(name: str) -> None:
    """Whatever is lengthened, about so many minutes are expected, the part that does not shrink included."""
    whole = type(TINY[name])()
    least = replace(whole, **{whole.LENGTHENED: 1})
    for share in (0.1, 0.5, 1.0, 3.0):
        wanted = least.minutes + share * (whole.minutes - least.minutes)
        chosen = whole.lasting(wanted)
        more = replace(chosen, **{whole.LENGTHENED: getattr(chosen, whole.LENGTHENED) + 1})
        assert chosen.minutes <= wanted * (1 + 1e-6) < more.minutes
    assert whole.lasting(whole.minutes) == whole
    assert whole.lasting(least.minutes / 2) == least
    with pytest.raises(ConfigError, match="minutes=inf must be a number above 0"):
        whole.lasting(math.inf)


def test_minutes_have_nothing_to_shorten_where_runs_are_looked_at() -> None:
    with pytest.raises(ConfigError, match="minutes has nothing to shorten or lengthen: the study explain"):
        explain.Settings(runs=("a",)).lasting(1)


def test_runs_of_two_directions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"a": ("en", "ko"), "b": ("en", "ko"), "c": ("ko", "en")}
    monkeypatch.setattr(explain, "_of_run", lambda run: SimpleNamespace(info=SimpleNamespace(columns=columns[run])))
    assert len(explain._of_runs(("a", "b"))) == 2
    with pytest.raises(ConfigError, match="c translates ko to en, and a en to ko; give runs of one direction"):
        explain.run_study(explain.Settings(runs=("a", "b", "c")))
