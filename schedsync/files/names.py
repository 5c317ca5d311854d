"""Texts that name something: a schedule, a task, a queue; each has to fit into its column and into one line."""

from __future__ import annotations

import unicodedata

from schedsync.core.location import Location
from schedsync.core.schedule import LONGEST_NAME
from schedsync.files.node import Node
from schedsync.files.reporter import Reporter

# Overrides of the writing direction make a name look like another one.
_DIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def check_name(name: str, place: Location, reporter: Reporter) -> bool:
    """Say whether a text can be a schedule's name; if it cannot, report why."""
    if name.isascii() and name.isprintable() and 0 < len(name) <= LONGEST_NAME and _is_ordinary(name):
        return True
    if not name or name != name.strip():
        reporter.finding("SS140", "a name must not be empty, nor begin or end with white space", place)
    elif len(name) > LONGEST_NAME:
        reporter.finding("SS140", f"a name of {len(name)} characters; the table holds {LONGEST_NAME}", place)
    elif control := _control_character(name):
        reporter.finding("SS140", f"a name with the control character {control}", place)
    elif name.lower().startswith("celery."):
        hint = "names that begin with `celery.` are reserved for Beat"
        reporter.finding("SS143", f"`{name}` belongs to Beat itself", place, hint)
    else:
        return True
    return False


def _is_ordinary(name: str) -> bool:
    """Say whether a name can neither have white space at its ends nor begin with ``celery.``."""
    return name[0] not in " cC" and name[-1] != " "


def message_text(node: Node, key: str, reporter: Reporter) -> str | None:
    """Return a text for the message's header: one line, as long as its column; None, with a finding, if it is not."""
    text = node.value
    if not isinstance(text, str):
        return None
    if text.isascii() and text.isprintable() and 0 < len(text) <= LONGEST_NAME:
        return text
    if control := _control_character(text):
        reporter.finding("SS123", f"`{key}` with the control character {control}", node.at(reporter.path))
    elif not 0 < len(text) <= LONGEST_NAME:
        message = f"`{key}` of {len(text)} characters; the table holds 1 to {LONGEST_NAME}"
        reporter.finding("SS123", message, node.at(reporter.path))
    else:
        return text
    return None


def _control_character(text: str) -> str | None:
    """Return the first character that cannot be shown, as ``U+000A``; None without any."""
    return next((f"U+{ord(character):04X}" for character in text if _is_control(character)), None)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _DIRECTIONAL
