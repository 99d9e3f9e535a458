"""Pegasus's class of `transformers`: Marian's with the norm before sublayers, and one at the end of each stack."""

from __future__ import annotations

from bpe_transformer.models.convert.marian import MarianConverter


class PegasusConverter(MarianConverter):
    """`EncoderDecoder` with the norm before sublayers to and from `PegasusForConditionalGeneration`."""

    class_names = ("PegasusForConditionalGeneration",)
    norm_place = "pre"
    has_own_matrices = False


CONVERTER = PegasusConverter()
