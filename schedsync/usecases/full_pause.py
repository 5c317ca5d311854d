"""Pause everything, and resume it: every Beat of schedsync's own obeys, for rows that nobody manages too.

Neither waits for the apply lock, which a long apply may hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import transaction

from schedsync.core.full_pause import FullyPaused
from schedsync.core.timing import instant_text
from schedsync.database import audit
from schedsync.database.actor import who
from schedsync.database.beats import live_beats
from schedsync.database.clock import now
from schedsync.database.environment import require_no_other
from schedsync.database.faults import database_errors
from schedsync.database.full_pause import lock_full_pause, read_full_pause, require_table, write_full_pause
from schedsync.database.notify import notify, publish
from schedsync.database.observe import observe_rows
from schedsync.errors import WrongUsage
from schedsync.models import Pause
from schedsync.usecases.catch_up import CatchUp, catch_up_of, catch_up_text


@dataclass(frozen=True, slots=True)
class Stopped:
    """A pause of everything, and the names of the live Beats that obey it.

    ``trouble`` are the warnings of these Beats, such as a stock Beat that runs beside them.
    """

    pause: FullyPaused
    at: datetime
    beats: tuple[str, ...]
    trouble: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resumed:
    """The pause of everything that has ended, and how many schedules have a pause of their own, which goes on."""

    pause: FullyPaused
    still_paused: int = 0


def pause_everything(using: str, reason: str, span: timedelta, environment: str | None = None) -> Stopped:
    """Stop every Beat for ``span``; a second pause replaces the reason and the end of the first.

    Raises WrongUsage without a reason, Refused where ``environment`` is not the database's.
    """
    if not reason.strip():
        raise WrongUsage("a pause needs a reason", hint="give `--reason TEXT`, for the people who see it later")
    actor = who()
    with database_errors(using):
        require_table(using)
        require_no_other(using, environment)
        with transaction.atomic(using=using, durable=True):
            before, at = lock_full_pause(using), now()
            is_on = before.is_on(at)
            since = before.since if is_on else at
            pause = FullyPaused(actor, reason, since, at + span, before.left_out(at))
            write_full_pause(using, pause)
            _record(using, "pause_all", actor, at, pause, replaces=before if is_on else None)
            notify(using)
        publish()
        beats = live_beats(using)
    trouble = {beat.trouble for beat in beats if beat.trouble}
    return Stopped(pause, at, tuple(map(str, beats)), tuple(sorted(trouble)))


def resume_everything(
    using: str, environment: str | None = None, *, catch_up: bool, say: Callable[[str], None]
) -> Resumed | None:
    """End the pause of everything; returns None where there is none.

    With ``catch_up`` the ticks that fell due meanwhile count as missed, else they are not sent. Raises Refused where
    ``environment`` is not the database's.
    """
    actor = who()
    with database_errors(using):
        require_table(using)
        require_no_other(using, environment)
        if catch_up:
            _say_catch_up(using, say)
        with transaction.atomic(using=using, durable=True):
            before, at = lock_full_pause(using), now()
            if not before.is_on(at):
                return None
            write_full_pause(using, replace(before, until=None if catch_up else at))
            _record(using, "resume_all", actor, at, before, catch_up=catch_up)
            notify(using)
        publish()
        return Resumed(before, Pause.objects.using(using).count())


def _say_catch_up(using: str, say: Callable[[str], None]) -> None:
    pause, at = read_full_pause(using), now()
    if pause is not None and pause.is_on(at):
        observed, total = observe_rows(using), CatchUp()
        for row in observed.rows.values():
            total += catch_up_of(row, at, pause.passed_until)
        say(catch_up_text(total))


def _record(
    using: str,
    verb: str,
    actor: str,
    at: datetime,
    pause: FullyPaused,
    replaces: FullyPaused | None = None,
    *,
    catch_up: bool | None = None,
) -> None:
    """Write the audit record; its one change says who paused, why and until when, also of the pause before."""
    document = {"kind": verb, **_document(pause)}
    if replaces is not None:
        document["replaces"] = _document(replaces)
    if catch_up is not None:
        document["catch_up"] = catch_up
    reason = pause.reason if verb == "pause_all" else None
    audit.record(using, verb, "", actor, at, {verb: 1}, changes=audit.packed([document]), reason=reason)


def _document(pause: FullyPaused) -> dict[str, object]:
    return {
        "who": pause.who,
        "reason": pause.reason,
        "since": pause.since and instant_text(pause.since),
        "until": pause.until and instant_text(pause.until),
    }
