"""The load of the week after the last apply, as it was kept then: a map, sentences, and the same as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.safestring import mark_safe

from schedsync.admin.page.section import Section, Seen
from schedsync.admin.page.sections.kept import chosen_files
from schedsync.admin.page.words import coded
from schedsync.calendar.kept_load import KeptLoad
from schedsync.render.load import maps
from schedsync.render.load.sentences import crowd_text, load_sentence, unplaced_text
from schedsync.render.page import plain_map
from schedsync.render.words import printable
from schedsync.usecases.preview import load_kept


def section(seen: Seen) -> Section | None:
    """Return the load of the chosen set; None before an apply has kept one."""
    files, facts = chosen_files(seen)
    if files is None:
        return None
    kept = load_kept(seen.using, files)
    context = {**facts, "is_kept": kept is not None, **({} if kept is None else _of(kept))}
    return Section("load", "Load of a week", "schedsync/page/load.html", context)


def _of(kept: KeptLoad) -> Mapping[str, Any]:
    picture = maps.week(kept.load)
    sentences = [load_sentence(kept.load), unplaced_text(kept.load)]
    return {
        "title": picture.title,
        # It is made here, and each text in it is escaped.
        "picture": mark_safe(plain_map.within_a_page(picture)),
        "sentences": [coded(printable(text)) for text in sentences if text],
        "crowds": [crowd_text(crowd, now=kept.load.window.since) for crowd in kept.crowds],
        "columns": picture.columns,
        "rows": [(label, [_number(cell.value) for cell in cells]) for label, cells in picture.rows],
    }


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
