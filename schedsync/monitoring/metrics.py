"""All metrics: their names, kinds, labels, and the help texts that Prometheus shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter", "summary", "info"]

#: The label that names a Beat by its host and process, as `schedsync status` does.
BEAT = ("beat",)
SET = ("set",)
SCHEDULE = ("schedule",)
#: The name of what an agent follows.
FOLLOW = ("follow",)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; ``name`` is without the endings that Prometheus adds by the kind: `_total`, `_info`, `_sum`."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


def _gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Metric:
    return Metric(f"schedsync_{name}", "gauge", text, labels)


def _counter(name: str, text: str) -> Metric:
    return Metric(f"schedsync_{name}", "counter", f"{text}, since this Beat started.", BEAT)


DATABASE_UP = _gauge("database_up", "1 if the database could be read for this scrape, else 0.")

BEATS_ALIVE = _gauge("beats_alive", "Beats of schedsync whose last heartbeat is younger than a lease.")
LEADERS = _gauge("leaders", "Live Beats that say that they lead; after a crash it is 2 for at most one lease.")
LEADER = Metric("schedsync_leader", "info", "The Beat that leads, and where its lease is.", ("beat", "election"))
EPOCH = _gauge("lease_epoch", "How many times a Beat has acquired the lease.")

FULLY_PAUSED = _gauge("everything_paused", "1 while everything is paused, else 0.")
OLDEST_PAUSE = _gauge(
    "oldest_pause_timestamp_seconds",
    "Start of the oldest pause without an end, also of one for schedules to come; absent without one.",
)

ENABLED = _gauge("schedules_enabled", "Schedules that run.")
DISABLED = _gauge("schedules_disabled", "Rows that are disabled for any reason: in Git, paused, held, or completed.")
DUE = _gauge("schedules_due", "Schedules whose tick is due and that have not run for it yet.")
OVERDUE = _gauge(
    "schedules_overdue",
    "Schedules whose tick has been due for more than 60 seconds (300 seconds if no Beat of schedsync is alive).",
)
FAILED = _gauge("schedules_failed", "Schedules whose last message could not be sent.")
BROKEN = _gauge("schedules_broken", "Enabled schedules that cannot run.")
NEVER_RAN = _gauge("schedules_never_ran", "Enabled schedules that never ran.")
MANAGED = _gauge("schedules_managed", "Schedules that a set in Git manages.")
UNMANAGED = _gauge("schedules_unmanaged", "Rows that no set manages, without Celery's own.")
PAUSED = _gauge("schedules_paused", "Schedules that are paused by name.")
HELD = _gauge("schedules_held", "Managed schedules that somebody disabled outside Git; absent if too many rows differ.")
DRIFTED = _gauge(
    "schedules_drifted", "Managed schedules that somebody changed outside Git; absent if too many rows differ."
)
REMOVING = _gauge(
    "schedules_removing", "Managed schedules that no file defines any more, and that wait disabled to be deleted."
)

LAST_APPLY = Metric(
    "schedsync_last_apply", "info", "The commit of the last apply of each set.", ("set", "environment", "commit")
)
LAST_APPLY_TIME = _gauge(
    "last_apply_timestamp_seconds", "When an apply last changed something, by set that manages schedules.", SET
)
LAST_APPLY_CHANGES = _gauge("last_apply_changes", "Changes of the last apply, by set and kind.", ("set", "kind"))
LAST_APPLY_FAILED = _gauge(
    "last_apply_failed", "1 if the last apply of a set failed, else 0; the reason is as in JSON.", ("set", "reason")
)
LAST_FAILURE_TIME = _gauge("last_apply_failure_timestamp_seconds", "When the last apply of a set failed.", SET)

BEAT_START = _gauge("beat_start_timestamp_seconds", "When this Beat started.", BEAT)
BEAT_LEADS = _gauge("beat_leads", "1 if this Beat leads, 0 if it stands by.", BEAT)
BEAT_SCHEDULES = _gauge("beat_schedules", "Schedules that this Beat has loaded.", BEAT)
BEAT_TROUBLE = _gauge(
    "beat_trouble",
    "1 if this Beat warns: of a second scheduler, of its clock, or of a database of another environment.",
    BEAT,
)
BROKER_UP = _gauge("beat_broker_up", "1 if the leader reaches its broker, else 0; only the leader has it.", BEAT)
CLOCK_SKEW = _gauge("beat_clock_skew_seconds", "How far the clock of this Beat is ahead of the database's.", BEAT)
LAG = _gauge("beat_lag_seconds", "How late this Beat sent its last message.", BEAT)
LAST_TICK = _gauge("beat_last_tick_timestamp_seconds", "The tick of the last message that this Beat sent.", BEAT)

SENT = _counter("beat_messages_sent", "Messages sent")
REFUSED = _counter("beat_messages_refused", "Attempts to send that the broker refused, and that are repeated")
GIVEN_UP = _counter("beat_messages_given_up", "Messages that can never be sent, and are given up")
UNSURE = _counter("beat_messages_unsure", "Messages that the broker may have received before the connection broke")
PASSED_OVER = _counter(
    "beat_ticks_passed_over",
    "Ticks that are not sent: missed, too late, paused with everything, or left out for an open run",
)
LEASE_LOSSES = _counter("beat_lease_losses", "Losses of the lease")
RELOADS = Metric(
    "schedsync_beat_reload_seconds", "summary", "Time that this Beat took to look for changed schedules.", BEAT
)

NEXT_RUN = _gauge(
    "schedule_next_run_timestamp_seconds",
    "The next run of a schedule that SCHEDSYNC_METRICS_SCHEDULES names; in the past while the run is due.",
    SCHEDULE,
)
LAST_RUN = _gauge(
    "schedule_last_run_timestamp_seconds",
    "The last run of a schedule that SCHEDSYNC_METRICS_SCHEDULES names; also a tick that `overlap: skip` left out.",
    SCHEDULE,
)
LEFT_OUT = _gauge(
    "schedules_left_out", "Schedules that SCHEDSYNC_METRICS_SCHEDULES names beyond the first 1,000, which are left out."
)

AGENT_ACTS = _gauge("agent_acts", "1 if this agent acts, 0 if it stands by.", FOLLOW)
AGENT_FETCH_FAILED = _gauge("agent_fetch_failed", "1 if the remote gave no commit that may be applied, else 0.", FOLLOW)
AGENT_COMMIT_FAILED = _gauge(
    "agent_commit_failed", "1 if the last commit could not be applied or kept, else 0.", FOLLOW
)
AGENT_LEFT = _gauge("agent_edits_left", "Schedules that others have edited, and that this agent left so.", FOLLOW)
AGENT_FETCH_TIME = _gauge(
    "agent_last_fetch_timestamp_seconds", "When this agent last fetched what it may apply.", FOLLOW
)
AGENT_APPLY_TIME = _gauge("agent_last_apply_timestamp_seconds", "When this agent last changed the tables.", FOLLOW)

#: In the order of the reference.
METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
