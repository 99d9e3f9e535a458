"""Special tokens in text: tiktoken's policy for them, the text between them, and the flags of the `tokenizers` package."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from bpe_transformer import _core
from bpe_transformer.errors import SpecialTokenError

if TYPE_CHECKING:
    import regex

SpecialNames = Collection[str] | Literal["all"]
NONE: frozenset[str] = frozenset()
# With these a token takes the white space before or after it along, counts only where no word goes on at its ends, or is
# sought in the text after normalisation, itself normalised.
FLAGS = ("lstrip", "rstrip", "single_word", "normalized")
Found = tuple[int, bytes, int | None, int]


def named(option: str, names: SpecialNames) -> SpecialNames:
    """`names` as a set, or "all". Raises `SpecialTokenError` for another string, whose characters nobody means."""
    if isinstance(names, str):
        if names != "all":
            raise SpecialTokenError(f'{option}={names!r} is one string; give a set, {{{names!r}}}, or "all"')
        return "all"
    return names if names is NONE else frozenset(names)


class Policies:
    """What `allowed_special` and `disallowed_special` mean, as in tiktoken.

    "all" disallowed means all that are not allowed, a token that is both is disallowed, names that are no special tokens
    may be allowed to no effect, and any text may be disallowed. A text is refused that holds anything disallowed, also where
    that overlaps what is allowed.
    """

    def __init__(self, names: Mapping[str, int], added: Collection[str], flagged: Collection[str]) -> None:
        self._names = names
        self._added = added
        self._flagged = flagged  # found in other ways than by equality
        self._cached: dict[tuple[SpecialNames, SpecialNames], tuple[bytes, frozenset[str]]] = {}

    def of(self, allowed: SpecialNames, disallowed: SpecialNames) -> tuple[bytes, frozenset[str]]:
        """How the native core treats each special token, then each added one, which are always looked for; and what it
        cannot find, so that texts have to be searched for it."""
        key = (named("allowed_special", allowed), named("disallowed_special", disallowed))
        policy = self._cached.get(key)
        if policy is None:
            policy = self._of(*key)
            if len(self._cached) >= 16:
                self._cached.clear()
            self._cached[key] = policy  # other threads may have cleared it, or added the same
        return policy

    def _of(self, allowed: SpecialNames, disallowed: SpecialNames) -> tuple[bytes, frozenset[str]]:
        names = self._names
        allow = set(names) if allowed == "all" else names.keys() & set(allowed)
        forbid = set(names) - allow if disallowed == "all" else set(disallowed)
        both = dict.fromkeys(allow, _core.ALLOW) | dict.fromkeys(forbid, _core.FORBID)
        policy = bytes([both.get(name, _core.PLAIN) for name in names] + [_core.ALLOW] * len(self._added))
        taken = (allow - forbid) | set(self._added)
        hidden = {
            name
            for name in (forbid & names.keys()) - set(self._flagged)
            if any(_may_hide(other.encode(), name.encode()) for other in taken)
        }
        return policy, frozenset(forbid - names.keys() | hidden)


def _may_hide(taken: bytes, name: bytes) -> bool:
    """Whether `name` can begin in an occurrence of `taken` that is found first.

    >>> _may_hide(b"<s>", b"s>x"), _may_hide(b"<s><s>", b"<s>")
    (True, True)
    >>> _may_hide(b"<s>", b"</s>"), _may_hide(b"<s>", b"<s>x"), _may_hide(b"<s>", b"<s><s>")
    (False, False, False)
    """
    longer = len(name) >= len(taken)  # at the same place the longer one is found
    return any(taken.startswith(name, start) or name.startswith(taken[start:]) for start in range(longer, len(taken)))


def refuse(names: Collection[str], texts: Sequence[object]) -> None:
    """Raises `SpecialTokenError` if a text holds one of `names`: what is disallowed and no token that the core would find."""
    for index, text in enumerate(texts):
        if not isinstance(text, (str, bytes)):
            continue
        found = [(text.find(name if isinstance(text, str) else name.encode()), name) for name in names]  # type: ignore[arg-type]
        if inside := [place for place in found if place[0] >= 0]:
            raise SpecialTokenError(
                f"{'the text' if len(texts) == 1 else f'text {index}'} holds {min(inside)[1]!r}, which is not allowed; "
                "leave it out of disallowed_special to encode it as plain text, or out of the text"
            )


class Finder:
    """Finds tokens in text: the leftmost, and of those that begin there the longest.

    Of `tokens`, `numbers` are sought; `flags` has those of `FLAGS` that a number has. `space` stands for itself and for a
    space, in tokens as in text.
    """

    def __init__(
        self,
        tokens: Sequence[tuple[bytes, int]],
        numbers: Collection[int],
        flags: Mapping[int, Collection[str]],
        space: str | None = None,
    ) -> None:
        self._tokens = [token for token, _ in tokens]
        self._longest_first = sorted(numbers, key=lambda number: -len(self._tokens[number]))
        self._flags = flags
        self._space = space
        self._compiled: dict[bytes, regex.Pattern[bytes] | None] = {}  # by policy

    def split(self, data: bytes, policy: bytes) -> Iterator[Found]:
        """(start, segment, number of the token after it or None, where that token ends) for the segments of `data`, in order.

        Tokens that `policy` takes for plain text are not sought. Raises `ForbiddenSpecial`.
        """
        start = 0
        pattern = self._compiled[policy] if policy in self._compiled else self._compile(policy)
        if pattern is not None:
            for match in pattern.finditer(data):
                number = int(str(match.lastgroup)[1:])
                begin, end = match.span()
                flags = self._flags.get(number, ())
                if "single_word" in flags and self._in_word(data, begin, end):
                    continue
                if policy[number] == _core.FORBID:
                    raise _core.ForbiddenSpecial(number, 0, begin)
                if "lstrip" in flags:
                    begin -= self._spaces(self._patterns[0], data, start, begin, before=True)
                if "rstrip" in flags:
                    end += self._spaces(self._patterns[1], data, end, len(data), before=False)
                yield start, data[start:begin], number, end
                start = end
        yield start, data[start:], None, len(data)

    def _compile(self, policy: bytes) -> regex.Pattern[bytes] | None:
        sought = [number for number in self._longest_first if policy[number] != _core.PLAIN]
        pattern: regex.Pattern[bytes] | None = None
        if sought:
            import regex

            pattern = regex.compile(b"|".join(b"(?P<t%d>%s)" % (n, self._expression(n)) for n in sought))
        if len(self._compiled) < 16:
            self._compiled[policy] = pattern
        return pattern

    def _expression(self, number: int) -> bytes:
        import regex

        escaped: bytes = regex.escape(self._tokens[number])
        if self._space is None:
            return escaped
        either = b"(?: |%s)" % self._space.encode()
        for written in (regex.escape(b" "), self._space.encode()):
            escaped = escaped.replace(written, b"\0")
        return escaped.replace(b"\0", either)

    def _in_word(self, data: bytes, begin: int, end: int) -> bool:
        """Whether a word goes on over an end: a character has at most four bytes."""
        before, after = data[max(begin - 4, 0) : begin], data[end : end + 4]
        return bool(self._match(self._patterns[2], before) or self._match(self._patterns[3], after))

    def _spaces(self, pattern: regex.Pattern[str], data: bytes, begin: int, end: int, *, before: bool) -> int:
        """Bytes of white space before `end`, or after `begin`, looked for in a window that grows while all of it is some."""
        size = 64
        while True:
            window = data[max(begin, end - size) : end] if before else data[begin : min(end, begin + size)]
            found = len(self._match(pattern, window))
            if found + 3 < len(window) or len(window) < size:  # the window may cut a character
                return found
            size *= 4

    @cached_property
    def _patterns(self) -> list[regex.Pattern[str]]:
        import regex

        return [regex.compile(expression) for expression in (r"\s+\z", r"\A\s+", r"\w\z", r"\A\w")]

    @staticmethod
    def _match(pattern: regex.Pattern[str], data: bytes) -> bytes:
        found = pattern.search(data.decode("utf-8", "surrogateescape"))
        return b"" if found is None else found.group().encode("utf-8", "surrogateescape")
