"""The list of the studies."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.render.elements import LABEL, Column, Columns
from bpe_transformer.studies.catalog import StudyInfo, StudyList


@draws
def _(found: StudyList) -> RenderableType:
    return Group(
        Columns(
            [
                Column("study", "mark", [study.name for study in found.studies]),
                Column("question", "left", [study.question for study in found.studies]),
                Column("CPU minutes", "right", [f"{study.minutes:g}" for study in found.studies]),
                Column("repeats", "left", [study.repeats for study in found.studies]),
            ]
        ),
        Text(),
        Text("run one: bpe-transformer study NAME", LABEL),
    )


@draws
def _(found: StudyInfo) -> RenderableType:
    return Text(f"{found.name}: {found.question} {found.repeats}; {found.minutes:g} CPU minutes")
