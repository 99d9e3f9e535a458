"""The studies by name: the question of each, the figure that it repeats, and what it takes. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.base.view import View


@dataclass(frozen=True, slots=True)
class StudyInfo(View):
    """One study.

    repeats: the papers, with the figure, table or equation. minutes: CPU time with the default settings and one thread
    on an AMD EPYC (Zen 4), about; the settings of a study scale it.
    """

    name: str
    question: str
    repeats: str
    minutes: float

    def module(self) -> Any:
        """The module of the study, which has its `Settings` and `run_study`."""
        return import_module(f"bpe_transformer.studies.{self.name}")

    def settings(self, **given: Any) -> Any:
        """The study's `Settings` with fields replaced. Raises `ConfigError` for a field that it does not have."""
        kind = self.module().Settings
        if unknown := sorted(set(given) - set(kind.names())):
            raise ConfigError(f"the study {self.name} has no {unknown[0]}; its settings are {', '.join(kind.names())}")
        return kind(**given)

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "question": self.question, "repeats": self.repeats, "minutes": self.minutes}


@dataclass(frozen=True, slots=True)
class StudyList(View):
    """All studies."""

    studies: tuple[StudyInfo, ...]

    def as_dict(self) -> dict[str, Any]:
        return {"studies": [study.as_dict() for study in self.studies]}


STUDIES: dict[str, StudyInfo] = {
    study.name: study
    for study in (
        StudyInfo(
            "length",
            "Does a long sentence get lost in one vector?",
            "Cho et al. 2014, On the Properties of Neural Machine Translation, figure 4; Bahdanau et al. 2015, figure 2",
            8.0,
        ),
        StudyInfo(
            "gradient",
            "How much of the gradient of a late output reaches an early input?",
            "Pascanu et al. 2013, On the difficulty of training recurrent neural networks, equation 5 and section 2.1",
            1.7,
        ),
        StudyInfo(
            "cost",
            "What does attention cost beside a recurrent layer, in time and memory?",
            "Vaswani et al. 2017, table 1",
            1.0,
        ),
        StudyInfo(
            "explain",
            "Can attention weights explain an output?",
            "Jain and Wallace 2019, table 2 and figures 2, 6 and 7; Wiegreffe and Pinter 2019, table 2 and section 3",
            3.4,
        ),
        StudyInfo(
            "warmup",
            "What does a Transformer need warm-up for?",
            "Xiong et al. 2020, On Layer Normalization in the Transformer Architecture, figure 2",
            1.3,
        ),
        StudyInfo(
            "scaling",
            "Why are dot products divided by the root of d_k?",
            "Vaswani et al. 2017, section 3.2.1 (its footnote 4; the paper has no figure of it)",
            0.9,
        ),
    )
}  # fmt: skip


def study_named(name: str) -> StudyInfo:
    """One of `STUDIES`; `ConfigError` for another name."""
    if name not in STUDIES:
        raise ConfigError(f"there is no study {name!r}; choose one of {', '.join(STUDIES)}")
    return STUDIES[name]


def run_study(name: str, **given: Any) -> Any:
    """The result of a study with its default settings, or with those given. Raises `ConfigError`.

    `cost.Settings`, `length.Settings` and so on say what can be given.
    """
    info = study_named(name)
    return info.module().run_study(info.settings(**given))
