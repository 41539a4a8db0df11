"""Documents as passages, by the rules of the page (`site_templates/kit/search/split.js`), place for place.

JavaScript counts in UTF-16 units, so everything here works on texts of one character a unit (`to_units`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PASSAGE_TOKENS = 120
OVERLAP_TOKENS = 30

SENTENCE_END = re.compile(
    r"""(?<![^\n])[ \t]*\#{1,6}[ \t][^\n]*(?:\n|\Z)"""
    r"""|[.!?…]+["'”’»)\]]*(?=[ \t\n\u00a0])(?![ \t]+[a-z])"""  # noqa: RUF001
    r"""|[。！？｡]+[」』”’）】]*"""  # noqa: RUF001
    r"""|\n(?=[ \t]*\n)"""
    r"""|\n(?=[ \t]*(?:\#{1,6}|>|[*+-]|[0-9]{1,3}[.)])[ \t])"""
)
BLANK = frozenset(" \t\r\n\u00a0\u2028\u2029\u3000\ufeff")
SPACE = frozenset(" \t\r\n\u00a0\u3000")
HEADING = re.compile(r"#{1,6}[ \t]")

Span = tuple[int, int]
# Texts -> how many tokens each has, without those that the model puts around it.
CountTokens = Callable[[list[str]], Sequence[int]]


@dataclass(frozen=True)
class _Unit:
    """A sentence, or a part of one that is longer than a passage."""

    start: int
    end: int
    tokens: int
    is_heading: bool


def list_passages(
    text: str, count_tokens: CountTokens, budget: int = PASSAGE_TOKENS, overlap: int = OVERLAP_TOKENS
) -> list[str]:
    """The passages of `text`, in their order; `budget` and `overlap` are in tokens."""
    units = to_units(text)
    return [from_units(units[start:end]) for start, end in split_units(units, count_tokens, budget, overlap)]


def split_units(units: str, count_tokens: CountTokens, budget: int, overlap: int) -> list[Span]:
    """Where the passages lie, in UTF-16 units of a text as `to_units` gives it."""
    return _pack(_measure(units, find_sentences(units), count_tokens, budget), budget, overlap)


def to_units(text: str) -> str:
    """One character for each UTF-16 unit: what lies beyond the first 65,536 characters becomes two surrogates."""
    raw = text.encode("utf-16-le", "surrogatepass")
    return "".join(map(chr, memoryview(raw).cast("H")))


def from_units(units: str) -> str:
    """The text again."""
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def find_sentences(units: str) -> list[Span]:
    """The sentences of a text without the space around them."""
    spans, start = [], 0
    for end in [*(match.end() for match in SENTENCE_END.finditer(units)), len(units)]:
        if end > start:
            spans.append(_trim(units, start, end))
        start = end
    return [span for span in spans if span[1] > span[0]]


def _measure(units: str, spans: list[Span], count_tokens: CountTokens, budget: int) -> list[_Unit]:
    """Sentences with their tokens; those over the budget in halves, and these in halves again."""
    if not spans:
        return []
    measured: list[_Unit] = []
    counts = count_tokens([from_units(units[start:end]) for start, end in spans])
    for (start, end), tokens in zip(spans, counts, strict=True):
        if tokens <= budget or end - start < 2:
            is_heading = HEADING.match(units[start:end]) is not None
            measured.append(_Unit(start, end, tokens, is_heading))
        else:
            measured += _measure(units, _halve(units, start, end), count_tokens, budget)
    return measured


def _halve(units: str, start: int, end: int) -> list[Span]:
    """Cut at the space nearest to the middle, or in the middle where there is none near."""
    middle = cut = (start + end) >> 1
    for away in range((end - start) >> 2):
        place = next((each for each in (middle - away, middle + away) if units[each] in SPACE), None)
        if place is not None:
            cut = place
            break
    if "\udc00" <= units[cut] <= "\udfff" and cut - 1 > start:
        cut -= 1
    halves = (_trim(units, start, cut), _trim(units, cut, end))
    return [half for half in halves if half[1] > half[0]]


def _pack(units: list[_Unit], budget: int, overlap: int) -> list[Span]:
    passages, first = [], 0
    while first < len(units):
        last, tokens = first, units[first].tokens
        while last + 1 < len(units) and tokens + units[last + 1].tokens <= budget:
            if units[last + 1].is_heading and not units[last].is_heading:
                break
            last += 1
            tokens += units[last].tokens
        passages.append((units[first].start, units[last].end))
        first = _back_up(units, first, last, overlap, budget) if last + 1 < len(units) else len(units)
    return passages


def _back_up(units: list[_Unit], first: int, last: int, overlap: int, budget: int) -> int:
    """Where the next passage begins: with the last sentences of the one before, as far as the overlap allows."""
    if units[last + 1].is_heading:
        return last + 1
    following, tokens = last + 1, 0
    while following - 1 > first:
        before = units[following - 1]
        if tokens + before.tokens > overlap or before.is_heading:
            break
        following -= 1
        tokens += before.tokens
    # The next sentence itself must fit as well: a passage that repeats only what was there says nothing new.
    return following if tokens + units[last + 1].tokens <= budget else last + 1


def _trim(units: str, start: int, end: int) -> Span:
    while start < end and units[start] in BLANK:
        start += 1
    while end > start and units[end - 1] in BLANK:
        end -= 1
    return start, end
