"""Special tokens in text: which are allowed (tiktoken's rules), and with which flags the core finds them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from bpe_transformer import _core
from bpe_transformer.errors import SpecialTokenError
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

SpecialNames = Collection[str] | Literal["all"]
NONE: frozenset[str] = frozenset()
# The first two strip white space before or after a token. "single_word" finds a token only between word boundaries,
# "normalized" finds the normalised token in normalised text. By bit, as in the core's SoughtToken.
FLAGS = ("lstrip", "rstrip", "single_word", "normalized")


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
        self._flagged = flagged  # tokens with flags
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


def sought_tokens(model: BpeModel) -> list[tuple[bytes, int, int, bytes]]:
    """(bytes, id, flags, bytes in normalised text) of special and then added tokens, for the core."""
    tokens = []
    for name, id in (*model.special_tokens.items(), *model.added_tokens.items()):
        flags = model.token_flags.get(name, ())
        bits = sum(1 << bit for bit, flag in enumerate(FLAGS) if flag in flags)
        tokens.append((name.encode(), id, bits, _normalized(model, name).encode() if "normalized" in flags else b""))
    return tokens


def _normalized(model: BpeModel, token: str) -> str:
    """A token in normalised text, in which SentencePiece's are sought as they are."""
    split = model.pretokenizer
    if split.charsmap is not None or split.squeeze_spaces:
        return token
    text = split.normalize(token)
    return " " + text if model.prefix_space == "always" else text


def overlapping(some: Collection[str], others: Collection[str]) -> set[str]:
    """Those of `some` tokens of which a match can overlap a match of one of the `others` in a text.

    >>> sorted(overlapping(["<a>", "bc", "x<", "lower"], ["<b>", "abcd", "low"]))
    ['bc', 'lower', 'x<']
    """
    whole, all_others, sizes = frozenset(others), "\0".join(others), set(map(len, others))
    longest, longest_other = max(map(len, some), default=0), max(sizes, default=0)
    starts = {other[:n] for other in others for n in range(1, min(len(other), longest))}
    ends = {other[-n:] for other in others for n in range(1, min(len(other), longest))}
    return {
        token
        for token in some
        if token in all_others
        or any(token[-n:] in starts or token[:n] in ends for n in range(1, min(len(token), longest_other)))
        or any(token[i : i + size] in whole for size in sizes for i in range(len(token) - size + 1))
    }
