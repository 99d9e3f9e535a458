"""Settings in a TOML file: reading one, with every problem at once and its line, and writing one.

    family = "gpt"

    [schedule]
    lr = 3e-3
    warmup = 100

The names of settings are unique, so the tables are for the reader's eye; a setting may stand in any of those that
`--print-config` writes, or above them. "none" stands for no value.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.checked import Checked, problems_of
from bpe_transformer.models.registry import FAMILIES
from bpe_transformer.training.config.decoding import DecodingConfig
from bpe_transformer.training.config.loop import LoopConfig
from bpe_transformer.training.config.objective import ObjectiveConfig
from bpe_transformer.training.config.optimizer import OptimizerConfig
from bpe_transformer.training.config.runtime import RuntimeConfig
from bpe_transformer.training.config.schedule import ScheduleConfig
from bpe_transformer.training.config.settings import FIELDS, Settings
from bpe_transformer.training.config.vocabulary import VocabularyConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DataValue = str | bool | int | float | Sequence[str]
MAX_BYTES = 1 << 20
# what a file may say beside settings: the corpus and the options of train for its rows, with their types
DATA_TYPES: dict[str, type] = {
    "corpus": list,
    **dict.fromkeys(("preset", "tokenizer", "from_run", "task", "src", "tgt", "column", "label", "from", "split"), str),
    **dict.fromkeys(("validation", "errors", "documents", "columns"), str),
    **dict.fromkeys(("dedup", "recursive", "no_header"), bool),
    "mix_temperature": float,
    "threads": int,
}
_KINDS = {str: "a text", list: "a list of texts", bool: "true or false", int: "a whole number", float: "a number"}
# a table of the file, and what stands in it
_TABLES: dict[str, type[Checked]] = {
    "vocabulary": VocabularyConfig,
    "loop": LoopConfig,
    "schedule": ScheduleConfig,
    "optimizer": OptimizerConfig,
    "objective": ObjectiveConfig,
    "runtime": RuntimeConfig,
    "decoding": DecodingConfig,
}
TABLES = ("model", *_TABLES)


@dataclass(frozen=True)
class ConfigFile:
    """What a file says. values: by the name of the setting. lines: where each stands, from 1. others: of `DATA_TYPES`."""

    path: str
    values: Mapping[str, Any]
    lines: Mapping[str, int]
    others: Mapping[str, Any]

    def place(self, name: str) -> str:
        """The file and the line of a setting."""
        return f"{self.path}, line {self.lines[name]}"


def read_config_file(path: str | os.PathLike[str]) -> ConfigFile:
    """Reads and checks a file; what `DATA_TYPES` names may stand in a table `[data]` or above all tables.

    Raises:
        ConfigError: the file cannot be read or is not TOML, or lists every unknown name, wrong type and value out of range,
            each with its line.
    """
    shown = os.fspath(path)
    text = _text(Path(path))
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise ConfigError(f"{shown} is not TOML: {problem}; mend that place") from None
    lines = _lines(text)
    values: dict[str, Any] = {}
    others: dict[str, Any] = {}
    where: dict[str, int] = {}
    problems: list[tuple[int, str]] = []
    for table, key, value in _entries(document):
        name = key.replace("-", "_")
        line = lines.get((table, key)) or lines.get((table or key,)) or 1
        found = _problem(table, name, key, value, known=values.keys() | others.keys())
        if found is not None:
            problems.append((line, found))
            continue
        where[name] = line
        if name in DATA_TYPES:
            others[name] = value
        else:
            values[name] = None if value == "none" and _optional(name) else value
    problems += [(where[name], wrong) for name, wrong in _wrong_values(values)]
    if problems:
        told = "; ".join(f"line {line}: {wrong}" for line, wrong in sorted(problems))
        raise ConfigError(f"{shown}, {told}")
    return ConfigFile(shown, values, where, others)


def overridden(base: Settings, file: ConfigFile) -> Settings:
    """`base` with the settings of the file. Raises `ConfigError`, with lines, for what contradicts itself."""
    try:
        return base.override(file.values)
    except ConfigError as problem:
        named = sorted({file.lines[name] for name in file.values if re.search(rf"\b{name}=", str(problem))})
        places = ", ".join(map(str, named))
        at = f"{file.path}, line{'s' if len(named) > 1 else ''} {places}" if named else file.path
        raise ConfigError(f"{at}: {problem}") from None


def settings_toml(
    settings: Settings,
    *,
    head: str = "",
    notes: Mapping[str, str] | None = None,
    data: Mapping[str, DataValue] | None = None,
) -> str:
    """The settings as a file that `read_config_file` reads back.

    head: a comment at its top. notes: one by setting. data: what stands in the table `[data]`.
    """
    notes = notes or {}
    lines = [f"# {line}" for line in head.splitlines()]
    lines += [*([""] if lines else []), _assignment("family", settings.family, notes)]
    training, decoding = settings.training.to_dict(), settings.decoding.to_dict()
    groups: dict[str, dict[str, Any]] = {"model": settings.model.to_dict()}
    for table, kind in _TABLES.items():
        source = decoding if table == "decoding" else training
        groups[table] = {f.name: source[f.name] for f in fields(kind)}
    for table, values in groups.items():
        lines += ["", f"[{table}]", *(_assignment(name, value, notes) for name, value in values.items())]
    if data:
        lines += ["", "[data]", *(f"{name} = {_written(value)}" for name, value in data.items())]
    return "\n".join(lines) + "\n"


def _assignment(name: str, value: Any, notes: Mapping[str, str]) -> str:
    comment = f"  # {notes[name]}" if name in notes else ""
    return f"{name} = {_written(value)}{comment}"


def _written(value: Any) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda sign: f"\\u{ord(sign[0]):04x}", escaped) + '"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_written, value)) + "]"
    return repr(value)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}; check the path") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path} has more than {MAX_BYTES:,} bytes, which no file of settings has; check the path")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise ConfigError(f"{path}, line {line}: not UTF-8; save the file as UTF-8") from None


def _entries(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(table, key, value); the table is "" for what stands above all."""
    for key, value in document.items():
        if isinstance(value, dict) and (key in (*TABLES, "data") or key not in FIELDS):
            if key not in (*TABLES, "data"):
                yield "", key, value  # told as an unknown table
                continue
            for name, inner in value.items():
                yield key, name, inner
        else:
            yield "", key, value


def _problem(table: str, name: str, key: str, value: Any, *, known: Collection[str]) -> str | None:
    if isinstance(value, dict) and name in FIELDS:
        return f"{key} holds a table; give it one value"
    if isinstance(value, dict) and not table:
        return f"[{key}] is no table of settings; the tables are {', '.join((*TABLES, 'data'))}"
    if name in known:
        return f"{key} stands in the file twice; leave one of them out"
    if name in DATA_TYPES:
        if table not in ("", "data"):
            return f"{key} does not belong to [{table}]; write it in [data]"
        return (
            None
            if _is_data(value, DATA_TYPES[name])
            else f"{key} = {_short(value)} has to be {_KINDS[DATA_TYPES[name]]}"
        )
    if name in FIELDS:
        return None
    close = difflib.get_close_matches(name, [*FIELDS, *DATA_TYPES], n=2)
    meant = (
        f"; did you mean {' or '.join(close)}?"
        if close
        else "; FIELDS of bpe_transformer.training.config lists the settings"
    )
    return f"{key} is no setting{meant}"


def _is_data(value: Any, kind: type) -> bool:
    """Whether a value of `[data]` is of its kind; no text is empty, and no list."""
    if kind is list:
        return isinstance(value, list) and bool(value) and all(isinstance(text, str) and text for text in value)
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return bool(value) and isinstance(value, (int, float) if kind is float else kind)


def _wrong_values(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, problem) of every value that is not of its type or range."""
    owners: list[type[Checked]] = [*(family.options for family in FAMILIES.values()), *_TABLES.values()]
    for name, value in values.items():
        if name == "family":
            if value not in FAMILIES:
                yield name, f"family={_short(value)} is unknown; choose {' or '.join(FAMILIES)}"
            continue
        owner = next(kind for kind in owners if name in {f.name for f in fields(kind)})
        yield from ((name, problem) for problem in problems_of(owner, {name: value}))


def _optional(name: str) -> bool:
    return "None" in str(FIELDS[name].type)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """The line of every table, under (table,), and of every key, under (table, key); ("", key) above all tables."""
    found: dict[tuple[str, ...], int] = {}
    table = ""
    quotes = ""  # of a text of several lines that has begun
    for number, line in enumerate(text.split("\n"), 1):
        if quotes:
            quotes = "" if quotes in line else quotes
            continue
        stripped = line.strip()
        if header := re.match(r"\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$", stripped):
            table = header[1].strip("\"'")
            found.setdefault((table,), number)
        elif key := re.match(r"""(?:([\w-]+)\s*\.\s*)?["']?([\w-]+)["']?\s*=\s*(.*)$""", stripped):
            found.setdefault((key[1] or table, key[2]), number)
            if key[3].startswith("{"):  # a table in one line
                found.setdefault((key[2],), number)
                for inner in re.findall(r"""[{,]\s*["']?([\w-]+)["']?\s*=""", key[3]):
                    found.setdefault((key[2], inner), number)
            opened = next((sign for sign in ('"""', "'''") if key[3].count(sign) == 1), "")
            quotes = opened
    return found
