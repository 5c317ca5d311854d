"""Checks settings, versions, rights and rows for ``schedsync doctor``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from django.conf import settings
from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django_celery_beat.models import CrontabSchedule, PeriodicTasks

from schedsync import models
from schedsync.alarms.settings import notify_problems
from schedsync.core.finding import Finding, in_order
from schedsync.core.names import shortened
from schedsync.core.observed import Managed, Observed
from schedsync.core.timing import TimingError, canonical_zone
from schedsync.database.actor import who
from schedsync.database.clock import now
from schedsync.database.controls import controls_in_settings
from schedsync.database.environment import named_environment, require_environment
from schedsync.database.faults import database_errors, migrate_hint, missing_tables
from schedsync.database.history_upkeep import history_keep
from schedsync.database.lock import take
from schedsync.database.lock_wait import wait_for_lock
from schedsync.database.notify import bump
from schedsync.database.observe import observe
from schedsync.database.schedule_rows import TIMING_MODELS, collect_orphans, unreferenced_rows, with_zone
from schedsync.database.use_tz import USE_TZ_OFF
from schedsync.database.values import read_values, readable
from schedsync.errors import WrongUsage
from schedsync.monitoring.settings import settings_problems
from schedsync.monitors.settings import services as monitor_services
from schedsync.planning.build import unreadable_entry
from schedsync.usecases.admin_rows import admin_mode
from schedsync.usecases.binding import environment_findings
from schedsync.usecases.celery_settings import beat_schedule_names
from schedsync.usecases.registered_tasks import findings_of_rows
from schedsync.usecases.rights import rights_findings
from schedsync.usecases.sources import source_paths
from schedsync.usecases.unmanaged import unmanaged_findings
from schedsync.usecases.untracked import untracked_findings

_APPS = ("django_celery_beat", "schedsync")
#: In seconds. With a shorter deadline a Beat that is late skips runs that it owes.
SHORTEST_DEADLINE = 300
#: Parts of the names of the schedulers that read django-celery-beat's tables.
_OF_THESE_TABLES = ("DatabaseScheduler", "schedsync.beat")
#: Faults of installed versions that change what a schedule does: package, first version without it, what happens.
KNOWN_FAULTS: Sequence[tuple[str, tuple[int, ...], str]] = (
    ("django-celery-beat", (2, 9), "`beat_cron_starting_deadline` is ignored"),
    ("celery", (5, 7), "a crontab that can never fire is stored, and never runs"),
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings, and a line for each thing that was fixed."""

    findings: tuple[Finding, ...]
    fixed: tuple[str, ...] = ()


def settings_findings() -> Iterator[Finding]:
    """Check the settings and the installed versions, without the database."""
    if not settings.USE_TZ:
        yield USE_TZ_OFF
    if not getattr(settings, "DJANGO_CELERY_BEAT_TZ_AWARE", True):
        hint = "leave `DJANGO_CELERY_BEAT_TZ_AWARE` at its default"
        yield Finding("SS302", "`DJANGO_CELERY_BEAT_TZ_AWARE` is off: crontabs ignore their time zone", hint=hint)
    for check in (controls_in_settings, source_paths, history_keep, admin_mode):
        try:
            check()
        except WrongUsage as error:
            yield Finding("SS174", error.message, hint=error.hint)
    yield from settings_problems()
    yield from notify_problems()
    try:
        monitor_services()
    except WrongUsage as error:
        # As an error it would stop `manage.py migrate`.
        yield Finding("SS174", error.message, hint=error.hint, severity="warning")
    yield from _celery_findings()
    for package, fixed_in, fault in KNOWN_FAULTS:
        installed = version(package)
        if _numbers(installed) < fixed_in:
            wanted = ".".join(map(str, fixed_in))
            yield Finding("SS305", f"{package} {installed}: {fault}", hint=f"update to {wanted}", severity="warning")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


def _celery_findings() -> Iterator[Finding]:
    from celery import current_app

    conf = current_app.conf
    if conf.timezone is not None:
        try:
            canonical_zone(str(conf.timezone))
        except TimingError as error:
            yield Finding(
                "SS303", f"`CELERY_TIMEZONE`: {error.message}", hint="use an IANA name, for example `Europe/Berlin`"
            )
    deadline = conf.beat_cron_starting_deadline
    if deadline is not None and deadline < SHORTEST_DEADLINE:
        message = f"`beat_cron_starting_deadline` is {deadline}: Beat skips crontab runs that are later than that"
        yield Finding("SS304", message, hint=f"set at least {SHORTEST_DEADLINE}, or remove it", severity="warning")
    if not any(name in str(conf.beat_scheduler) for name in _OF_THESE_TABLES) and conf.beat_scheduler != "django":
        hint = "set `CELERY_BEAT_SCHEDULER = 'django_celery_beat.schedulers:DatabaseScheduler'`, or run "
        hint += "`celery beat -S django`; and import the Celery app in the project's `__init__.py`"
        message = f"Celery is configured with the scheduler `{conf.beat_scheduler}`, which does not read these tables"
        yield Finding("SS307", message, hint=hint, severity="info")


def database_findings(using: str) -> Iterator[Finding]:
    """Check the tables; raises Unavailable where the database does not answer."""
    with database_errors(using):
        if missing := unapplied(using):
            message = f"migrations are missing in database `{using}`: {', '.join(missing)}"
            yield Finding("SS310", message, hint=migrate_hint(using))
            return
        observed = observe(using, "")
        yield from rights_findings(using)
        yield from _change_row(using)
        yield from _rows(observed)
        yield from _zones(using)
        yield from _schedule_rows(using)
        yield from _ledger(observed)
        yield from _unreadable_entries(using)
        yield from environment_findings(using)


def unapplied(using: str) -> list[str]:
    """Return what is not migrated: the missing tables, else the migrations that are not applied."""
    if missing := missing_tables(using):
        return [f"table {name}" for name in missing]
    executor = MigrationExecutor(connections[using])
    targets = [key for key in executor.loader.graph.leaf_nodes() if key[0] in _APPS]
    return [f"{migration.app_label}.{migration.name}" for migration, _ in executor.migration_plan(targets)]


def _change_row(using: str) -> Iterator[Finding]:
    if not PeriodicTasks.objects.using(using).filter(ident=1).exists():
        message = "the change row is missing: a running Beat notices the first change up to 5 minutes late"
        yield Finding("SS312", message, hint="`schedsync doctor --fix` makes it", severity="warning")


def _rows(observed: Observed) -> Iterator[Finding]:
    for row in observed.rows.values():
        owner = observed.elsewhere.get(row.name)
        remedy = "`schedsync apply` writes it again" if owner else "correct it in the admin, or delete it"
        for problem in row.problems:
            yield Finding(problem.code, f"`{row.name}`: {problem.message}", hint=remedy)


def _zones(using: str) -> Iterator[Finding]:
    """Check all crontab rows: Beat reads the zones of unused ones too (``_get_unique_timezone_names``)."""
    rows = with_zone(CrontabSchedule.objects.using(using))
    for zone in sorted({str(zone) for (zone,) in read_values(rows.order_by().distinct(), ["zone"])}):
        try:
            canonical_zone(zone)
        except TimingError as error:
            reason = shortened(error.message)
            message = f"a crontab row has a bad time zone, Beat stops when it reads it: {reason}"
            yield Finding("SS323", message, hint="update tzdata, or correct the row")


def _schedule_rows(using: str) -> Iterator[Finding]:
    for kind, model in TIMING_MODELS.items():
        names = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
        rows = model._default_manager.using(using).order_by()
        if kind == "crontab":
            rows = with_zone(rows)
            names = ["zone" if name == "timezone" else name for name in names]
        repeated = sum(count - 1 for count in Counter(read_values(rows, names)).values())
        if repeated:
            hint = "harmless, but Beat takes longer to load them"
            rows_text = f"{repeated:,} duplicate {kind} {_rows_of(repeated)}"
            yield Finding("SS330", rows_text, hint=hint, severity="info")
        orphans = unreferenced_rows(using, model).count()
        if orphans:
            hint = "`schedsync doctor --fix` deletes those that schedsync made; others may belong to another app"
            orphans_text = f"{orphans:,} {kind} {_rows_of(orphans)} that no task uses"
            yield Finding("SS331", orphans_text, hint=hint, severity="info")


def _rows_of(count: int) -> str:
    return "row" if count == 1 else "rows"


def _ledger(observed: Observed) -> Iterator[Finding]:
    in_settings = beat_schedule_names()
    for name, set_name in observed.elsewhere.items():
        if name not in observed.rows:
            hint = "`schedsync apply` makes it again, or removes it from the ledger if the files don't define it"
            message = f"`{name}` of set `{set_name}` is in the ledger, but its row is gone"
            yield Finding("SS332", message, hint=hint, severity="warning")
        if name in in_settings:
            message = (
                f"`{name}` is also defined in CELERY_BEAT_SCHEDULE; Beat will overwrite this row at its next start"
            )
            yield Finding("SS306", message, hint="remove it from CELERY_BEAT_SCHEDULE")


def _unreadable_entries(using: str) -> Iterator[Finding]:
    for values in read_values(models.ManagedSchedule.objects.using(using).order_by("name"), ("name", "set", "applied")):
        name, set_name, applied = (readable(value, "") for value in values)
        managed = Managed(name, set_name, None, applied)
        if managed.spec is None:
            yield unreadable_entry(managed)


def examine(using: str, *, fix: bool = False, lock_timeout: float = 0.0) -> Diagnosis:
    """Check everything; with ``fix`` first delete our orphaned schedule rows and make a missing change row.

    Raises Locked where another apply holds the lock for longer than ``lock_timeout`` seconds.
    """
    fixed = tuple(wait_for_lock(lambda: fix_tables(using), lock_timeout)) if fix else ()
    findings = [*settings_findings(), *database_findings(using)]
    if all(finding.code != "SS310" for finding in findings):
        findings += [*unmanaged_findings(using), *findings_of_rows(using), *untracked_findings(using)]
    return Diagnosis(tuple(in_order(findings)), fixed)


def fix_tables(using: str) -> list[str]:
    """Delete schedule rows that schedsync made and no row uses, and make the change row; returns a line for each."""
    actor = who()
    with database_errors(using):
        # Reads the migrations' files, so it is done before the transaction opens.
        if unapplied(using):
            return []
        with transaction.atomic(using=using, durable=True):
            return _fix_tables(using, actor)


def _fix_tables(using: str, actor: str) -> list[str]:
    take(using, actor, now())
    require_environment(using, named_environment())
    done = list(_collect(using))
    if list(_change_row(using)):
        done.append("made the change row")
    if done:
        bump(using, now())
    return done


def _collect(using: str) -> Iterator[str]:
    ours: dict[str, set[int]] = {}
    managed = (
        models.ManagedSchedule.objects.using(using).exclude(timing_id=None).values_list("timing_kind", "timing_id")
    )
    for kind, row_id in managed:
        if kind in TIMING_MODELS and row_id is not None:
            ours.setdefault(kind, set()).add(row_id)
    for kind, ids in ours.items():
        orphans = set(unreferenced_rows(using, TIMING_MODELS[kind]).values_list("pk", flat=True)) & ids
        if orphans:
            collect_orphans(using, kind, orphans)
            yield f"deleted {len(orphans):,} orphaned {kind} {_rows_of(len(orphans))}"
