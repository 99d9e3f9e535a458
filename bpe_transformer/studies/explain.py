"""The study `explain`: whether attention weights explain an output, on a corpus whose word alignment is known.

Jain and Wallace 2019 ask whether weights agree with other measures of what an output depends on, and whether other weights
give the same output; Wiegreffe and Pinter 2019 ask what trained weights are worth beside uniform ones, and how far apart
the weights of two seeds are. Here there is a third question: whether the weights are right.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any, ClassVar

import numpy as np
import torch

from bpe_transformer.corpora.numbers_en_ko import generate_aligned
from bpe_transformer.data.batches.batch import TranslationBatch
from bpe_transformer.errors import ConfigError
from bpe_transformer.evaluation import exact_match
from bpe_transformer.inference import Translator, load_translator
from bpe_transformer.inspection.attention.gold_alignment import gold_pairs
from bpe_transformer.models.checked import option
from bpe_transformer.models.recurrent import BahdanauDecoder
from bpe_transformer.studies.base.attention_probe import LARGEST_DIVERGENCE, jensen_shannon
from bpe_transformer.studies.base.explained_steps import (
    ADVERSARIAL,
    ATTENTION,
    MEASURES,
    MOST_CHANGE,
    PERMUTED,
    UNIFORM,
    ExplainedSteps,
    Gold,
    explained_steps,
)
from bpe_transformer.studies.base.number_corpus import NAME, NumberCorpus
from bpe_transformer.studies.base.statistics import mean_of, number_or_none, standard_error
from bpe_transformer.studies.base.study import Progress, Result, StudySettings, no_progress
from bpe_transformer.studies.base.training import generator, seeded, train, warm_cosine
from bpe_transformer.training.checkpoint import build_model

KINDS = ("counter", "date", "time")  # of expressions, whose gold alignment links single words
BINS = 20  # of the histograms of τ, from -1 to 1
_TRAIN_PAIRS, _MOST_WORDS = 6000, 8
_EXACT = 100  # pairs that are translated


@dataclass(frozen=True, kw_only=True)
class Settings(StudySettings):
    """The models, which are Bahdanau's, and the pairs that they are looked at on."""

    STUDY: ClassVar[str] = "explain"

    runs: tuple[str, ...] = option((), unit="folders", meaning="runs to look at; none: models are trained here")
    pairs: int = option(48, unit="pairs", meaning="of the test split, to look at", low=1)
    d_model: int = option(64, unit="features", meaning="width of a model that is trained here", low=1)
    steps: int = option(1200, unit="steps", meaning="of each training", low=1)
    batch: int = option(32, unit="pairs", meaning="pairs of a training step", low=1)
    lr: float = option(3e-3, unit="per step", meaning="peak learning rate", low=0)
    search: int = option(150, unit="steps", meaning="of the search for other weights with an equal output", low=1)
    seeds: int = option(2, unit="trainings", meaning="of the model, and of the one with uniform weights", low=1)

    @property
    def work(self) -> float:
        """In steps of training."""
        looking = self.pairs * (8 + 0.05 * self.search)
        trained = 0.0 if self.runs else 2 * self.seeds * self.steps * self.batch / 32 * (0.5 + self.d_model / 128)
        return trained + (len(self.runs) or self.seeds) * looking


@dataclass(frozen=True, slots=True)
class Agreement:
    """A measure of what an output depends on, beside attention.

    tau: Kendall's τ with attention, mean over steps and seeds; tau_error: its standard error over the seeds.
    histogram: the share of steps in each of `BINS` equal bins of τ, from -1 to 1.
    hits: the share of target words whose first source word is right by the gold alignment; hits_error likewise.
    """

    measure: str
    tau: float
    tau_error: float | None
    histogram: tuple[float, ...]
    hits: float
    hits_error: float | None


@dataclass(frozen=True, slots=True)
class OtherWeights:
    """Other weights put in the place of the model's at a step.

    change: of the output, total variation. divergence: from the model's weights, Jensen and Shannon's, nats.
    hits: the share of target words whose first source word is right; None where there is no first.
    right: the share of steps whose most probable id is the reference's; None where it was not looked at.
    """

    weights: str
    change: float
    divergence: float
    hits: float | None
    right: float | None


@dataclass(frozen=True, kw_only=True)
class ExplainStudy(Result):
    """What the models' attention is worth as an explanation.

    hits, hits_error: of attention itself, as in `Agreement`; chance: of a source word at random. found: the share of steps
    for which other weights with an equal output were found. adversarial_divergence, seed_divergence: between weights of
    words: of those other weights from the model's, and of two seeds from each other (None: one seed). right: the share of
    steps whose most probable id is the reference's. exact: the share of pairs translated exactly, and exact_uniform: by
    models trained with uniform weights (None: none was trained).
    """

    settings: Settings
    models: int
    hits: float
    hits_error: float | None
    chance: float
    agreements: tuple[Agreement, ...]
    others: tuple[OtherWeights, ...]
    found: float
    adversarial_divergence: float
    seed_divergence: float | None
    right: float
    exact: float
    exact_uniform: float | None

    def other(self, weights: str) -> OtherWeights:
        """One of `others`."""
        return next(found for found in self.others if found.weights == weights)

    @property
    def compared(self) -> str:
        """What the models are to each other."""
        return "models" if self.settings.runs else "seeds"

    def answer(self) -> str:
        """Two sentences, composed from the figures."""
        return f"{_where(self)} {_whether_alone(self)}"

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.facts(),
            "answer": self.answer(),
            "models": self.models,
            "attention": {"hits": self.hits, "hits_error": self.hits_error, "chance": self.chance, "right": self.right},
            "agreements": [
                {
                    "measure": found.measure,
                    "tau": number_or_none(found.tau),
                    "tau_error": number_or_none(found.tau_error),
                    "histogram": list(found.histogram),
                    "hits": found.hits,
                    "hits_error": found.hits_error,
                }
                for found in self.agreements
            ],
            "other_weights": [
                {
                    "weights": found.weights,
                    "change": found.change,
                    "divergence": found.divergence,
                    "hits": found.hits,
                    "right": found.right,
                }
                for found in self.others
            ],
            "adversarial": {
                "most_change": MOST_CHANGE,
                "found": self.found,
                "divergence_of_words": self.adversarial_divergence,
                "largest_divergence": LARGEST_DIVERGENCE,
            },
            "seed_divergence_of_words": self.seed_divergence,
            "exact": self.exact,
            "exact_uniform": self.exact_uniform,
        }


def _where(found: ExplainStudy) -> str:
    """The first sentence: whether the weights are right, and whether other measures agree."""
    rivals = " and ".join(f"{one.measure} for {one.hits:.0%}" for one in found.agreements[:2])
    taus = " and ".join(f"{one.tau:.2f}" for one in found.agreements[:2])
    clear = (
        "Attention shows where the model looks"
        if found.hits > 0.5 * (1 + found.chance)
        else ("Attention shows only in part where the model looks")
    )
    return (
        f"{clear}: its largest weight is on a right source word for {found.hits:.0%} of the words "
        f"({rivals}; chance {found.chance:.0%}), and it orders the source as they do with τ = {taus}."
    )


def _whether_alone(found: ExplainStudy) -> str:
    """The second sentence: whether other weights would do as well."""
    few = found.adversarial_divergence < LARGEST_DIVERGENCE / 4
    verdict = (
        "And hardly any other weights give the same output: those found"
        if few
        else "Yet these are not the only weights with that output: others that"
    )
    seeds = "" if found.seed_divergence is None else f"; those of two {found.compared} {found.seed_divergence:.2f}"
    without = ""
    if found.exact_uniform is not None:
        exact, uniform = f"{found.exact:.0%}", f"{found.exact_uniform:.0%}"
        without = (
            f", while training with uniform weights lowers exact match from {exact} to {uniform}"
            if found.exact_uniform < found.exact
            else f", and training with uniform weights does no worse ({uniform} exact, against {exact})"
        )
    return (
        f"{verdict} are {found.adversarial_divergence:.2f} nats away on average (of 0.69 at most{seeds}) and change it by "
        f"{MOST_CHANGE} at most{without}."
    )


def run_study(settings: Settings, progress: Progress = no_progress) -> ExplainStudy:
    """Trains the models, or takes those of the runs, and looks at their steps. Raises `ConfigError` for a run that does
    not fit: not of family bahdanau, not between English and Korean, or not in the direction of the first.
    """
    if settings.runs:
        translators = _of_runs(settings.runs)
        uniform: list[Translator] = []
        gold = gold_pairs("test", settings.pairs, reverse=translators[0].info.columns[0] == "ko")
        share = 0.0
    else:
        share = 0.6
        translators, uniform = _trained(settings, lambda done, what: progress(share * done, what))
        gold = _test_pairs(settings.pairs)
    looked: list[ExplainedSteps] = []
    for number, translator in enumerate(translators):
        steps = explained_steps(translator, gold, seed=settings.seed, steps=settings.search, restarts=2)
        for part in steps:
            if isinstance(part, ExplainedSteps):
                looked.append(part)
            else:
                done = (number + part) / len(translators)
                progress(share + (1 - share) * done, f"looking at model {number + 1} of {len(translators)}")
    return _together(settings, looked, _exact(translators, gold), _exact(uniform, gold) if uniform else None)


def _together(
    settings: Settings, looked: Sequence[ExplainedSteps], exact: float, exact_uniform: float | None
) -> ExplainStudy:
    """The figures of all models as means, with their errors."""
    hits = [steps.hits[ATTENTION] for steps in looked]
    return ExplainStudy(
        settings=settings,
        models=len(looked),
        hits=statistics.fmean(hits),
        hits_error=standard_error(hits),
        chance=_mean(looked, lambda steps: steps.hits[UNIFORM]),
        agreements=tuple(_agreement(name, looked) for name in MEASURES),
        others=tuple(_other(name, looked) for name in (PERMUTED, ADVERSARIAL, UNIFORM)),
        found=_mean(looked, lambda steps: steps.found),
        adversarial_divergence=_mean(looked, lambda steps: float(steps.adversarial_words.mean())),
        seed_divergence=_between_seeds(looked),
        right=_mean(looked, lambda steps: steps.right[ATTENTION]),
        exact=exact,
        exact_uniform=exact_uniform,
    )


def _agreement(measure: str, looked: Sequence[ExplainedSteps]) -> Agreement:
    taus = [mean_of(steps.taus[measure].tolist()) for steps in looked]
    hits = [steps.hits[measure] for steps in looked]
    every = np.concatenate([steps.taus[measure] for steps in looked])
    counts, _ = np.histogram(every[~np.isnan(every)], bins=BINS, range=(-1.0, 1.0))
    shares = tuple(float(count) / max(1, int(counts.sum())) for count in counts)
    return Agreement(measure, mean_of(taus), standard_error(taus), shares, statistics.fmean(hits), standard_error(hits))


def _other(weights: str, looked: Sequence[ExplainedSteps]) -> OtherWeights:
    return OtherWeights(
        weights,
        _mean(looked, lambda steps: float(steps.changes[weights].mean())),
        _mean(looked, lambda steps: float(steps.divergences[weights].mean())),
        None if weights not in looked[0].hits else _mean(looked, lambda steps: steps.hits[weights]),
        None if weights not in looked[0].right else _mean(looked, lambda steps: steps.right[weights]),
    )


def _between_seeds(looked: Sequence[ExplainedSteps]) -> float | None:
    """The divergence of the weights of two models, mean over target words, pairs of sentences and pairs of models."""
    distances = [
        float(value)
        for one, other in combinations(looked, 2)
        for own, theirs in zip(one.words, other.words, strict=True)
        for value in jensen_shannon(torch.from_numpy(own), torch.from_numpy(theirs))
    ]
    return statistics.fmean(distances) if distances else None


def _mean(looked: Iterable[ExplainedSteps], figure: Callable[[ExplainedSteps], float]) -> float:
    return statistics.fmean(figure(steps) for steps in looked)


def _trained(settings: Settings, progress: Progress) -> tuple[list[Translator], list[Translator]]:
    """A model for every seed, and one each whose weights are uniform from the beginning."""
    corpus = NumberCorpus.of(_TRAIN_PAIRS, 1, kinds=KINDS, most_words=_MOST_WORDS)
    info = corpus.info("bahdanau", d_model=settings.d_model, n_layers=1)
    found: tuple[list[Translator], list[Translator]] = ([], [])
    seeds = range(settings.seed, settings.seed + settings.seeds)
    trainings = [(seed, uniform) for seed in seeds for uniform in (False, True)]
    for number, (seed, uniform) in enumerate(trainings):

        def batch(step: int, seed: int = seed) -> TranslationBatch:
            places = generator(seed, step).integers(0, len(corpus.train), settings.batch)
            return corpus.batch([corpus.train[place] for place in places])

        def report(step: int, _: object, number: int = number, seed: int = seed, uniform: bool = uniform) -> None:
            what = f"training{' with uniform weights' if uniform else ''}, seed {seed}"
            progress((number + step / settings.steps) / len(trainings), what)

        with seeded(seed):
            model: Any = build_model(info)
            if uniform:
                make_uniform(model.decoder)
            train(model, batch, settings.steps, warm_cosine(settings.steps, settings.lr, settings.steps // 10), report)
        found[uniform].append(corpus.translator(model, info))
    return found


def make_uniform(decoder: BahdanauDecoder) -> None:
    """Makes every score 0 for good, so that all weights of a row are equal."""
    score: Any = decoder.attention.score
    with torch.no_grad():
        score.zero_()
    score.requires_grad_(False)


def _exact(translators: Sequence[Translator], gold: Sequence[Gold]) -> float:
    """The share of pairs translated exactly, mean over the models."""
    some = gold[:_EXACT]
    return statistics.fmean(
        exact_match(translator.translate([src for src, _, _ in some], beam=1), [tgt for _, tgt, _ in some]).share
        for translator in translators
    )


def _test_pairs(count: int) -> list[Gold]:
    fitting = (
        (found.example.en, found.example.ko, found.links)
        for found in generate_aligned("test", 1_000_000)
        if found.example.kind in KINDS and len(found.example.en.split()) <= _MOST_WORDS
    )
    return list(islice(fitting, count))


def _of_runs(runs: Sequence[str]) -> list[Translator]:
    """The models of the runs, which all translate in one direction: they are looked at on the same pairs."""
    found = [_of_run(run) for run in runs]
    first = found[0].info.columns
    for run, translator in zip(runs, found, strict=True):
        if translator.info.columns != first:
            raise ConfigError(
                f"{run} translates {' to '.join(translator.info.columns)}, and {runs[0]} {' to '.join(first)}; "
                "give runs of one direction"
            )
    return found


def _of_run(run: str) -> Translator:
    translator = load_translator(run)
    if set(translator.info.columns) != {"en", "ko"} or NAME not in translator.info.corpus:
        raise ConfigError(
            f"{run} was trained on {translator.info.corpus or 'another corpus'}, and a gold alignment there is for {NAME}; "
            "give runs of that corpus, or none"
        )
    return translator
