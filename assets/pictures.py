"""Makes the pictures of the README from real runs of the commands: `make pictures`.

Each is what a terminal of so many columns shows, as SVG. The vocabulary is learned here and now from a corpus that comes
with the package, so the pictures are the same on every machine.
"""

from __future__ import annotations

import html
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.terminal_theme import MONOKAI

from bpe_transformer import Tokenizer
from bpe_transformer.cli import cli
from bpe_transformer.cli.support import console as _common
from bpe_transformer.corpora.numbers_en_ko import generate

HERE = Path(__file__).resolve().parent
# Rich's own frame around the terminal, without the font that it would fetch from the network
SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: {char_height}px;
 line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: ui-sans-serif, sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g></g></svg>
"""


def recorder(columns: int, lines: int = 40) -> Console:
    return Console(
        record=True,
        width=columns,
        height=lines,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
    )


def save(console: Console, name: str, title: str) -> None:
    svg = console.export_svg(title=title, theme=MONOKAI, code_format=SVG, unique_id=name)
    svg = re.sub(r'textLength="([0-9.]+)"([^>]*)>([^<]*)</text>', in_cells, svg)
    (HERE / f"{name}.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def in_cells(text: re.Match[str]) -> str:
    """A text of the picture as wide as it is in a terminal; Rich gives every character one cell, Hangul as well."""
    length, rest, escaped = text.groups()
    written = html.unescape(escaped)
    cells = float(length) / len(written) * cell_len(written)
    return f'textLength="{cells:g}" lengthAdjust="spacing"{rest}>{escaped}</text>'


def command(name: str, *arguments: str, columns: int = 80, shown: str | None = None) -> None:
    """The picture `name` of one command; `shown` is how a user would type it."""
    console = recorder(columns)
    original: Callable[[int | None], Console] = _common.output
    _common.output = lambda width=None: (
        console
    )  # commands look it up when they are loaded, which is when they first run
    for module in [module for module in sys.modules if module.startswith("bpe_transformer.cli.commands.")]:
        del sys.modules[module]
    try:
        cli.main(list(arguments), standalone_mode=False)
    finally:
        _common.output = original
    save(console, name, "bpe-transformer " + (shown or " ".join(arguments)))


def two_languages() -> None:
    """`en.txt` and `ko.txt`: two thousand number expressions, line by line the same."""
    examples = list(generate("train", 2000))
    Path("en.txt").write_text("".join(f"{example.en}\n" for example in examples), encoding="utf-8")
    Path("ko.txt").write_text("".join(f"{example.ko}\n" for example in examples), encoding="utf-8")


def walk(name: str, tokenizer: Tokenizer, words: list[str], keys: list[str], shown: str) -> None:
    """The picture `name` of `trace --step` after some keys."""
    from bpe_transformer.cli.support.step_viewer import Stepper
    from bpe_transformer.inspection.history.trace_walk import TraceWalk

    stepper = Stepper(TraceWalk(tokenizer, words))
    for key in keys:
        stepper.press(key)
    console = recorder(80)
    console.print(stepper.picture(80, 22))
    save(console, name, f"bpe-transformer {shown}")


def page(name: str, text: str) -> None:
    """The picture `name` of a report's playground and timeline, as a headless Chromium draws it."""
    from playwright.sync_api import sync_playwright

    cli.main(
        ["report", "tok", "-o", "report.html", "--words", "·three, ·thirteen, 고양이, ·마리"], standalone_mode=False
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        view = browser.new_page(viewport={"width": 1000, "height": 2400}, color_scheme="light")
        view.goto(Path("report.html").resolve().as_uri())
        view.wait_for_selector("html[data-ready]")
        view.locator("#text").fill(text)
        view.evaluate("report.playground.inspectLongest(); document.activeElement.blur()")
        top, last = (view.locator(part).bounding_box() for part in ("#playground", "#timeline"))
        assert top is not None
        assert last is not None
        clip = {"x": 0, "y": top["y"] + 20, "width": 1000, "height": last["y"] + last["height"] - top["y"]}
        view.screenshot(path=str(HERE / f"{name}.png"), clip=clip)
        browser.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        learn = ["learn", "numbers-en-ko", "--vocab-size", "2000"]
        cli.main([*learn, "-o", "tok"], standalone_mode=False)
        cli.main([*learn, "-o", "gpt2-split", "--pattern", "gpt2"], standalone_mode=False)
        two_languages()
        cli.main(["learn", "en.txt", "--vocab-size", "1000", "-o", "english"], standalone_mode=False)
        command("tokens", "tokens", "tok", "고양이 세 마리, three 🐈s", shown="tokens tok '고양이 세 마리, three 🐈s'")
        parallel = ["--parallel", "en=en.txt", "ko=ko.txt"]
        command("compare", "compare", "tok", "english", *parallel, "--limit", "1", columns=88)
        command("vocab", "vocab", "tok", "--used-in", "ko.txt", "--sort", "swallowed", "--limit", "6", columns=88)
        command("why", "why", "tok", "--text", "고양이 thirsty", shown="why tok --text '고양이 thirsty'")
        command(
            "sizes", "sizes", "tok", "--text", "en.txt", "--text", "ko.txt", "--sizes", "400,600,800,1000,1400,2000"
        )
        page("report", "three cats, thirteen thirsty sheep\n고양이 세 마리와 양 열세 마리\n")
        command("trace-diff", "trace", "diff", "tok", "gpt2-split")
        keys = [*"g", *"237", "enter", "f", "n"]
        walk(
            "trace-step", Tokenizer.load("tok"), [" three", "고양이"], keys, "trace tok --step --words ' three,고양이'"
        )


if __name__ == "__main__":
    main()
