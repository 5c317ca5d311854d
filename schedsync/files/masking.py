"""The text of a file as people may see it: with a mask in place of each secret, and as many lines as before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from schedsync.core.secrets import MASK, is_secret_flag, is_secret_key, is_secret_value
from schedsync.files.edits import Edit, apply_edits
from schedsync.files.spans import NoSpans, Span, spans_of

_BREAKS = re.compile("\r\n|\n|\r")


def masked_text(text: str) -> str:
    """Return the text of a file with its secrets masked; no line comes or goes."""
    with suppress(NoSpans):
        text = apply_edits(text, _masks(text, spans_of(text)))
    # What is left is outside the values: in a comment.
    lines = map(_masked_line, _BREAKS.split(text))
    return "".join(line + end for line, end in zip(lines, [*_BREAKS.findall(text), ""], strict=True))


def _masked_line(line: str) -> str:
    before, sign, comment = line.partition("#")
    if not sign or not is_secret_value(comment):
        return line
    return f"{before}# {MASK}"


def _masks(text: str, span: Span, key: str = "") -> Iterator[Edit]:
    if span.alias:
        return
    if span.kind == "scalar" and _is_secret(key, span.scalar):
        yield _mask(text, span)
    for pair in span.pairs:
        yield from _masks(text, pair.value, pair.key)
    before: Span | None = None
    for item in span.items:
        flag = before is not None and is_secret_flag(before.scalar)
        yield from _masks(text, item, "password" if flag else "")
        before = item


def _is_secret(key: str, value: Any) -> bool:
    if isinstance(value, str) and is_secret_value(value):
        return True
    return value not in (None, "") and not isinstance(value, bool) and is_secret_key(key)


def _mask(text: str, span: Span) -> Edit:
    return Edit(span.start, span.end, MASK + "".join(_BREAKS.findall(text[span.start : span.end])))
