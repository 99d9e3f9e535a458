"""One HTML page that shows a vocabulary and needs no network: its data, split patterns in JavaScript, and assets."""

from bpe_transformer.inspection.html.js_patterns import JsPattern, translate
from bpe_transformer.inspection.html.report import report_data, report_html, write_report

__all__ = [
    "JsPattern",
    "report_data",
    "report_html",
    "translate",
    "write_report",
]
