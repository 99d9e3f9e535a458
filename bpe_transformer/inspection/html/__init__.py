"""HTML pages that need no network: a vocabulary, attention over a text, a trained model that runs; their data and assets."""

from bpe_transformer.inspection.html.attention_page import attention_page_data, attention_page_html
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
    "attention_page_data",
    "attention_page_html",
    "holds_run",
    "model_page",
    "model_page_html",
    "report_data",
    "report_html",
    "translate",
    "write_model_page",
    "write_report",
]
