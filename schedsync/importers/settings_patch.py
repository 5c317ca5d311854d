"""Entries are cut out of the text of a settings module; comments and formatting around them stay."""

from __future__ import annotations

import ast
import difflib
import io
import re
import tokenize
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

#: The line and the column of a literal dictionary, with the numbers of the entries to delete.
Entries = Mapping[tuple[int, int], Collection[int]]
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_BLANKS = frozenset({" ", "\t"})
#: What comes after an entry that has its line for itself; the text can end with it.
_END_OF_LINE = frozenset({"\r", "\n", "#", ""})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_NO_TEXT = frozenset({tokenize.NL, tokenize.COMMENT, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT})


@dataclass(frozen=True, slots=True)
class _Part:
    """One entry of a dictionary in the text: where it begins, where it ends, and whether a comma ends it."""

    start: int
    end: int
    has_comma: bool


def without_entries(text: str, entries: Entries) -> str | None:
    """Return a module's text without some entries of its dictionaries.

    Returns None where the result would not be the same module without them.
    """
    try:
        spans = sorted(
            span for parts, gone, body in _dictionaries(text, entries) for span in _spans(text, parts, gone, body)
        )
        result = _cut(text, spans)
        same = ast.dump(ast.parse(result)) == ast.dump(_expected(ast.parse(text), entries))
    except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError, tokenize.TokenError):
        # A LookupError: the syntax tree and the tokens disagree on a place, as for a dictionary within an f-string.
        return None
    return result if same else None


def unified_diff(path: str, old: str, new: str) -> str:
    """Return the difference of a file's two texts in the form that `git apply` takes."""
    lines = difflib.unified_diff(
        _LINE.findall(old), _LINE.findall(new), _name("a", path), _name("b", path), lineterm="\n"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _name(side: str, path: str) -> str:
    # A tab ends a name with blanks in it.
    return f"{side}/{path}\t" if " " in path else f"{side}/{path}"


def _expected(tree: ast.Module, entries: Entries) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict) and (gone := entries.get((node.lineno, node.col_offset))):
            node.keys = [key for index, key in enumerate(node.keys) if index not in gone]
            node.values = [value for index, value in enumerate(node.values) if index not in gone]
    return tree


def _dictionaries(text: str, entries: Entries) -> Iterator[tuple[list[_Part], Collection[int], tuple[int, int]]]:
    """Yield the parts of each dictionary, the numbers of those to delete, and what is between its braces."""
    lines = _LINE.findall(text)
    starts = [0, *accumulate(map(len, lines))]
    tokens = list(tokenize.generate_tokens(io.StringIO(text, newline="\n").readline))
    numbers = {token.start: number for number, token in enumerate(tokens)}
    for (line, column), gone in entries.items():
        characters = len(lines[line - 1].encode()[:column].decode())
        first = numbers[line, characters]
        parts, last = _parts(tokens, first, starts)
        yield parts, gone, (_place(tokens[first].end, starts), last)


def _place(position: tuple[int, int], starts: Sequence[int]) -> int:
    return starts[position[0] - 1] + position[1]


def _parts(tokens: Sequence[tokenize.TokenInfo], first: int, starts: Sequence[int]) -> tuple[list[_Part], int]:
    """Return the entries of the dictionary whose brace is a token, and the place of its closing brace."""
    parts: list[_Part] = []
    depth, begin, end = 1, None, 0
    for token in tokens[first + 1 :]:
        if token.type in _NO_TEXT:
            continue
        is_operator = token.type == tokenize.OP
        depth += is_operator and token.string in _OPEN
        depth -= is_operator and token.string in _CLOSE
        start = _place(token.start, starts)
        if depth == 0:
            return parts + ([] if begin is None else [_Part(begin, end, False)]), start
        begin, end = start if begin is None else begin, _place(token.end, starts)
        if is_operator and token.string == "," and depth == 1:
            parts.append(_Part(begin, end, True))
            begin = None
    raise ValueError("the dictionary has no end")


def _spans(text: str, parts: Sequence[_Part], gone: Collection[int], body: tuple[int, int]) -> list[tuple[int, int]]:
    """Return what to cut out of the text for the entries of one dictionary."""
    spans = [_span(text, part) for index, part in enumerate(parts) if index in gone]
    if len(spans) == len(parts):
        shift = body[0]
        inner = _cut(text[slice(*body)], [(max(start, shift) - shift, end - shift) for start, end in spans])
        if not inner.strip():
            return [body]
    return spans


def _span(text: str, part: _Part) -> tuple[int, int]:
    """Return what to cut for one entry: its lines if it has them for itself, else only its text."""
    line = text.rfind("\n", 0, part.start) + 1
    after = part.end
    while text[after : after + 1] in _BLANKS:
        after += 1
    if text[after : after + 1] in _END_OF_LINE and not text[line : part.start].strip():
        return line, text.find("\n", after) + 1 or len(text)
    if part.has_comma:
        return part.start, after
    before = text[: part.start].rstrip(" \t")
    return len(before.removesuffix(",")), part.end


def _cut(text: str, spans: Sequence[tuple[int, int]]) -> str:
    kept, place = [], 0
    for start, end in spans:
        kept.append(text[place:start] if start > place else "")
        place = max(place, end)
    return "".join(kept) + text[place:]
