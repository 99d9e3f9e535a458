"""Which converter a family's options, or a class of `transformers`, belong to; the registry names the converters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor

from bpe_transformer.errors import ConversionError
from bpe_transformer.models.config import ModelConfig, TransformerConfig
from bpe_transformer.models.convert.converter import Converter, Head, Native
from bpe_transformer.models.registry import FAMILIES, Family


def converters_of(family: Family) -> list[Converter]:
    """The converters of a family, those of its classes."""
    return [cast(Converter, family.load(place)) for place in family.converters]


def converter_of(family: Family, config: ModelConfig, head: Head) -> Converter:
    """The first converter of the family whose classes hold all options.

    Raises:
        ConversionError: there is none; the message has what each class lacks.
    """
    converters = converters_of(family)
    if not converters or not isinstance(config, TransformerConfig):
        raise ConversionError(
            f"transformers has no class for family={family.name!r}, a recurrent encoder-decoder; keep the run as it is, or "
            f"train one of {', '.join(found.name for found in FAMILIES.values() if found.converters)}"
        )
    refusals = []
    for converter in converters:
        problems = converter.problems(config, head)
        if not problems:
            return converter
        refusals.append("; ".join(problems))
    refusals.sort(key=lambda text: text.count(";"))  # the closest one first
    raise ConversionError(f"no class of transformers holds this model: {', and '.join(refusals)}")


def native_from(class_name: str, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Native:
    """A model of `transformers` as one of ours. Raises `ConversionError`."""
    known = {
        name: converter
        for family in FAMILIES.values()
        for converter in converters_of(family)
        for name in converter.class_names
    }
    if class_name not in known:
        raise ConversionError(f"{class_name} is not read; {', '.join(known)} are")
    return known[class_name].from_transformers(class_name, config, weights)
