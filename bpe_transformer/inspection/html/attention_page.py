"""One HTML file with all the attention of a model over one text: kind, method, layer and head are chosen in the page."""

from __future__ import annotations

from html import escape
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from bpe_transformer.inspection.attention.attended import AttendedText
from bpe_transformer.inspection.attention.methods import METHODS, Choice, Method
from bpe_transformer.inspection.attention.reading import Reading
from bpe_transformer.inspection.attention.units import folding_remark
from bpe_transformer.inspection.base.visible import visible
from bpe_transformer.inspection.html.packing import asset, filled, heading, pack, script_json, scripts
from bpe_transformer.io.printable import printable

if TYPE_CHECKING:
    from bpe_transformer.inference.attention_weights import AttentionKind

_METHOD_NAMES = {"weights": "weights", "norms": "weight times value norm", "rollout": "rollout"}
_SCRIPTS = ("encoder.js", "attention/page.js")  # the first unpacks columns
_WHOLE = 10_000  # the page keeps a weight as a whole number of this many parts


def attention_page_html(attended: AttendedText, reading: Reading, *, title: str) -> str:
    """The page; it opens with what `reading` names, and with the last layer where that says all of them.

    Raises:
        ConfigError: the model has no such kind, layer or head.
    """
    return filled(
        "attention/page.html",
        {
            "title": heading(title),
            "style": asset("style.css") + asset("attention/page.css"),
            "colophon": escape(f"bpe-transformer {version('bpe-transformer')}"),
            "data": script_json(attention_page_data(attended, reading)),
            "script": scripts(_SCRIPTS),
        },
    )


def attention_page_data(attended: AttendedText, reading: Reading) -> dict[str, Any]:
    """What the page shows, as JSON values: of each kind its words, and by method its maps as `Reading` defines them.

    Raises:
        ConfigError: the model has no such kind, layer or head.
    """
    attended.maps(reading)  # for the errors it raises
    weights = attended.weights
    chosen = weights.kind_named(reading.kind)
    layer = len(getattr(weights, chosen)) if reading.layer in (None, "all") else reading.layer
    head = "mean" if reading.head == "all" or reading.method == "rollout" else reading.head
    return {
        "kinds": [_kind(attended, kind) for kind in weights.kinds],
        "methods": _METHOD_NAMES,
        "whole": _WHOLE,
        "chosen": {"kind": chosen, "method": reading.method, "layer": layer, "head": head},
        "folding": folding_remark(attended.unit),
        "lead": printable(attended.lead),
    }


def _kind(attended: AttendedText, kind: AttentionKind) -> dict[str, Any]:
    (first,) = attended.maps(Reading(kind))
    return {
        "name": kind,
        "title": attended.weights.title(kind),
        "columns": [visible(token) for token in first.src_tokens],
        "rows": [visible(token) for token in first.tgt_tokens],
        "methods": {method: _maps(attended, kind, method) for method in METHODS},
    }


def _maps(attended: AttendedText, kind: AttentionKind, method: Method) -> dict[str, Any]:
    """Every map of a kind and method, packed as (layers, heads, T, S).

    Where there are several layers their mean and maximum follow them, and likewise the heads'. They are read as the
    command reads them, between tokens: the maximum of maps that are folded already would be another one.
    """
    layers, heads = getattr(attended.weights, kind).shape[:2]
    if method == "rollout":
        heads = 1
    blocks = []
    for layer in _choices(layers):
        over_heads = []
        for head in _choices(heads):
            found = np.stack([view.weights[0] for view in attended.maps(Reading(kind, layer, head, method))])
            over_heads.append(found.reshape(layers if layer == "all" else 1, -1, *found.shape[1:]))
        blocks.append(np.concatenate(over_heads, axis=1))
    parts = np.rint(np.concatenate(blocks) * _WHOLE).astype(np.uint32)
    return {"layers": layers, "heads": heads, "weights": pack(parts.reshape(-1))}


def _choices(count: int) -> tuple[Choice, ...]:
    return ("all",) if count == 1 else ("all", "mean", "max")
