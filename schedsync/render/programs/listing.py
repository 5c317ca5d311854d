"""The list of schedules, and the matrix of environments, as JSON."""

from __future__ import annotations

from typing import Any

from schedsync.core.break_glass import Opened
from schedsync.core.listing import LastRun, ListedSchedule, Listing, Matrix, MatrixRow
from schedsync.core.removing import removing_document
from schedsync.core.schedule import Spec
from schedsync.core.secrets import masked
from schedsync.core.timing import timing_form
from schedsync.planning.converter import full_pause_document, instant_document, pause_document, people_document
from schedsync.planning.rolled_back import rolled_back_document
from schedsync.planning.standing import standing_document
from schedsync.render.programs.json_ import dump
from schedsync.render.timing_words import timing_words


def listing_json(value: Listing) -> str:
    """Write all of it; instants in UTC, ``late_seconds`` is None where it is not known."""
    return dump(
        {
            "version": 1,
            "at": instant_document(value.at),
            "everything_paused": full_pause_document(value.full_pause) if value.full_pause else None,
            "standing_pauses": [standing_document(pause) for pause in value.standing],
            "counts": value.counts(),
            "schedules": [_schedule(schedule) for schedule in value.schedules],
        }
    )


def _schedule(schedule: ListedSchedule) -> dict[str, Any]:
    spec = schedule.spec
    return {
        "name": schedule.name,
        "state": schedule.state,
        "set": schedule.set,
        "task": spec.task if spec else None,
        "queue": spec.queue if spec else None,
        "enabled": spec.enabled if spec else None,
        "timing": timing_form(spec.timing) if spec else None,
        "timing_text": timing_words(spec.timing) if spec else None,
        "problem": schedule.problem,
        "next_run": instant_document(schedule.next_run),
        "due_since": instant_document(schedule.due),
        **_last_run(schedule.last_run),
        "people": masked(people_document(schedule.people)),
        "pause": pause_document(schedule.pause) if schedule.pause else None,
        "removing": removing_document(schedule.removing) if schedule.removing else None,
        "rolled_back": rolled_back_document(schedule.rolled_back) if schedule.rolled_back else None,
        "opened": _opened(schedule.opened) if schedule.opened else None,
    }


def _opened(opened: Opened) -> dict[str, Any]:
    return {"since": instant_document(opened.since), "who": opened.who, "reason": opened.reason}


def _last_run(run: LastRun | None) -> dict[str, Any]:
    return {
        "last_run": instant_document(run.at if run else None),
        "late_seconds": run.late if run else None,
        "skipped": run is not None and run.skipped,
    }


def matrix_json(value: Matrix) -> str:
    """Write all of it; an environment in which a schedule is absent has None."""
    return dump(
        {
            "version": 1,
            "set": value.set,
            "environments": list(value.environments),
            "schedules": [_row(row) for row in value.rows],
            "unexpanded": list(value.unexpanded),
        }
    )


def _row(row: MatrixRow) -> dict[str, Any]:
    cells = {name: _cell(spec) for name, spec in row.specs.items()}
    return {"name": row.name, "differs": row.differs, "fields": list(row.differing), "environments": cells}


def _cell(spec: Spec | None) -> dict[str, Any] | None:
    if spec is None:
        return None
    return {"timing": timing_form(spec.timing), "timing_text": timing_words(spec.timing), "enabled": spec.enabled}
