"""How fast the HTML report is in a browser: loading, and a keystroke in 10 kB of text, with a vocabulary of any size.

    python tests/benchmarks/report_page.py TOKENIZER TEXT...

Needs a Chromium on the PATH (`make browser`). The ids of each text are compared with the Python encoder's before anything
is timed. A keystroke is timed from its event to the frame after which the page shows it, and by the processor time that
the page's main thread took for it, which other programs do not lengthen; what is typed goes to the start, the middle and the
end of the text.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import CDPSession, Page, sync_playwright

from bpe_transformer import Tokenizer
from bpe_transformer.inspection.html.report import report_data, write_report

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
TYPED = "lower newest"
LISTEN = """() => {
  window.times = [];
  document.getElementById("text").addEventListener("keydown", (event) => {
    const start = event.timeStamp;
    requestAnimationFrame(() => setTimeout(() => times.push(performance.now() - start)));
  });
}"""


def typed(page: Page, place: int) -> list[float]:
    """Milliseconds of every key of TYPED, at a place in the text."""
    page.evaluate("place => document.getElementById('text').setSelectionRange(place, place)", place)
    page.evaluate("times.length = 0")
    for key in TYPED:
        page.keyboard.press(key)
        page.wait_for_timeout(40)
    found: list[float] = page.evaluate("times")
    return found


def main_thread(session: CDPSession) -> float:
    """Milliseconds of processor time that the page has taken so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return 1000 * next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer")
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--loads", type=int, default=5, help="how often the page is opened")
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(options.tokenizer)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "report.html"
        started = time.perf_counter()
        write_report(report_data(tokenizer, title="measured"), file)
        print(
            f"{tokenizer.vocab_size:,} tokens, {file.stat().st_size:,} bytes, written in {time.perf_counter() - started:.1f} s"
        )
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        loads = []
        for _ in range(options.loads):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            started = time.perf_counter()
            page.goto(file.as_uri())
            page.wait_for_selector("html[data-ready]")
            loads.append(time.perf_counter() - started)
        print(f"load: median {statistics.median(loads):.2f} s, worst {max(loads):.2f} s")
        page.evaluate(LISTEN)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        for name in options.texts:
            text = Path(name).read_bytes()[:10_000].decode("utf-8", "ignore")
            page.locator("#text").fill(text)
            normal = page.locator("#text").input_value()  # with line ends as the browser has them
            if page.evaluate("report.playground.ids") != tokenizer.encode_ordinary(normal):
                raise SystemExit(f"{name}: the page's ids differ from the encoder's")
            for where, place in (("start", 0), ("middle", len(normal) // 2), ("end", len(normal))):
                page.locator("#text").fill(normal)
                page.wait_for_timeout(300)
                before = main_thread(session)
                times = typed(page, place)
                taken = (main_thread(session) - before) / len(TYPED)
                shown = f"median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms"
                print(f"{name}, key at the {where}: {shown}; {taken:.0f} ms of processor time")
        browser.close()


if __name__ == "__main__":
    main()
