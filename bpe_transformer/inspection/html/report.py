"""One HTML file that shows a vocabulary: playground, merge timeline, counts of the merges, vocabulary sizes.

    write_report(report_data(tok, title="my tokenizer"), "report.html")

`report_data` gives the page's data; the page's code is in `assets/`. The file needs no network and opens from disk; its
content security policy forbids all connections.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import fields
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from bpe_transformer.errors import LearningError, PatternError, refuse_one_string
from bpe_transformer.inspection.comparison.vocab_size_sweep import VocabSizeSweep, sweep_vocab_sizes
from bpe_transformer.inspection.html.js_patterns import FIRST_LETTER, translate
from bpe_transformer.inspection.html.packing import (
    asset,
    charts_library,
    deflated,
    filled,
    heading,
    pack,
    script_json,
    scripts,
    write_page,
)
from bpe_transformer.tokenizer.splitting import patterns
from bpe_transformer.tokenizer.splitting.time_limit import is_bounded

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import MergeTrace, Tokenizer
    from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
    from bpe_transformer.tokenizer.vocabulary.model import BpeModel

SCRIPTS = (
    *("encoder.js", "splitting.js", "view.js", "token_facts.js", "token_list.js", "theme.js", "plots.js"),
    *("playground.js", "timeline.js", "charts.js", "page.js"),
)
SAMPLE_WORDS = 8
FEW_MERGES = 1000


def report_data(
    tokenizer: Tokenizer, *, title: str, words: Sequence[str] = (), sweep: VocabSizeSweep | None = None
) -> dict[str, Any]:
    """Everything that the page shows, as JSON values; columns of numbers are packed (see `pack`).

    `words` are followed through the merges at first (default: `sample_words`); `sweep` is the result of
    `sweep_vocab_sizes` (default: that of the learning corpus, if there is a trace). What cannot be shown is
    left out, and a `no_…` entry says why: counts without a trace, sizes without a trace or texts, the playground where
    the split pattern has no exact counterpart in a browser.
    """
    refuse_one_string(words=words)
    data: dict[str, Any] = {"title": title, "facts": _facts(tokenizer), "vocabulary": vocabulary(tokenizer.model)}
    data["words"] = list(words) or sample_words(tokenizer)
    data["colophon"] = f"bpe-transformer {version('bpe-transformer')}, tokenizer {tokenizer.digest}"
    try:
        data["splitting"] = splitting(tokenizer.model.pretokenizer)
    except PatternError as cause:
        data["splitting"] = None
        data["no_playground"] = f"There is no playground for this tokenizer: {cause}."
    data["trace"] = None if tokenizer.trace is None else trace_columns(tokenizer.trace)
    if tokenizer.trace is None:
        data["no_trace"] = (
            "No trace was saved with this tokenizer, so it is not known how often its pairs occurred: a trace is written "
            "by learning with this library and lies beside tokenizer.json."
        )
    try:
        data["sizes"] = (sweep or sweep_vocab_sizes(tokenizer)).as_dict()
    except LearningError as cause:
        data["sizes"] = None
        data["no_sizes"] = f"No size was measured: {cause}."
    return data


def write_report(data: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Writes the page of `report_data` to `path`, whole or not at all. Raises OSError if it cannot be written."""
    write_page(report_html(data), path)


def report_html(data: dict[str, Any]) -> str:
    """The page of `report_data`."""
    return filled(
        "page.html",
        {
            "title": heading(data["title"]),
            "style": asset("vendor/uPlot.min.css") + asset("style.css"),
            "data": script_json(data),
            "uplot": charts_library(),
            "script": scripts(SCRIPTS),
        },
    )


# --- plain data --------------------------------------------------------------------------------------------------------


def vocabulary(model: BpeModel) -> dict[str, Any]:
    """The facts that encoding needs, and the bytes of all tokens that do not follow from the merges."""
    named = {**model.special_tokens, **model.added_tokens}
    base = set(model.base_ids)
    built = {id: model.tokens[id] for id in base}
    columns = (model.left.tolist(), model.right.tolist(), model.merged_ids.tolist())
    for left, right, merged in zip(*columns, strict=True):
        if merged not in built and left in built and right in built:
            built[merged] = built[left] + built[right]
    others = [id for id, token in enumerate(model.tokens) if id not in base and token and built.get(id) != token]
    return {
        "vocab_size": len(model.tokens),
        "unit": model.unit,
        "left": pack(model.left),
        "right": pack(model.right),
        "merged_ids": pack(model.merged_ids, delta=True),
        "base": [[id, model.tokens[id].hex()] for id in model.base_ids],
        "others": [[id, model.tokens[id].hex()] for id in others],
        "special": list(map(list, model.special_tokens.items())),
        "token_flags": {name: list(flags) for name, flags in model.token_flags.items()},
        "added": list(map(list, model.added_tokens.items())),
        "word_ends": sorted(base & model.word_ends),
        "end_of_word": model.end_of_word,
        "unk": None if model.unk_token is None else named[model.unk_token],
        "fuse_unk": model.fuse_unk,
        "fallback": list(model.fallback_ids),
        "ignore_merges": model.ignore_merges,
        "space_mark": model.space_mark,
        "prefix_space": model.prefix_space,
        "undone": [[id, list(becomes)] for id, becomes in model.undone.items()],
    }


def splitting(split: Pretokenizer) -> dict[str, Any]:
    """How text becomes pre-tokens: what is protected (None: nothing), then the patterns, one after another.

    Raises `PatternError` for what has no exact counterpart in a browser.
    """
    if unknown := split.facts().keys() - {
        "pattern",
        "normalization",
        "protected",
        "before",
        "charsmap",
        "squeeze_spaces",
    }:
        raise PatternError(f"the page does not know how to split by {', '.join(sorted(unknown))}")
    if not split.keeps_all:
        raise PatternError("the page does not know how to leave text between pre-tokens out")
    protected = "|".join(f"(?:{expression})" for expression in split.protected)
    mapped = None if split.charsmap is None else list(split.charsmap_normalizer.entries.items())
    return {
        "normalization": split.normalization,
        "charsmap": None if mapped is None else {"json": deflated(json.dumps(mapped).encode())},
        "squeeze_spaces": split.squeeze_spaces,
        "protected": _pattern(protected) if protected else None,
        "patterns": [_pattern(patterns.expression(pattern)) for pattern in (*split.before, split.pattern)],
    }


def _pattern(expression: str) -> dict[str, Any]:
    found = translate(expression)
    if not is_bounded(expression):
        shown = expression if len(expression) <= 300 else expression[:297] + "..."
        raise PatternError(
            f"pattern {shown!r} may take for ever in a browser, which knows no limit of time: "
            "it repeats a group, or leaves many choices"
        )
    return {
        "source": found.source,
        "starts": pack(found.starts, delta=True),
        "kinds": pack(found.kinds),
        "space": list(found.space),
        "word": list(found.word),
        "first_letter": FIRST_LETTER,
    }


def trace_columns(trace: MergeTrace) -> dict[str, Any]:
    """The columns of a trace; those of 64 bits as two of 32. The pairs are in `vocabulary`."""
    columns: dict[str, Any] = {"first_rank": trace.first_rank}
    for name in (field.name for field in fields(trace) if field.name not in ("left", "right")):
        column = getattr(trace, name)
        if not isinstance(column, np.ndarray):
            continue
        if column.dtype == np.uint32:
            columns[name] = pack(column)
        else:
            columns[f"{name}_low"] = pack(column & 0xFFFFFFFF, delta=name in ("counts", "tokens_left"))
            columns[f"{name}_high"] = pack(column >> 32)
    return columns


def _facts(tokenizer: Tokenizer) -> list[list[Any]]:
    """(name, value, whether in small print) for the top of the page."""
    model = tokenizer.model
    rows: list[list[Any]] = [
        ["vocabulary", f"{tokenizer.vocab_size:,}", False],
        ["merges", f"{len(model.left):,}", False],
        ["base alphabet", f"{len(model.base_ids):,} {'bytes' if model.unit == 'byte' else 'characters'}", False],
        ["split pattern", str(model.pretokenizer), len(str(model.pretokenizer)) > 16],
    ]
    if tokenizer.trace is not None:
        rows.append(["decided by tie rule", f"{tokenizer.trace.ties:,}", False])
    rows.append(["special tokens", " ".join(model.special_tokens) or "none", bool(model.special_tokens)])
    return rows


def sample_words(tokenizer: Tokenizer) -> list[str]:
    """Up to `SAMPLE_WORDS` tokens of the vocabulary that are words.

    Of a small vocabulary the longest. Of a large one, from frequent to rare, the longest in each of several ranges of
    ranks that grow geometrically; by turns in Latin and in other letters, and with a space before it where there are such.
    """
    model = tokenizer.model
    merges = len(model.left)
    if merges < FEW_MERGES:
        found = {word for id in model.merged_ids.tolist() if (word := _word(model, id))}
        return sorted(found, key=lambda word: (-len(word.encode()), word))[:SAMPLE_WORDS] or ["lower"]
    edges = np.geomspace(1, merges + 1, SAMPLE_WORDS + 3).astype(int)[2:]
    words: dict[str, None] = {}
    for turn, (first, last) in enumerate(zip(edges, edges[1:], strict=False)):
        found = {word for id in model.merged_ids[first - 1 : last - 1][:5000].tolist() if (word := _word(model, id))}
        found = {word for word in found if word.startswith(" ")} or found
        found = {word for word in found if word.isascii() == (turn % 2 == 0)} or found
        if found:
            words.setdefault(max(found, key=lambda word: (len(word), word)))
    return list(words) or ["lower"]


def _word(model: BpeModel, id: int) -> str | None:
    """The text of a token of letters, with or without a space before them; with end-of-word marks, of a whole word only."""
    if id >= model.vocab_size:  # undone: no text is encoded to it
        return None
    try:
        text = model.decoded_bytes[id].decode()
    except UnicodeDecodeError:
        return None
    word = text.strip()
    is_dull = (len(word) > 1 and word.isupper()) or len(set(word)) * 2 < len(
        word
    )  # capitals alone, one letter repeated
    if not word.isalpha() or is_dull or len(word) > 16:
        return None
    return text.rstrip() if model.end_of_word is None or id in model.word_ends else None
