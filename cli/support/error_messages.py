"""Error messages of the command line: one line with the value, the cause and the remedy."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import click

from bpe_transformer.cli.support.python_names import with_options
from bpe_transformer.errors import BpeTransformerError
from bpe_transformer.io.printable import printable

# Options that had another name: (command, old option) to what is typed today.
RENAMED = {
    ("vocab", "--used-in"): "--file",
    ("encode", "--files"): "--file",
    ("tokens", "--top"): "--limit",
    ("trace", "--top"): "--by count --limit",
    ("import", "--out"): "--output",
    ("train", "--alpha"): "--length-penalty",
    ("train", "--limit-factor"): "--max-len-ratio",
    ("train", "--limit-extra"): "--max-len-extra",
    ("generate", "--samples"): "--num-samples",
    ("translate", "--alpha"): "--length-penalty",
    ("evaluate", "--alpha"): "--length-penalty",
    ("evaluate", "--misses"): "--limit",
}

_CAUSES = {
    errno.ENOENT: "does not exist; check the path",
    errno.EACCES: "cannot be opened: permission is denied; change its permissions, or name another place",
    errno.EPERM: "cannot be changed: permission is denied; change its permissions, or name another place",
    errno.EISDIR: "is a folder where a file is needed; name a file",
    errno.ENOTDIR: "cannot be reached: a folder in its path is a file; check the path",
    errno.EEXIST: "exists already; name another place, or remove it",
    errno.ENOSPC: "cannot be written: the disk is full; free some space, or name another place",
    errno.EDQUOT: "cannot be written: your quota is used up; free some space, or name another place",
    errno.EROFS: "cannot be written: its file system is read-only; name another place",
    errno.ENAMETOOLONG: "has too long a name; choose a shorter one",
    errno.EMFILE: "cannot be opened: too many files are open; raise the limit with ulimit -n",
    errno.EFBIG: "cannot be written: the file would be too large; raise the limit with ulimit -f, or name another place",
    errno.EIO: "cannot be read or written: the device reports an error; check the disk, or name another place",
}


_OUT_OF_MEMORY = (
    "can't allocate memory",  # PyTorch
    "CUDA out of memory",
    "MPS backend out of memory",
    "failed to map segment from shared object",  # the loader of libraries
    "cannot allocate memory",
    "can't start new thread",  # Python
    "std::bad_alloc",
)


def print_error(message: str) -> None:
    """Writes the message to standard error, broken between words where a terminal would break it anywhere."""
    line = "error: " + printable(re.sub(r"[ \t\r\n]+", " ", message).strip())
    if sys.stderr.isatty():
        width = max(20, shutil.get_terminal_size().columns)
        line = textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
    click.echo(line, err=True)


def failure_message(problem: BaseException) -> str:
    """The message for an error of the library or the system."""
    if is_out_of_memory(problem):
        return (
            "memory ran out; give the command less at a time (count and learn: --max-memory, --threads; train: --max-tokens; "
            "translate: --beam), or run it where there is more"
        )
    if isinstance(problem, OSError) and problem.errno is not None:
        return with_options(_system_message(problem))
    return with_options(str(problem)) or type(problem).__name__


def is_out_of_memory(problem: BaseException | None) -> bool:
    """Whether memory ran out, for which libraries have various errors, or the error came from one of these.

    An error of this library says itself what is wrong: a damaged file may ask for more memory than there is.
    """
    if problem is None or isinstance(problem, BpeTransformerError):
        return False
    if isinstance(problem, MemoryError) or (isinstance(problem, OSError) and problem.errno == errno.ENOMEM):
        return True
    if any(words in str(problem) for words in _OUT_OF_MEMORY):
        return True
    return is_out_of_memory(problem.__cause__) or is_out_of_memory(problem.__context__)


def _system_message(problem: OSError) -> str:
    place = _shown(problem.filename) if problem.filename is not None else "a file"
    said = problem.strerror or ""
    if problem.errno not in _CAUSES or said.lower() != os.strerror(problem.errno or 0).lower():
        # an error with words of its own; without a file name they hold it
        return f"{place}: {said}" if problem.filename is not None else said.partition(". Detail:")[0] or str(problem)
    return f"{place} {_CAUSES[problem.errno or 0]}"


def _shown(path: object) -> str:
    return os.fsdecode(path) if isinstance(path, bytes) else str(path)


def usage_message(problem: click.ClickException) -> str:
    """The message for a mistyped command line: what is wrong, a suggestion, and where to find help."""
    context = problem.ctx if isinstance(problem, click.UsageError) else None
    if isinstance(problem, click.NoSuchOption):
        said = f"no such option: {problem.option_name}" + _meant(problem.option_name, context)
    elif isinstance(problem, click.MissingParameter) and isinstance(problem.param, click.Option):
        option = problem.param
        said = f"missing option {' / '.join(option.opts)}; give {option.opts[0]} {option.metavar or 'VALUE'}"
    elif isinstance(problem, click.BadParameter) and (found := _bad_value(problem)) is not None:
        said = found
    else:
        said = problem.format_message().rstrip(".")
        said = said[:1].lower() + said[1:]
    if not isinstance(problem, click.UsageError):
        return said
    command = "" if context is None else context.command_path.removesuffix(" cli")
    return said if ";" in said else f"{said}; see {command or 'bpe-transformer'} --help"


def _bad_value(problem: click.BadParameter) -> str | None:
    """The message for a value that is no number, out of its range, or no path; None: click's own says it."""
    parameter, said = problem.param, problem.message
    if parameter is None:
        return None
    kind = parameter.type
    name = max(parameter.opts, key=len) if isinstance(parameter, click.Option) else parameter.human_readable_name
    if isinstance(kind, click.Path):
        return f"{name}: {said.rstrip('.')}; check the path"
    found = re.fullmatch(r"(.+) is not (?:a valid (?:integer|float)(?: range)?|in the range .+)\.", said, re.DOTALL)
    if found is None:
        return None
    whole = isinstance(kind, click.types.IntParamType)
    number = "a whole number" if whole else "a number"
    fault = "is out of range" if " in the range " in said[len(found[1]) :] else f"is not {number}"
    return f"{name} {found[1]} {fault}; give {number}{_range(kind) or (', such as 8' if whole else ', such as 0.5')}"


def _range(kind: click.ParamType[Any]) -> str:
    """The numbers that a type takes: " from 1 on", " above 0 and at most 1"; empty for all."""
    low, high = getattr(kind, "min", None), getattr(kind, "max", None)
    least = "" if low is None else f" above {low}" if getattr(kind, "min_open", False) else f" from {low}"
    most = "" if high is None else f" below {high}" if getattr(kind, "max_open", False) else f" to {high}"
    if least.startswith(" above") and most.startswith(" to"):
        most = f" and at most {high}"
    elif least and most.startswith(" below"):
        most = f" and{most}"
    return f"{least or (' up' if most.startswith(' to') else '')}{most or (' on' if least.startswith(' from') else '')}"


def _meant(option: str, context: click.Context | None) -> str:
    if context is None:
        return ""
    if renamed := RENAMED.get((str(context.info_name), option)):
        return f"; it is called {renamed} now"
    known = [name for parameter in context.command.get_params(context) for name in _names(parameter)]
    return suggestion(option, known)


def _names(parameter: click.Parameter) -> Iterable[str]:
    return (*parameter.opts, *parameter.secondary_opts) if isinstance(parameter, click.Option) else ()


def suggestion(written: str, known: Sequence[str]) -> str:
    """`; did you mean …?` for a name similar to a known one, or empty.

    >>> suggestion("lern", ["learn", "count"])
    '; did you mean learn?'
    """
    close = get_close_matches(written, known, n=2)
    return f"; did you mean {' or '.join(close)}?" if close else ""
