"""How local files are read: what a document is, which columns a table has, how deep a folder is searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bpe_transformer.errors import ConfigError

Documents = Literal["line", "paragraph", "file"]
DOCUMENTS: tuple[Documents, ...] = ("line", "paragraph", "file")


@dataclass(frozen=True)
class Reading:
    """How local files become rows; listed corpora ignore it.

    Attributes:
        documents: a row of a text file is a line, a paragraph (blank lines end it) or the whole file. None: `of_txt` of
            .txt files, and a whole file of any other kind of text, such as source code.
        of_txt: what a row of a .txt file is where `documents` does not say.
        header: the first line of a .csv or .tsv file has the names of its columns.
        columns: the names of the columns, where there is no header (None: column1, column2, …).
        recursive: a folder's subfolders are read too.

    Raises:
        ConfigError: `documents` is unknown, or `columns` are named although there is a header.
    """

    documents: Documents | None = None
    of_txt: Documents = "line"
    header: bool = True
    columns: tuple[str, ...] | None = None
    recursive: bool = False

    def __post_init__(self) -> None:
        if self.documents is not None and self.documents not in DOCUMENTS:
            raise ConfigError(f"documents={self.documents!r} is unknown; choose {', '.join(DOCUMENTS)}")
        if self.columns is not None and self.header:
            raise ConfigError(
                f"columns={','.join(self.columns)} are names for a table without a header; "
                "add header=False, or leave them out"
            )
        if self.columns is not None and len(set(self.columns)) < len(self.columns):
            raise ConfigError(f"columns={','.join(self.columns)} names one twice; give each column a name of its own")


AS_IS = Reading()
