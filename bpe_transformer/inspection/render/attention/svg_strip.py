"""Attention as training goes, as SVG: a small matrix for each moment, and below it what the model wrote then."""

from __future__ import annotations

from bpe_transformer.inspection.attention.over_training import AttentionOverTraining, TrainingMoment
from bpe_transformer.inspection.base.visible import visible
from bpe_transformer.inspection.render.attention.svg import MARGIN, STYLE, escaped, text_width

_SIDE = 16  # pixels of a cell
_GAP = 24
_A_LINE = 4  # moments beside each other
_WRITTEN = 22  # characters of what the model wrote, of each line
_LINES = 2


def svg_over_training(view: AttentionOverTraining) -> str:
    """The strip as the text of an SVG file."""
    src, tgt = ([visible(token) for token in tokens] for tokens in (view.last.src_tokens, view.last.tgt_tokens))
    left = MARGIN + max(map(text_width, tgt)) + 8
    above = 20 + max(map(text_width, src)) * 0.75  # for the names of the columns, which are turned
    block = max(_SIDE * len(src), text_width("0" * _WRITTEN)) + _GAP
    below = 20 * _LINES if view.target is not None else 0
    high = above + _SIDE * len(tgt) + below + _GAP
    a_line = min(_A_LINE, len(view.moments))
    lines = -(-len(view.moments) // a_line)
    width, height = left + block * a_line + MARGIN, 40 + high * lines
    title = escaped(f"{view.last.title}, {view.run}")
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{title}">',
        f"<style>{STYLE}</style>",
        f'<text x="{MARGIN}" y="22">{title}</text>',
    ]
    for number, moment in enumerate(view.moments):
        x, y = left + block * (number % a_line), 40 + high * (number // a_line) + above
        if number % a_line == 0:
            drawn += [
                f'<text class="n" x="{left - 8:.1f}" y="{y + _SIDE * (row + 0.72):.1f}" text-anchor="end">{escaped(name)}</text>'
                for row, name in enumerate(tgt)
            ]
        drawn += _moment(moment, src, tgt, x, y)
        drawn += _written(moment, x, y + _SIDE * len(tgt) + 18)
    return "\n".join([*drawn, "</svg>", ""])


def _moment(moment: TrainingMoment, src: list[str], tgt: list[str], left: float, top: float) -> list[str]:
    drawn = [
        f'<text x="{left:.1f}" y="{top + 4 - max(map(text_width, src)) * 0.75 - 8:.1f}">step {moment.step:,}</text>'
    ]
    for column, name in enumerate(src):
        x, y = left + _SIDE * (column + 0.6), top - 5
        turned = f'transform="rotate(-45 {x:.1f} {y:.1f})"'
        drawn.append(f'<text class="n" x="{x:.1f}" y="{y:.1f}" {turned}>{escaped(name)}</text>')
    for row, name in enumerate(tgt):
        for column, other in enumerate(src):
            weight = float(moment.map.weights[0, row, column])
            place = f'x="{left + _SIDE * column:.1f}" y="{top + _SIDE * row:.1f}"'
            told = f"step {moment.step:,}: {escaped(name)} ← {escaped(other)}: {weight:.1%}"
            size = f'width="{_SIDE - 1}" height="{_SIDE - 1}" fill-opacity="{0.04 + 0.92 * min(weight, 1):.2f}"'
            drawn.append(f"<rect {place} {size}><title>{told}</title></rect>")
    return drawn


def _written(moment: TrainingMoment, left: float, top: float) -> list[str]:
    """What the model wrote, in lines of whole words; cut where they are not enough."""
    lines = [""]
    for word in (moment.written or "").split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > _WRITTEN:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    shown = lines[:_LINES]
    if len(lines) > _LINES or any(len(line) > _WRITTEN for line in shown):
        shown = [line[:_WRITTEN] for line in shown]
        shown[-1] = f"{shown[-1][: _WRITTEN - 1]}…"
    return [
        f'<text class="n" x="{left:.1f}" y="{top + 16 * number:.1f}">{escaped(line)}</text>'
        for number, line in enumerate(shown)
        if line
    ]
