"""A review as one page of HTML that loads nothing: for a browser, an archive, a mail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from schedsync import __version__
from schedsync.calendar.load import Load
from schedsync.calendar.words import moment
from schedsync.core.names import first_names
from schedsync.render.changes.alarms import ALARMS, DELETED, alarm_of
from schedsync.render.changes.folding import Group, groups_across, in_order_of_danger
from schedsync.render.changes.verdict import verdict_text
from schedsync.render.load.change import load_lines
from schedsync.render.page import load as page_load
from schedsync.render.page import svg
from schedsync.render.page.rows import ChangeRow, rows
from schedsync.render.words import (
    counted,
    environments_text,
    named_text,
    printable,
    review_summary_text,
    side_text,
)
from schedsync.review.result import EnvironmentReview, Review
from schedsync.review.shown import shown_findings

#: A table has at most this many rows; further changes are lines of a list. A browser needs long for many rows.
_ROWS = 500
_CODE = re.compile("`([^`]+)`")
#: Alarms that are painted red; the others are yellow.
_RED = frozenset({"Stops", "Never runs", "Fires at once", DELETED.title})


@lru_cache(maxsize=1)
def _environment() -> Any:
    # Loaded here: only who wants a page waits for it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # What came from outside is escaped wherever it is put in; only pictures of ours go in as they are.
    made = Environment(
        loader=PackageLoader("schedsync.render.page", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"printable": printable, "prose": prose}
    made.globals |= {
        "counted": counted,
        "named_text": named_text,
        "first_names": first_names,
        "heat_style": safe(svg.style()),
    }
    return made


def safe(text: str) -> Any:
    """Mark a text of ours as markup."""
    from markupsafe import Markup

    return Markup(text)


def prose(text: str) -> Any:
    """Return a message as markup: escaped, and what is between backticks as code."""
    from markupsafe import escape

    return safe(_CODE.sub(r"<code>\1</code>", str(escape(printable(text)))))


def rendered(template: str, **values: Any) -> str:
    """Return a page."""
    page: str = _environment().get_template(template).render(**values)
    return page


def made_at(now: datetime | None) -> str:
    """Write when a page was made, and by which version."""
    at = f"{moment(now)} UTC, " if now is not None else ""
    return f"{at}by schedsync {__version__}"


@dataclass(frozen=True, slots=True)
class AlarmSection:
    """The rows of one kind of alarm, under its word; the ``rest`` is brief, but in the open too."""

    title: str
    colour: str
    rows: Sequence[ChangeRow]
    rest: Sequence[Group] = ()


def review(value: Review) -> str:
    """Write a review as one page: alarms first, then the other changes, the load before and after, and the findings."""
    groups = in_order_of_danger(groups_across([(one.environment, one.plan) for one in value.environments]))
    now = value.environments[0].plan.now if value.environments else None
    quiet = [group for group in groups if alarm_of(group) is None]
    findings = shown_findings(value)
    return rendered(
        "review.html",
        verdict=verdict_text(value, groups, findings, "refused"),
        facts=_facts(value, now),
        base=value.base_text,
        head=_head_text(value),
        sections=_sections(value),
        alarms=_alarms(groups, now),
        quiet=rows(quiet[:_ROWS], now),
        rest=quiet[_ROWS:],
        environments=len([one for one in value.environments if one.environment]),
        is_complete=all(one.is_complete for one in value.environments),
        safeguards=findings.safeguards,
        new=findings.new,
        errors=findings.errors,
        old=findings.old,
    )


def _sections(value: Review) -> list[dict[str, Any]]:
    """Return what the page says of each environment; those of which it says the same are one section."""
    shown: list[tuple[dict[str, Any], list[str | None]]] = []
    loads: list[tuple[Load, Load, dict[str, Any]]] = []
    for each in value.environments:
        known = (said for before, after, said in loads if before == each.before and after == each.after)
        if (load := next(known, None)) is None:
            load = _load(each)
            loads.append((each.before, each.after, load))
        section = {"summary": review_summary_text(each), "refusals": each.plan.refusals, **load}
        names = next((names for other, names in shown if other == section), None)
        if names is None:
            shown.append((section, [each.environment]))
        else:
            names.append(each.environment)
    return [section | {"environments": environments_text(names)} for section, names in shown]


def _load(each: EnvironmentReview) -> dict[str, Any]:
    lines = load_lines(each.before, each.after, _as_code)
    return {
        "load_change": [line.removeprefix("- ") for line in lines],
        "load": page_load.before_and_after(each.before, each.after),
    }


def _as_code(text: str) -> str:
    return f"`{text}`"


def _alarms(groups: Sequence[Group], now: datetime | None) -> list[AlarmSection]:
    """Return the changes that need a look, by their most dangerous alarm."""
    sections = []
    for alarm in (*ALARMS, DELETED):
        if concerned := [group for group in groups if alarm_of(group) is alarm]:
            colour = "red" if alarm.title in _RED else "amber"
            section = AlarmSection(alarm.title, colour, rows(concerned[:_ROWS], now), concerned[_ROWS:])
            sections.append(section)
    return sections


def _facts(value: Review, now: datetime | None) -> list[tuple[str, str]]:
    """Return what the page is of, as labels and texts."""
    environments = environments_text([one.environment for one in value.environments])
    approvals = [
        f"{', '.join(by)} ({counted(count, 'change')} of {owner})" for owner, by, count in value.approvals_needed()
    ]
    said = (
        ("repository", value.repository),
        ("set", value.environments[0].plan.set if value.environments else None),
        ("environments" if "," in environments else "environment", environments),
        ("base", value.base_text),
        ("head", _head_text(value)),
        ("made", made_at(now)),
        ("needs approval by", "; ".join(approvals)),
    )
    return [(label, text) for label, text in said if text]


def _head_text(value: Review) -> str:
    short = side_text(value.head)
    name = value.head_name
    return short if value.head is None or not name or value.head.startswith(name) else f"{name} at {short}"
