"""What all studies have in common: settings that know what they cost, results that say what they repeat."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, TypeVar

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.base.view import View
from bpe_transformer.models.checked import Checked, option
from bpe_transformer.studies.catalog import STUDIES

Progress = Callable[[float, str], None]  # (share of the work that is over, what is being done)
_S = TypeVar("_S", bound="StudySettings")


def no_progress(share: float, what: str) -> None:
    """For who does not watch."""


@dataclass(frozen=True, kw_only=True)
class StudySettings(Checked):
    """The settings of a study. A result is a function of them, on one machine with one number of threads."""

    STUDY: ClassVar[str]
    LENGTHENED: ClassVar[str] = "steps"  # the field that more minutes are spent on

    seed: int = option(1, unit="number", meaning="that decides every draw", low=0, below=1 << 63)

    @classmethod
    def names(cls) -> list[str]:
        """The fields, in the order of their declaration, `seed` last."""
        names = [field.name for field in fields(cls)]
        return [*(name for name in names if name != "seed"), "seed"]

    @property
    def work(self) -> float:
        """What takes time, in units of its own: twice as much takes about twice as long."""
        raise NotImplementedError

    @property
    def minutes(self) -> float:
        """CPU minutes that this is expected to take."""
        return STUDIES[self.STUDY].minutes * self.work / type(self)().work

    def lasting(self: _S, minutes: float) -> _S:
        """The same with so much of what is lengthened as takes about `minutes`, 1 at least.

        Raises `ConfigError` where what is lengthened takes no time: runs that are looked at are not trained.
        """
        if not 0 < minutes < math.inf:
            raise ConfigError(f"minutes={minutes:g} must be a number above 0")
        field = self.LENGTHENED
        # the first of them comes with the work that does not depend on their number
        one, two = (replace(self, **{field: count}).minutes for count in (1, 2))
        if two <= one:
            raise ConfigError(
                f"minutes has nothing to shorten or lengthen: the study {self.STUDY} takes as long with any {field} here; "
                "leave minutes out, and give its other settings"
            )
        return replace(self, **{field: max(1, int(1 + (minutes - one) / (two - one) + 1e-6))})


@dataclass(frozen=True, kw_only=True)
class Result(View):
    """The base of the results: what was asked with which settings."""

    settings: StudySettings

    def facts(self) -> dict[str, Any]:
        """What every result says of itself in JSON."""
        info = STUDIES[self.settings.STUDY]
        return {
            "study": info.name,
            "question": info.question,
            "repeats": info.repeats,
            "settings": {name: _plain(getattr(self.settings, name)) for name in self.settings.names()},
        }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def faults_of_sizes(name: str, values: tuple[int, ...], least: int, fewest: int = 1) -> list[str]:
    """What is wrong with a setting that is several sizes, in ascending order: too few, one below `least`, another order."""
    shown = ",".join(map(str, values))
    if len(values) < fewest:
        are = "is one size" if len(values) == 1 else f"are {len(values)} sizes"
        return [f"{name}={shown} {are}; give {fewest} at least"]
    if any(value < least for value in values):
        return [f"{name}={shown} must be at least {least} each"]
    if list(values) != sorted(set(values)):
        return [f"{name}={shown} must go up"]
    return []
