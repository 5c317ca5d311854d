"""The values that the page of one schedule shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timezone
from typing import Any

from schedsync.admin.page.forms import PauseOne
from schedsync.admin.page.permissions import PAUSE, RUN
from schedsync.admin.page.section import Seen
from schedsync.admin.page.sections.changes import address_in, row_of
from schedsync.admin.page.sections.schedules import rows_of
from schedsync.admin.page.words import coded
from schedsync.admin.place import place_of
from schedsync.calendar.words import zone_name
from schedsync.core.history import HistoryEntry
from schedsync.core.origin import Web, commit_from, recorded_text
from schedsync.core.secrets import masked
from schedsync.core.timing import moment, zone_of
from schedsync.core.why import Answer, Explanation, Verdict
from schedsync.git.web import web_of_url
from schedsync.importers.entry import entry_of
from schedsync.render.comment.links import commit_address
from schedsync.render.terminal.history import MOST_CHANGES, change_rows, done_text
from schedsync.render.terminal.why import short_answer, ticks_text, ways_out
from schedsync.render.timing_words import timing_words
from schedsync.render.words import printable
from schedsync.usecases.one_schedule import BEHIND, OneSchedule

#: The permissions that let a user open the form of the row.
_ROW = ("django_celery_beat.view_periodictask", "django_celery_beat.change_periodictask")
_FINE = frozenset({Verdict.SENT, Verdict.COMING})


def values_of(found: OneSchedule, seen: Seen) -> dict[str, Any]:
    """Return the values for the template; text of rows and records is escaped by the template."""
    listed, managed = found.listed, found.managed
    web = _web(found)
    return {
        "name": found.name,
        "row_id": found.row_id,
        "cells": rows_of(found.listing)[0] if listed else None,
        "coming": coded(_coming(found)),
        "facts": list(_facts(found)),
        "runbook": _runbook(listed.people.runbook if listed else None),
        "place": _place(found),
        "commit": {
            "text": printable(recorded_text(managed.commit)) if managed else "",
            "address": commit_address(web.head, web) if web else None,
        },
        "why": _why(found.explanation),
        "ahead": _ahead(found),
        "behind": _behind(found.explanation),
        "changes": [_change(entry, found, seen) for entry in found.history.entries],
        "changes_cut": found.history.is_cut,
        "yaml": entry_of(found.name, managed.spec, managed.people) if managed and managed.spec else "",
        **_forms(found, seen),
    }


def _forms(found: OneSchedule, seen: Seen) -> dict[str, Any]:
    """Return which forms the page has: a schedule that nobody manages cannot be paused."""
    state = found.listed.state if found.listed else ""
    may_pause = seen.user.has_perm(PAUSE) and found.managed is not None and found.listed is not None
    is_stopped = found.listed is not None and (found.listed.pause is not None or state == "held")
    return {
        "may_pause": may_pause and found.row_id is not None,
        "may_resume": may_pause and is_stopped,
        "may_run": seen.user.has_perm(RUN) and found.row_id is not None,
        "is_stopped": is_stopped,
        "may_see_row": found.row_id is not None and any(map(seen.user.has_perm, _ROW)),
        "form": PauseOne(auto_id="pause_%s"),
    }


def _coming(found: OneSchedule) -> str:
    """Write when it runs next, or what it waits for; empty where it does not run."""
    listed = found.listed
    text = rows_of(found.listing)[0]["next"] if listed else ""
    if listed is None or not text or text.endswith("`"):
        return text
    zone = zone_name(listed.spec.timing) if listed.spec else "UTC"
    is_run = listed.next_run is not None and listed.due is None and listed.state != "paused"
    return f"next run {text} {zone}" if is_run else f"{text} {zone}"


def _facts(found: OneSchedule) -> Iterator[tuple[str, str]]:
    """Yield what a reader needs to know first, as pairs of a label and a text."""
    listed = found.listed
    if listed is None:
        return
    spec = listed.spec
    # Some themes write a title with a capital letter.
    yield "Name", printable(found.name)
    if spec is not None:
        yield "Task", printable(spec.task)
        yield "Timing", timing_words(spec.timing, with_utc=True)
        yield "Queue", printable(spec.queue or "the default queue")
    if listed.problem:
        yield "Problem", coded(printable(listed.problem))
    if (pause := listed.pause) is not None:
        until = f"until {moment(pause.until, now=found.listing.at)} UTC" if pause.until else "until it is resumed"
        yield "Paused", printable(f"{until} by {pause.who}: {pause.reason}")
    if (opened := listed.opened) is not None:
        since = moment(opened.since, now=found.listing.at)
        yield "Open for editing", printable(f"since {since} UTC by {opened.who}: {opened.reason}; an apply ends it")
    yield "Set", printable(listed.set or "managed by nobody")
    people = listed.people
    for label, text in (("Owner", people.owner), ("Disabled, because", people.disabled_reason)):
        if text:
            yield label, printable(text)
    if people.labels:
        yield "Labels", printable(", ".join(f"{key}={value}" for key, value in masked(dict(people.labels)).items()))
    if spec is not None and spec.description:
        yield "Description", printable(str(masked(spec.description)))


def _runbook(text: str | None) -> Mapping[str, str | None] | None:
    return {"text": printable(str(masked(text))), "address": address_in(text)} if text else None


def _web(found: OneSchedule) -> Web | None:
    commit = commit_from(found.managed.commit)[0] if found.managed else None
    return web_of_url(_repository(found), commit)


def _repository(found: OneSchedule) -> str | None:
    return found.last.repository if found.last else None


def _place(found: OneSchedule) -> Mapping[str, str | None] | None:
    place = place_of(found.managed, found.last) if found.managed else None
    return {"text": printable(place.place), "address": place.url} if place and place.place else None


def _why(value: Explanation) -> dict[str, Any]:
    answer = value.answer
    return {
        "sentence": coded(printable(answer.sentence)),
        "fine": answer.verdict in _FINE,
        "evidence": [(each.kind.value, coded(printable(each.words))) for each in (*answer.evidence, *value.notes)],
        "task_id": answer.task_id,
        "before": coded(short_answer(value.before, value)) if value.before else "",
        "following": coded(_following(value)),
        "ways": list(map(coded, ways_out(value))),
    }


def _following(value: Explanation) -> str:
    following: Answer | None = value.following
    return "" if following is None or following.tick == value.answer.tick else short_answer(following, value)


def _ahead(found: OneSchedule) -> dict[str, Any]:
    spec = found.listed.spec if found.listed else None
    zone = zone_of(spec.timing) if spec else timezone.utc
    return {
        "zone": zone_name(spec.timing) if spec else "UTC",
        "runs": [moment(tick, zone, found.listing.at) for tick in found.ahead],
    }


def _behind(value: Explanation) -> list[dict[str, Any]]:
    """Return the last runs, the newest first."""
    ticks = value.listed.ticks if value.listed else ()
    return [
        {
            "when": printable(ticks_text(each, value)),
            "verdict": each.verdict.value.replace("_", " "),
            "because": coded(printable(each.because)),
            "fine": each.verdict in _FINE,
        }
        for each in ticks[: -BEHIND - 1 : -1]
    ]


def _change(entry: HistoryEntry, found: OneSchedule, seen: Seen) -> dict[str, Any]:
    changes = (entry.changes or ())[:MOST_CHANGES]
    one = replace(found.history, wanted=replace(found.history.wanted, globs=()))
    rows = [row for change in changes for row in change_rows(change, entry, seen.now)]
    where = "in Django's admin, behind Git's back" if entry.is_admin else ""
    return row_of(entry, _repository(found), seen) | {
        "what": done_text(entry, one),
        "where": where,
        "rows": rows,
        "problem": printable(entry.problem),
    }
