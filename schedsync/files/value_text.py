"""The text of one value at a place in a file, in the style of what is written there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from schedsync.files.spans import NoSpans, Span, spans_of
from schedsync.files.writer import escaped, visible, yaml_text

#: In characters. A longer list or mapping in a block has a line for each item.
_WIDTH: Final = 80
#: How many levels of these have a line for each key, however short they are.
_LEVELS: Final = {"environments": 2, "schedules": 3}


def inline_text(value: Any, like: Span | None = None, *, flow: bool = False) -> str:
    """Return a value as text on one line; text keeps the quotes of the value that it replaces, if it can.

    ``flow`` says that it is written between brackets.
    """
    if isinstance(value, str):
        style = like.style if like is not None and like.kind == "scalar" else None
        if style == "" and like is not None and isinstance(like.scalar, str) and _is_plain(str(value), flow=flow):
            return str(value)
        if style == '"':
            return f'"{escaped(value)}"'
        if style == "'" and value.isprintable():
            return "'" + value.replace("'", "''") + "'"
        return _text(value)
    if isinstance(value, dict) and value:
        pairs = (f"{key_text(key, flow=True)}: {inline_text(item, flow=True)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, (list, tuple)) and value:
        return f"[{', '.join(inline_text(item, flow=True) for item in value)}]"
    return _from_writer(value)


def _text(value: str) -> str:
    """Return text as the writer would write it between brackets: it can be anywhere then."""
    return f'"{escaped(value)}"' if "\n" in value else _from_writer(value)


def _from_writer(value: Any) -> str:
    is_empty = isinstance(value, (dict, list, tuple))
    written = yaml_text({"k": value if is_empty else [value]}).removeprefix("k:").strip()
    return written if is_empty else written[1:-1]


def _is_plain(text: str, *, flow: bool) -> bool:
    """Say whether text without quotes is read as the same text."""
    if not text.isprintable() or text != text.strip():
        return False
    try:
        root = spans_of(f"{{k: {text}}}" if flow else f"k: {text}\nz: 0")
    except NoSpans:
        return False
    span = root.fields().get("k")
    return span is not None and span.style == "" and span.scalar == text and span.alias is None and not span.anchor


def json_text(value: Any) -> str:
    """Return a value as JSON, for a file that is written as JSON."""
    return visible(json.dumps(value, ensure_ascii=False))


def block_text(key: str, value: Any, indent: str, newline: str) -> str | None:
    """Return what follows a key's colon if a value is best written as several lines, else None.

    ``indent`` is that of the key.
    """
    if isinstance(value, str) and "\n" not in value:
        return None
    if key not in _LEVELS and isinstance(value, (dict, list)) and _is_short(value):
        return None
    lines = yaml_text({key: value}, _LEVELS.get(key, 1)).removesuffix("\n").split("\n")
    if len(lines) < 2:
        return None
    head = lines[0].rpartition(":")[2]
    return head + "".join(f"{newline}{indent}{line}" if line else newline for line in lines[1:])


def literal_text(value: str, indent: str, newline: str) -> str | None:
    """Return text as a block of lines below ``indent``, header and all; None where a block cannot hold it."""
    body = value.removesuffix("\n")
    lines = body.split("\n")
    if not body or body[0] in " \t" or value.endswith("\n\n") or not lines[-1]:
        return None
    if any(not line.isprintable() or line != line.rstrip() for line in lines):
        return None
    header = "|" if value.endswith("\n") else "|-"
    return header + "".join(f"{newline}{indent}{line}" if line else newline for line in lines)


def key_text(key: str, *, flow: bool = False, quoted: bool = False) -> str:
    """Return a key as it is written, ``flow`` between brackets; ``quoted`` where its neighbours have double quotes."""
    if quoted:
        return f'"{escaped(key)}"'
    return _text(key) if flow else yaml_text({key: 0}).rpartition(":")[0]


def entry_lines(name: str, fields: Mapping[str, Any], indent: str, newline: str) -> str:
    """Return a schedule as lines below an indentation, without the break of the last line."""
    lines = yaml_text({name: fields}, levels=2).removesuffix("\n").split("\n")
    return newline.join(f"{indent}{line}" if line else line for line in lines)


def _is_short(value: Any) -> bool:
    return not value or len(json.dumps(value, ensure_ascii=False)) <= _WIDTH
