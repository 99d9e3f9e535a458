"""One HTML page that shows a vocabulary, and one in which a trained model runs: their data and assets, without a network."""

from bpe_transformer.inspection.html.js_patterns import JsPattern, translate
from bpe_transformer.inspection.html.report import report_data, report_html, write_report
from bpe_transformer.inspection.html.trained_model_page import (
    ModelPage,
    holds_run,
    model_page,
    model_page_html,
    write_model_page,
)

__all__ = [
    "JsPattern",
    "ModelPage",
    "holds_run",
    "model_page",
    "model_page_html",
    "report_data",
    "report_html",
    "translate",
    "write_model_page",
    "write_report",
]
