"""One HTML file with all the attention of a model over one text: kind, method, layer and head are chosen in the page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import escape
from importlib import resources
from importlib.metadata import version
from typing import Any

from bpe_transformer.inspection.attention.attended import AttendedText
from bpe_transformer.inspection.attention.methods import METHODS
from bpe_transformer.inspection.attention.reading import Reading
from bpe_transformer.inspection.attention.units import folding_remark
from bpe_transformer.inspection.base.visible import visible
from bpe_transformer.io.printable import printable

_METHOD_NAMES = {"weights": "weights", "norms": "weight times value norm", "rollout": "rollout"}
_DIGITS = 4  # after the point


def attention_page(attended: AttendedText, reading: Reading, *, title: str) -> str:
    """The page; it opens with what `reading` names, and with the last layer where that says all of them."""
    data = attention_data(attended, reading)
    values = {
        "title": escape(title),
        "style": _asset("style.css") + _asset("attention/page.css"),
        "colophon": escape(f"bpe-transformer {version('bpe-transformer')}"),
        "data": json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        "script": _asset("attention/page.js"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found.group(1)], _asset("attention/page.html"))


def attention_data(attended: AttendedText, reading: Reading) -> dict[str, Any]:
    """What the page shows, as JSON values: of each kind its words, and by method the weights (layers, heads, T, S)."""
    weights = attended.weights
    kinds = [_kind(attended, kind) for kind in weights.kinds]
    chosen = weights.kind_named(reading.kind)
    layers = next(len(kind["methods"]["weights"]) for kind in kinds if kind["name"] == chosen)
    layer = layers if reading.layer in (None, "all") else reading.layer
    head = "mean" if reading.head == "all" or reading.method == "rollout" else reading.head
    return {
        "kinds": kinds,
        "methods": _METHOD_NAMES,
        "chosen": {"kind": chosen, "method": reading.method, "layer": layer, "head": head},
        "folding": folding_remark(attended.unit),
        "lead": printable(attended.lead),
    }


def _asset(name: str) -> str:
    place = resources.files("bpe_transformer.inspection.html").joinpath("assets", *name.split("/"))
    return place.read_text(encoding="utf-8")


def _kind(attended: AttendedText, kind: Any) -> dict[str, Any]:
    everything = Reading(kind, "all", "all")
    methods = {}
    for method in METHODS:
        maps = attended.maps(replace(everything, method=method))
        heads = 1 if method == "rollout" else len(maps) // len(getattr(attended.weights, kind))
        rounded = [[[round(float(value), _DIGITS) for value in row] for row in view.weights[0]] for view in maps]
        methods[method] = [rounded[first : first + heads] for first in range(0, len(rounded), heads)]
    return {
        "name": kind,
        "title": attended.weights.title(kind),
        "columns": [visible(token) for token in maps[0].src_tokens],
        "rows": [visible(token) for token in maps[0].tgt_tokens],
        "methods": methods,
    }
