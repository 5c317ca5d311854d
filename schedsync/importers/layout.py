"""Drafts become the text of a file: defaults, groups under headings, and what was left out as comments."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schedsync.core.names import first_names
from schedsync.files.writer import comment, yaml_text
from schedsync.importers.defaults import common_values, without_defaults
from schedsync.importers.draft import Draft, LeftOut
from schedsync.importers.grouping import Grouping

_INDENT = "  "
_HEAD = "version: 1\n"
_ADOPT = "Takes over the rows that exist. Remove this line once it is applied."
#: A file with fewer schedules needs no headings.
_FEWEST_WITH_HEADINGS = 8
#: The names that one comment lists; the others are counted.
_MOST_NAMES = 50


def file_text(
    drafts: Sequence[Draft], titles: Grouping, left_out: Sequence[LeftOut], *, lift: bool = True, adopt: bool = True
) -> str:
    """Return the text of a file: its schedules under the ``titles`` of their groups, then what is left out.

    ``lift`` moves common values to its defaults, and ``adopt`` makes it take over the rows that exist.
    """
    defaults = common_values(drafts) if lift else {}
    parts = [_HEAD, _defaults_text(defaults, adopt)] if drafts and (adopt or defaults) else [_HEAD]
    if drafts:
        parts.append("schedules:\n" + "\n".join(_sections(drafts, titles, defaults)))
    if left_out:
        parts.append(left_out_text(left_out))
    return "\n".join(parts)


def entry_text(draft: Draft) -> str:
    """Return the lines of one schedule below `schedules`, after the comments with its notes."""
    notes = "".join(comment(note, 0) for note in draft.notes)
    return textwrap.indent(notes + yaml_text({draft.name: draft.fields}, levels=2), _INDENT, lambda line: line != "\n")


def _defaults_text(defaults: Mapping[str, Any], adopt: bool) -> str:
    lines = (comment(_ADOPT) + yaml_text({"adopt": True}) if adopt else "") + (yaml_text(defaults) if defaults else "")
    return "defaults:\n" + textwrap.indent(lines, _INDENT)


def _sections(drafts: Sequence[Draft], titles: Grouping, defaults: Mapping[str, Any]) -> Iterator[str]:
    groups = titles.sections(drafts)
    has_headings = len(groups) > 1 and len(drafts) >= _FEWEST_WITH_HEADINGS
    for title, members in groups.items():
        heading = textwrap.indent(comment(title), _INDENT) + "\n" if has_headings else ""
        yield heading + "\n".join(entry_text(without_defaults(draft, defaults)) for draft in members)


def left_out_text(left_out: Sequence[LeftOut]) -> str:
    """Return the names that no file gets as comments, those with one reason together."""
    lines = [comment(f"- {names}: {reason}", 2) for reason, names in by_reason(left_out, _MOST_NAMES)]
    return comment("Left out:") + "".join(lines)


def by_reason(left_out: Sequence[LeftOut], most: int) -> list[tuple[str, str]]:
    """Return each reason with the names that share it, at most a number of them."""
    reasons: dict[str, list[str]] = {}
    for each in left_out:
        reasons.setdefault(each.reason, []).append(f"`{each.name}`")
    return [(reason, first_names(names, most)) for reason, names in reasons.items()]
