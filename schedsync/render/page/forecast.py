"""A forecast as a page, and its load map as SVG."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from schedsync.calendar.forecast import Forecast, Outlook
from schedsync.calendar.timeline import Timeline
from schedsync.calendar.words import moment
from schedsync.core.origin import Binding
from schedsync.render.changes.cells import runs_text
from schedsync.render.load import lanes, maps
from schedsync.render.load.sentences import unplaced_text
from schedsync.render.page import load, timeline
from schedsync.render.page import svg as heatmap_svg
from schedsync.render.page.review import made_at, rendered
from schedsync.render.timing_words import timing_words
from schedsync.render.words import printable

#: A row has at most this many runs; the others are in its foldout.
_RUNS = 5


def svg(value: Forecast) -> str:
    """Write the timeline as SVG if there is one, else the load picture of the week."""
    if value.timeline is not None:
        return timeline.alone(value.timeline)
    notes = (printable(maps.steady_text(value.load)), unplaced_text(value.load))
    return heatmap_svg.alone(maps.week(value.load), *filter(None, notes)) + "\n"


def html(value: Forecast, set_: str = "", binding: Binding | None = None, now: datetime | None = None) -> str:
    """Write a forecast as one page that loads nothing; ``set_`` and ``binding`` say which files it is of."""
    return rendered(
        "forecast.html",
        facts=_facts(value, set_, binding or Binding(), now),
        subject=printable(set_),
        start=moment(value.start),
        load=load.of_a_week(value.load),
        timeline=_timeline(value.timeline),
        outlooks=[_row(one, value) for one in value.outlooks],
    )


def _timeline(value: Timeline | None) -> dict[str, Any] | None:
    """Return the title, the picture and the notes of a timeline; None where nobody asked for it."""
    # markupsafe is loaded here: only who wants a page waits for it.
    from markupsafe import Markup

    if value is None:
        return None
    picture = Markup(timeline.within_a_page(value))
    return {"title": lanes.title(value), "picture": picture, "notes": list(lanes.notes(value))}


def _facts(value: Forecast, set_: str, binding: Binding, now: datetime | None) -> list[tuple[str, str]]:
    said = (
        ("set", set_),
        ("environment", binding.environment),
        ("from", f"{moment(value.start)} UTC"),
        ("repository", binding.repository),
        ("files at", binding.commit_text),
        ("made", made_at(now)),
    )
    return [(label, text) for label, text in said if text]


def _row(one: Outlook, value: Forecast) -> dict[str, str]:
    """Return the cells of a schedule; ``more`` are the runs that its row has no room for."""
    is_known = bool(one.runs) and not value.is_assumed(one)
    later = runs_text(one.runs[_RUNS:], one.timing, value.start) if is_known and len(one.runs) > _RUNS else ""
    return {
        "name": one.name,
        "timing": timing_words(one.timing),
        "often": one.frequency,
        "runs": _first_runs(one, value),
        "more": " ".join(filter(None, [later, value.rest_text(one) if is_known else ""])),
    }


def _first_runs(one: Outlook, value: Forecast) -> str:
    if not one.runs:
        return "no run"
    if value.is_assumed(one):
        # The instants would be those of our own counting.
        return "from its last run"
    return runs_text(one.runs[:_RUNS], one.timing, value.start)
