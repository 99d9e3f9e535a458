"""Weights of corpora: exact fractions, and the temperature that evens out their sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from bpe_transformer.errors import ConfigError

Weight = int | float | Fraction


def fraction(weight: Weight) -> Fraction:
    """A weight as a fraction that the core can multiply with exactly. A float is the decimal number it prints as.

    Raises `ConfigError` for a weight that is not above 0, or is too large.

    >>> fraction(0.3)
    Fraction(3, 10)
    """
    if isinstance(weight, bool) or not isinstance(weight, (int, float, Fraction)) or not math.isfinite(weight):
        raise ConfigError(f"weight={weight!r} is not a number; give a number above 0, such as 0.3 or 2")
    exact = Fraction(str(weight)).limit_denominator(10**18)
    if not 0 < exact < 2**63 or exact.numerator >= 2**64:
        raise ConfigError(f"weight={weight!r}; a weight is above 10^-18 and below 2^63")
    return exact


def temperature_weights(sizes: Sequence[int], temperature: float) -> list[Fraction]:
    """Weights after which corpora of these sizes have the shares q_i = p_i^(1/T) / sum of p_j^(1/T), p_i being theirs before.

    The smallest weight is 1: small corpora are scaled up, none is scaled down, so that no word is lost. Rounded to six
    decimals, so that they are the same on every machine. Sampling with the exponent 1/T: Conneau and Lample, Cross-lingual
    Language Model Pretraining (2019), section 3.1; as a temperature: Arivazhagan et al., Massively Multilingual Neural
    Machine Translation in the Wild (2019), section 4.2.

    >>> [float(weight) for weight in temperature_weights([800, 200], 2)]
    [1.0, 2.0]
    """
    if isinstance(temperature, bool) or not temperature > 0:
        raise ConfigError(
            f"temperature={temperature!r}; 1 keeps the sizes, higher evens them out, infinity makes them equal"
        )
    if not all(sizes):
        raise ConfigError("a corpus to mix is empty; leave it out")
    logs = [(1 / temperature - 1) * math.log(size) for size in sizes]
    return [fraction(round(math.exp(log - min(logs)), 6)) for log in logs]
