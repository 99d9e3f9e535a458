"""What is claimed of tokenizers and of models, measured with small models trained here.

`train_side_by_side` compares tokenizers; `STUDIES` are the claims of papers, each in a module of its name with `Settings`
and `run_study`:

rich.print(train_side_by_side({"1k": small, "16k": large}, train_texts, validation_texts, minutes=4))
rich.print(run_study("length", steps=500))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
    from bpe_transformer.studies.catalog import STUDIES, StudyInfo, run_study
    from bpe_transformer.studies.side_by_side import SideBySide, Trial, train_side_by_side
    from bpe_transformer.studies.trial import MODEL, TrialSettings
    from bpe_transformer.studies.vocabulary_sizes import learn_sizes

_HOME = {
    "MODEL": "trial",
    "STUDIES": "catalog",
    "StudyInfo": "catalog",
    "SideBySide": "side_by_side",
    "Trial": "side_by_side",
    "TrialSettings": "trial",
    "learn_sizes": "vocabulary_sizes",
    "run_study": "catalog",
    "train_side_by_side": "side_by_side",
}

__all__ = [
    "MODEL",
    "STUDIES",
    "SideBySide",
    "StudyInfo",
    "Trial",
    "TrialSettings",
    "learn_sizes",
    "run_study",
    "train_side_by_side",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
