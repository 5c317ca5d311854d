"""The text of a file as people may see it: with a mask in place of each secret, and as many lines as before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from schedsync.core.secrets import CHANGED, MASK, is_secret_flag, is_secret_key, is_secret_value, masked
from schedsync.files.edits import Edit, apply_edits
from schedsync.files.spans import NoSpans, Span, spans_of

#: The keys whose values are JSON.
_JSON = frozenset({"args", "kwargs", "headers"})
_BREAKS = re.compile("\r\n|\n|\r")


def masked_text(text: str) -> str:
    """Return the text of a file with its secrets masked; no line comes or goes."""
    return masked_pair(text, text)[1]


def masked_pair(before: str, after: str) -> tuple[str, str]:
    """Return a file's text before and after with its secrets masked; the mask of a new secret says so.

    A difference of the two then shows each line that changes. No line comes or goes.
    """
    secrets, hidden = _secrets_in(before), _secrets_in(after)
    known = {before[span.start : span.end] for span in secrets}
    new = [span for span in hidden if after[span.start : span.end] not in known]
    return _masked(before, secrets, ()), _masked(after, hidden, new)


def _secrets_in(text: str) -> Sequence[Span]:
    with suppress(NoSpans):
        return list(_secrets(spans_of(text)))
    return ()


def _masked(text: str, secrets: Sequence[Span], new: Sequence[Span]) -> str:
    places = {span.start for span in new}
    text = apply_edits(text, [_mask(text, span, CHANGED if span.start in places else MASK) for span in secrets])
    # What is left is outside the values: in a comment.
    lines = map(_masked_line, _BREAKS.split(text))
    return "".join(line + end for line, end in zip(lines, [*_BREAKS.findall(text), ""], strict=True))


def _masked_line(line: str) -> str:
    before, sign, comment = line.partition("#")
    if not sign or not is_secret_value(comment):
        return line
    return f"{before}# {MASK}"


def _secrets(span: Span, key: str = "", *, inside: bool = False) -> Iterator[Span]:
    """Yield the secrets in a value; ``inside`` says that it is a part of a message."""
    if span.alias:
        return
    # A schedule may be named like a secret.
    if (inside or span.kind == "scalar") and _hides(key, span):
        yield span
        return
    if span.kind == "scalar" and masked(span.scalar) != span.scalar:
        yield span
    for pair in span.pairs:
        yield from _secrets(pair.value, pair.key, inside=inside or pair.key in _JSON)
    before: Span | None = None
    for item in span.items:
        flag = before is not None and is_secret_flag(before.scalar)
        yield from _secrets(item, "password" if flag else "", inside=inside)
        before = item


def _hides(key: str, span: Span) -> bool:
    """Say whether a value is masked because of its key, also a list or a mapping."""
    value = span.scalar if span.kind == "scalar" else span
    return value is not None and not isinstance(value, bool) and value != "" and is_secret_key(key)


def _mask(text: str, span: Span, mask: str) -> Edit:
    return Edit(span.start, span.end, mask + "".join(_BREAKS.findall(text[span.start : span.end])))
