"""Results of every study, written by hand, for pictures and schemas."""

from __future__ import annotations

from bpe_transformer.studies.base.study import Result
from bpe_transformer.studies.base.training_curves import Curve
from bpe_transformer.studies.cost import LAYERS, CostStudy, Measurement
from bpe_transformer.studies.cost import Settings as CostSettings
from bpe_transformer.studies.explain import BINS, Agreement, ExplainStudy, OtherWeights
from bpe_transformer.studies.explain import Settings as ExplainSettings
from bpe_transformer.studies.gradient import MODELS as GRADIENT_MODELS
from bpe_transformer.studies.gradient import GradientProfile, GradientStudy
from bpe_transformer.studies.gradient import Settings as GradientSettings
from bpe_transformer.studies.length import MODELS, LengthPoint, LengthStudy
from bpe_transformer.studies.length import Settings as LengthSettings
from bpe_transformer.studies.scaling import ScalingStudy
from bpe_transformer.studies.scaling import Settings as ScalingSettings
from bpe_transformer.studies.warmup import POST, POST_WITHOUT, PRE, PRE_WITHOUT, WarmupStudy
from bpe_transformer.studies.warmup import Settings as WarmupSettings


def length() -> LengthStudy:
    """The fixed vector is ahead at the shortest length, and attention from the second on."""
    scores = {"lstm": (90.0, 40.0, 5.0), "bahdanau": (88.0, 80.0, 50.0), "transformer": (95.0, 90.0, 2.0)}
    points = tuple(
        LengthPoint(model, links, 4.0 * links - 1, bleu / 100, bleu, 1.5 if model == "lstm" else None)
        for model in MODELS
        for links, bleu in zip((1, 4, 10), scores[model], strict=True)
    )
    sizes = dict.fromkeys(MODELS, 120_000)
    return LengthStudy(
        settings=LengthSettings(trained=6, lengths=(1, 4, 10)),
        points=points,
        parameters=sizes,
        widths=dict.fromkeys(MODELS, 64),
    )


def gradient() -> GradientStudy:
    """Every model loses half with a word of distance before training, and nothing after it."""
    profiles = tuple(
        GradientProfile(
            model,
            trained,
            (0.5, 0.5, 0.5) if trained else (0.5, 0.25, 0.125),
            (1.0, 0.75, 0.5) if trained else (0.0, 0.0, 0.0),
        )
        for model in GRADIENT_MODELS
        for trained in (False, True)
    )
    return GradientStudy(
        settings=GradientSettings(lengths=(1, 2, 3)),
        profiles=profiles,
        parameters=dict.fromkeys(GRADIENT_MODELS, 40_000),
    )


def cost() -> CostStudy:
    """What the paper's table says, to the letter: n · d² and n² · d nanoseconds."""
    settings = CostSettings(lengths=(64, 128, 256, 512), widths=(32, 64, 128, 256))

    def measured(layer: str, n: int, d: int) -> Measurement:
        is_recurrent = layer == LAYERS[0].name
        nanoseconds = 100 * n * d * d if is_recurrent else 10 * n * n * d
        memory = n * n * 4 if layer == LAYERS[1].name else n * d * 8
        return Measurement(layer, n, d, nanoseconds / 1e9, 2 * nanoseconds / 1e9, memory)

    return CostStudy(
        settings=settings,
        by_length=tuple(measured(layer.name, n, settings.width) for n in settings.lengths for layer in LAYERS),
        by_width=tuple(measured(layer.name, settings.length, d) for d in settings.widths for layer in LAYERS),
    )


def explain() -> ExplainStudy:
    """Attention is right more often than its rivals, and adversarial weights are far away."""
    histogram = tuple(1 / BINS for _ in range(BINS))
    return ExplainStudy(
        settings=ExplainSettings(pairs=40),
        models=3,
        hits=0.9,
        hits_error=0.01,
        chance=0.35,
        agreements=(
            Agreement("gradient × input", 0.4, 0.02, histogram, 0.8, 0.03),
            Agreement("leave-one-out", 0.5, 0.01, histogram, 0.85, 0.02),
            Agreement("value zeroing", 0.9, 0.01, histogram, 0.9, 0.01),
        ),
        others=(
            OtherWeights("permuted", 0.6, 0.45, None, None),
            OtherWeights("adversarial", 0.008, 0.5, 0.2, 0.9),
            OtherWeights("uniform", 0.3, 0.2, 0.35, 0.5),
        ),
        found=0.98,
        adversarial_divergence=0.4,
        seed_divergence=0.1,
        right=0.97,
        exact=0.9,
        exact_uniform=0.3,
    )


def _curve(name: str, losses: tuple[float, ...], skipped: int = 0) -> Curve:
    return Curve(name, 30_000, (0, 10, 20, 30, 40), (losses, losses), (0.2, 0.8), skipped)


def warmup() -> WarmupStudy:
    """Post-norm does not learn without warm-up."""
    good, bad = (6.0, 3.0, 1.5, 0.8, 0.4), (6.0, 4.0, 4.0, 4.0, 3.9)
    return WarmupStudy(
        settings=WarmupSettings(steps=40),
        curves=(_curve(POST, good), _curve(POST_WITHOUT, bad, 2), _curve(PRE, good), _curve(PRE_WITHOUT, good)),
        unigram=4.0,
    )


def scaling() -> ScalingStudy:
    """Without the division the one wide head learns slowly."""
    good, slow = (6.0, 3.0, 1.5, 0.8, 0.4), (6.0, 4.0, 3.0, 2.5, 2.2)
    names = [f"d_k = {size}, {how}" for size in (16, 128) for how in ("divided by √d_k", "not divided")]
    curves = tuple(_curve(name, losses) for name, losses in zip(names, (good, good, good, slow), strict=True))
    return ScalingStudy(settings=ScalingSettings(steps=40), curves=curves, unigram=4.0)


def every() -> dict[str, Result]:
    """One result of every study, by name."""
    return {
        "length": length(),
        "gradient": gradient(),
        "cost": cost(),
        "explain": explain(),
        "warmup": warmup(),
        "scaling": scaling(),
    }
