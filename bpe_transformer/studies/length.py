"""The study `length`: whether a long sentence gets lost in one vector, by source length, beyond those trained on too.

Three translators of equal size learn chains of number expressions: `lstm`, which hands the source over in one vector,
`bahdanau`, which attends to the source, and `transformer`. A chain is as hard as its links, so what its length costs is the
model's.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from bpe_transformer.data.batches.batch import TranslationBatch
from bpe_transformer.evaluation import bleu, exact_match
from bpe_transformer.inference import Translator
from bpe_transformer.models.checked import option
from bpe_transformer.studies.base.number_corpus import NumberCorpus, Pair, chain, parameters_of
from bpe_transformer.studies.base.statistics import crossing, standard_error
from bpe_transformer.studies.base.study import Progress, Result, StudySettings, faults_of_sizes, no_progress
from bpe_transformer.studies.base.training import generator, seeded, train, warm_cosine
from bpe_transformer.training import CheckpointInfo
from bpe_transformer.training.checkpoint import build_model

FIXED, BAHDANAU, TRANSFORMER = "lstm", "bahdanau", "transformer"
MODELS = (FIXED, BAHDANAU, TRANSFORMER)
KINDS = ("counter", "time")
_MOST_WORDS = 4
_TRAIN_PAIRS, _TEST_PAIRS = 4000, 300
_LONGEST = 1024  # ids; as long as the longest chain has to be translated in one
_TRAINING, _TESTING = 0, 1  # what is drawn


@dataclass(frozen=True, kw_only=True)
class Settings(StudySettings):
    """The chains to train on and to test, and the size of the models."""

    STUDY: ClassVar[str] = "length"

    lengths: tuple[int, ...] = option((1, 2, 3, 4, 5, 6, 8), unit="links", meaning="chains to test")
    trained: int = option(4, unit="links", meaning="of the longest chain trained on", low=1)
    d_model: int = option(
        64, unit="features", meaning="width of the Transformer, a multiple of 4; the others follow", low=4
    )
    steps: int = option(2400, unit="steps", meaning="of each training", low=1)
    batch: int = option(96, unit="links", meaning="of the chains of a training step", low=1)
    lr: float = option(3e-3, unit="per step", meaning="peak learning rate", low=0)
    tests: int = option(60, unit="chains", meaning="to translate at each length", low=1)
    seeds: int = option(1, unit="trainings", meaning="of each model", low=1)

    def contradictions(self) -> list[str]:
        return super().contradictions() + faults_of_sizes("lengths", self.lengths, 1, 2)

    @property
    def work(self) -> float:
        """In links read and written."""
        return self.seeds * (self.steps * self.batch * (0.5 + self.d_model / 128) + self.tests * sum(self.lengths))


@dataclass(frozen=True, slots=True)
class LengthPoint:
    """One model at one length. words: of a source, separators included, mean. exact: 0 to 1; bleu: 0 to 100; means over the
    seeds, with the standard error of bleu (None: one seed)."""

    model: str
    links: int
    words: float
    exact: float
    bleu: float
    bleu_error: float | None


@dataclass(frozen=True, kw_only=True)
class LengthStudy(Result):
    """Exact match and BLEU of three models by source length.

    points: of every model, in the order of `MODELS`, at every length. parameters, widths: of each model, by name.
    """

    settings: Settings
    points: tuple[LengthPoint, ...]
    parameters: dict[str, int]
    widths: dict[str, int]

    def of(self, model: str) -> list[LengthPoint]:
        """The points of a model, shortest first."""
        return [point for point in self.points if point.model == model]

    @property
    def longest_trained(self) -> LengthPoint:
        """The fixed vector at the longest chain that is tested and no longer than those trained on; else at the shortest."""
        points = self.of(FIXED)
        return next((point for point in reversed(points) if point.links <= self.settings.trained), points[0])

    def ahead_from(self, model: str) -> float | None:
        """The words from which on, at every length, a model's BLEU is above the fixed vector's; None: not at the longest."""
        own, fixed = self.of(model), self.of(FIXED)
        ahead = [one.bleu > other.bleu for one, other in zip(own, fixed, strict=True)]
        found: float | None = crossing([point.words for point in fixed], ahead)
        return found

    def half(self, model: str) -> float | None:
        """The words at which a model's BLEU has come down to half of the shortest's, between two points on a line."""
        points = self.of(model)
        wanted = points[0].bleu / 2
        for before, after in zip(points, points[1:], strict=False):
            if after.bleu < wanted <= before.bleu:
                share = (before.bleu - wanted) / (before.bleu - after.bleu)
                return before.words + share * (after.words - before.words)
        return None

    def answer(self) -> str:
        """What the figures say: how far each model falls, and where attention gets ahead."""
        trained = self.longest_trained
        falls = "; ".join(f"{model} {_falls(self.of(model), trained.links)}" for model in MODELS)
        known = " (the longest trained on)" if trained.links == self.settings.trained else ""
        ends = (self.of(FIXED)[0].words, trained.words, self.of(FIXED)[-1].words)
        ahead = "; ".join(
            f"{model} is ahead of the fixed vector at every length from {_words(where)}"
            if (where := self.ahead_from(model)) is not None
            else f"{model} is not ahead of the fixed vector at the longest"
            for model in MODELS[1:]
        )
        return f"BLEU at {ends[0]:.0f}, {ends[1]:.0f}{known} and {ends[2]:.0f} words: {falls}; {ahead}."

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.facts(),
            "answer": self.answer(),
            "longest_trained_words": self.longest_trained.words,
            "models": [
                {
                    "name": model,
                    "parameters": self.parameters[model],
                    "d_model": self.widths[model],
                    "ahead_from_words": self.ahead_from(model),
                    "half_at_words": self.half(model),
                }
                for model in MODELS
            ],
            "points": [asdict(point) for point in self.points],
        }


def run_study(settings: Settings, progress: Progress = no_progress) -> LengthStudy:
    """Trains the three models with every seed on the same chains, and translates the same test chains with each."""
    corpus = NumberCorpus.of(_TRAIN_PAIRS, _TEST_PAIRS, kinds=KINDS, most_words=_MOST_WORDS)
    infos = equal_models(corpus, settings.d_model)
    tests = {links: _chains(corpus.test, settings, links) for links in settings.lengths}
    scores: dict[tuple[str, int], list[tuple[float, float]]] = {}
    trainings = [(seed, model) for seed in range(settings.seed, settings.seed + settings.seeds) for model in MODELS]
    for number, (seed, model) in enumerate(trainings):

        def report(share: float, what: str, number: int = number) -> None:
            progress((number + share) / len(trainings), what)

        translator = _trained(corpus, infos[model], settings, seed, report)
        for place, (links, pairs) in enumerate(tests.items()):
            report(0.9 + 0.1 * place / len(tests), f"{model}, translating chains of {links}")
            scores.setdefault((model, links), []).append(_scores(translator, pairs))
    points = tuple(
        LengthPoint(
            model,
            links,
            statistics.fmean(len(pair.en.split()) for pair in tests[links]),
            statistics.fmean(exact for exact, _ in scores[model, links]),
            statistics.fmean(score for _, score in scores[model, links]),
            standard_error([score for _, score in scores[model, links]]),
        )
        for model in MODELS
        for links in settings.lengths
    )
    return LengthStudy(
        settings=settings,
        points=points,
        parameters={model: parameters_of(info) for model, info in infos.items()},
        widths={model: info.settings.model.d_model for model, info in infos.items()},
    )


def equal_models(corpus: NumberCorpus, d_model: int) -> dict[str, CheckpointInfo]:
    """The three models: a Transformer of this width, and the others as wide as gives the nearest number of weights."""
    shape = {"d_model": d_model, "n_layers": 2, "n_heads": 4, "d_ff": 2 * d_model, "max_len": _LONGEST}
    infos = {TRANSFORMER: corpus.info(TRANSFORMER, **shape)}
    wanted = parameters_of(infos[TRANSFORMER])
    for model in (FIXED, BAHDANAU):
        low, high = 1, 8 * d_model  # the first width with more weights lies above low and is at most high
        while high - low > 1:
            middle = (low + high) // 2
            too_wide = parameters_of(_recurrent(corpus, model, middle)) > wanted
            low, high = (low, middle) if too_wide else (middle, high)
        infos[model] = min(
            (_recurrent(corpus, model, width) for width in (low, high)),
            key=lambda info: abs(parameters_of(info) - wanted),
        )
    return {model: infos[model] for model in MODELS}


def _recurrent(corpus: NumberCorpus, family: str, d_model: int) -> CheckpointInfo:
    return corpus.info(family, d_model=d_model, n_layers=1, max_len=_LONGEST)


def _trained(corpus: NumberCorpus, info: CheckpointInfo, settings: Settings, seed: int, report: Progress) -> Translator:
    family = info.settings.family

    def batch(step: int) -> TranslationBatch:
        draws = generator(seed, _TRAINING, step)
        links = int(draws.integers(1, settings.trained + 1))
        places = draws.integers(0, len(corpus.train), (max(1, settings.batch // links), links))
        return corpus.batch([chain([corpus.train[place] for place in row]) for row in places])

    with seeded(seed):
        model = build_model(info)
        train(
            model,
            batch,
            settings.steps,
            warm_cosine(settings.steps, settings.lr, settings.steps // 10),
            lambda step, _: report(0.9 * step / settings.steps, f"{family}, seed {seed}"),
        )
    return corpus.translator(model, info)


def _chains(pairs: Sequence[Pair], settings: Settings, links: int) -> list[Pair]:
    """The test chains of a number of links."""
    places = generator(settings.seed, _TESTING, links).integers(0, len(pairs), (settings.tests, links))
    return [chain([pairs[place] for place in row]) for row in places]


def _scores(translator: Translator, pairs: Sequence[Pair]) -> tuple[float, float]:
    """Exact match (0 to 1) and BLEU (0 to 100) of greedy translations."""
    written = translator.translate([pair.en for pair in pairs], beam=1)
    wanted = [pair.ko for pair in pairs]
    return exact_match(written, wanted).share, bleu(written, wanted).score


def _falls(points: Sequence[LengthPoint], links: int) -> str:
    """BLEU of the shortest, of chains of `links`, and of the longest."""
    middle = next(point for point in points if point.links == links)
    return " → ".join(f"{point.bleu:.0f}" for point in (points[0], middle, points[-1]))


def _words(count: float) -> str:
    return f"{count:.0f} words on"
