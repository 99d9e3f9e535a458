"""Special tokens in text: which are allowed (tiktoken's rules), and where they occur (flags of the `tokenizers` package)."""

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
# The first two strip white space before or after a token. "single_word" finds a token only between word boundaries,
# "normalized" finds the normalised token in normalised text.
FLAGS = ("lstrip", "rstrip", "single_word", "normalized")
Segment = tuple[int, bytes, int | None, int]  # (start, text, index of the token after it or None, end of that token)


def named(option: str, names: SpecialNames) -> SpecialNames:
    """`names` as a set, or "all". Raises `SpecialTokenError` for any other string, which is not a set of names."""
    if isinstance(names, (str, bytes)):
        if names != "all":
            raise SpecialTokenError(f'{option}={names!r} is one string; give a set, {{{names!r}}}, or "all"')
        return "all"
    return names if names is NONE else frozenset(names)


class Policies:
    """`allowed_special` and `disallowed_special` resolved to a policy for each token, by the rules of tiktoken.

    `disallowed_special="all"` disallows every special token that is not allowed. A token in both is disallowed. Allowing a
    name that is not a special token has no effect; disallowing works for any string. A text that holds a disallowed string
    is refused, even where that overlaps an allowed token.
    """

    def __init__(self, names: Mapping[str, int], added: Collection[str], flagged: Collection[str]) -> None:
        self._names = names
        self._added = added
        self._flagged = flagged  # tokens with flags, which `Finder` finds
        self._cached: dict[tuple[SpecialNames, SpecialNames], tuple[bytes, frozenset[str]]] = {}

    def of(self, allowed: SpecialNames, disallowed: SpecialNames) -> tuple[bytes, frozenset[str]]:
        """(policy, strings): the native core's treatment of each special and then each added token, one byte each, and the
        disallowed strings that the core cannot find, which `refuse` searches for.
        """
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
        return policy, frozenset(forbid - names.keys() | _hidden((forbid & names.keys()) - set(self._flagged), taken))


def _hidden(names: Collection[str], taken: Collection[str]) -> set[str]:
    """Those of `names` that can begin inside an occurrence of a `taken` token, and so be missed by a search from left to
    right. At the same place the longer one is found.

    >>> sorted(_hidden(["s>x", "<s>"], ["<s><s>"]))
    ['<s>', 's>x']
    >>> _hidden(["</s>", "<s>x", "<s><s>"], ["<s>"])
    set()
    """
    first = {name[0] for name in names if name}
    longest = max(map(len, names), default=0)
    ends = {
        token[start:]
        for token in taken
        for start in range(max(1, len(token) - longest), len(token))  # a longer end begins none of the names
        if token[start] in first
    }
    together = "\0".join(taken)
    return {
        name
        for name in names
        if any(name[:n] in ends for n in range(1, len(name) + 1))
        or (name in together and any(name in token for token in taken if len(token) > len(name)))
    }


def refuse(names: Collection[str], texts: Sequence[object]) -> None:
    """Raises `SpecialTokenError` if a text holds one of `names`, the disallowed strings that the core cannot find."""
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
    """Finds special and added tokens in text, by their flags: the leftmost first, and the longest of those that begin there.

    `tokens` are (bytes, id) pairs, `indices` those to search for, and `flags` the `FLAGS` of a token by its index. If
    `space_mark` is given, it and a space match each other, in tokens and in text.
    """

    def __init__(
        self,
        tokens: Sequence[tuple[bytes, int]],
        indices: Collection[int],
        flags: Mapping[int, Collection[str]],
        space_mark: str | None = None,
    ) -> None:
        self._tokens = [token for token, _ in tokens]
        self._longest_first = sorted(indices, key=lambda index: -len(self._tokens[index]))
        self._flags = flags
        self._space_mark = space_mark
        self._compiled: dict[bytes, regex.Pattern[bytes] | None] = {}  # by policy

    def split(self, data: bytes, policy: bytes) -> Iterator[Segment]:
        """The segments of `data` between tokens, in order. Tokens that `policy` makes plain text are not searched for.

        Raises `ForbiddenSpecial`.
        """
        start = 0
        pattern = self._compiled[policy] if policy in self._compiled else self._compile(policy)
        if pattern is not None:
            for match in pattern.finditer(data):
                index = int(str(match.lastgroup)[1:])
                begin, end = match.span()
                flags = self._flags.get(index, ())
                if "single_word" in flags and self._in_word(data, begin, end):
                    continue
                if policy[index] == _core.FORBID:
                    raise _core.ForbiddenSpecial(index, 0, begin)
                if "lstrip" in flags:
                    begin -= self._spaces(self._patterns[0], data, start, begin, before=True)
                if "rstrip" in flags:
                    end += self._spaces(self._patterns[1], data, end, len(data), before=False)
                yield start, data[start:begin], index, end
                start = end
        yield start, data[start:], None, len(data)

    def _compile(self, policy: bytes) -> regex.Pattern[bytes] | None:
        searched = [index for index in self._longest_first if policy[index] != _core.PLAIN]
        pattern: regex.Pattern[bytes] | None = None
        if searched:
            import regex

            pattern = regex.compile(b"|".join(b"(?P<t%d>%s)" % (n, self._expression(n)) for n in searched))
        if len(self._compiled) < 16:
            self._compiled[policy] = pattern
        return pattern

    def _expression(self, index: int) -> bytes:
        import regex

        escaped: bytes = regex.escape(self._tokens[index])
        if self._space_mark is None:
            return escaped
        either = b"(?: |%s)" % self._space_mark.encode()
        for space in (regex.escape(b" "), self._space_mark.encode()):
            escaped = escaped.replace(space, b"\0")
        return escaped.replace(b"\0", either)

    def _in_word(self, data: bytes, begin: int, end: int) -> bool:
        """Whether a word character stands right before `begin` or right after `end`."""
        before, after = data[max(begin - 4, 0) : begin], data[end : end + 4]  # a character has up to four bytes
        return bool(self._match(self._patterns[2], before) or self._match(self._patterns[3], after))

    def _spaces(self, pattern: regex.Pattern[str], data: bytes, begin: int, end: int, *, before: bool) -> int:
        """The number of bytes of white space before `end` or after `begin`, counted in a window that grows as needed."""
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
