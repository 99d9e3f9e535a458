"""Attention as SVG: two sentences with lines between them, and the matrix; readable on a light and on a dark page."""

from __future__ import annotations

from html import escape

from rich.cells import cell_len

from bpe_transformer.inspection.attention.attention_map import AttentionMap
from bpe_transformer.inspection.base.visible import visible
from bpe_transformer.io.printable import printable

_CELL = 8.2  # pixels of a cell of text at 14 px
_GAP, MARGIN = 18, 16
_LINES = 120  # pixels between the sentences
SIDE = 34  # of a cell of the matrix
STYLE = (
    "text{font:14px ui-monospace,'D2Coding','Noto Sans Mono CJK KR',monospace;fill:#333}.n{font-size:11px}"
    "line{stroke:#0072b2;stroke-linecap:round}rect{fill:#0072b2}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}line{stroke:#56b4e9}rect{fill:#56b4e9}}"
)


def svg_attention(attention: AttentionMap) -> str:
    """The mean over the heads of `attention` as the text of an SVG file."""
    attention = attention.mean()
    src, tgt = ([visible(token) for token in tokens] for tokens in (attention.src_tokens, attention.tgt_tokens))
    top, bottom = _centres(src), _centres(tgt)
    left = MARGIN + max(text_width(name) for name in tgt) + 12  # where the matrix begins
    matrix_top = 56 + _LINES + 44 + max(text_width(name) for name in src) * 0.75
    width = max(top[-1] + text_width(src[-1]), bottom[-1] + text_width(tgt[-1]), left + SIDE * len(src)) + MARGIN
    height = matrix_top + SIDE * len(tgt) + MARGIN
    title = escaped(attention.title)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{title}">',
        f"<style>{STYLE}</style>",
        f'<text x="{MARGIN}" y="22">{title}</text>',
    ]
    upper, lower = 56, 56 + _LINES
    for names, centres, y in ((src, top, upper), (tgt, bottom, lower)):
        drawn += [
            f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{escaped(name)}</text>'
            for name, x in zip(names, centres, strict=True)
        ]
    for row, x0 in enumerate(bottom):
        for column, x1 in enumerate(top):
            weight = float(attention.weights[0, row, column])
            if weight >= 0.05:
                drawn.append(
                    f'<line x1="{x0:.1f}" y1="{lower - 18}" x2="{x1:.1f}" y2="{upper + 8}" '
                    f'stroke-width="{0.5 + 3 * weight:.2f}" stroke-opacity="{min(weight, 1):.2f}"/>'
                )
    drawn += _matrix(attention, src, tgt, left, matrix_top)
    return "\n".join([*drawn, "</svg>", ""])


def _matrix(attention: AttentionMap, src: list[str], tgt: list[str], left: float, top: float) -> list[str]:
    drawn = []
    for column, name in enumerate(src):
        x, y = left + SIDE * column + SIDE / 2, top - 8
        drawn.append(f'<text x="{x:.1f}" y="{y:.1f}" transform="rotate(-45 {x:.1f} {y:.1f})">{escaped(name)}</text>')
    for row, name in enumerate(tgt):
        y = top + SIDE * row
        drawn.append(f'<text x="{left - 8:.1f}" y="{y + SIDE * 0.62:.1f}" text-anchor="end">{escaped(name)}</text>')
        for column in range(len(src)):
            weight = float(attention.weights[0, row, column])
            x = left + SIDE * column
            cell = f'x="{x:.1f}" y="{y:.1f}" width="{SIDE - 1}" height="{SIDE - 1}"'
            told = f"{escaped(name)} ← {escaped(src[column])}: {weight:.1%}"
            drawn.append(f'<rect {cell} fill-opacity="{0.03 + 0.85 * min(weight, 1):.2f}"><title>{told}</title></rect>')
            if weight >= 0.005:
                drawn.append(
                    f'<text class="n" x="{x + SIDE / 2:.1f}" y="{y + SIDE * 0.62:.1f}" '
                    f'text-anchor="middle">{weight:.0%}</text>'
                )
    return drawn


def _centres(names: list[str]) -> list[float]:
    found = []
    x = float(MARGIN)
    for name in names:
        found.append(x + text_width(name) / 2)
        x += text_width(name) + _GAP
    return found


def text_width(name: str) -> float:
    """Pixels of a text at 14 px."""
    return max(1, cell_len(name)) * _CELL


def escaped(text: str) -> str:
    """A text for SVG and HTML, without characters that act on a reader."""
    return escape(printable(text), quote=True)
