"""What surrounds the schedules: for ``schedsync doctor`` and for Django's system checks, with the same codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connections, router, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import CharField, F
from django.db.models.functions import Cast
from django_celery_beat.models import CrontabSchedule, PeriodicTask, PeriodicTasks

from schedsync.core.finding import Finding, in_order
from schedsync.core.observed import Observed
from schedsync.core.timing import TimingError, canonical_zone
from schedsync.database.actor import who
from schedsync.database.clock import now
from schedsync.database.faults import Fault, database_errors, fault_of, missing_tables
from schedsync.database.lock import take
from schedsync.database.observe import observe
from schedsync.database.schedule_rows import TIMING_MODELS, collect_orphans, unreferenced_rows
from schedsync.database.surroundings import settings_names
from schedsync.database.use_tz import USE_TZ_OFF
from schedsync.database.write import bump
from schedsync.models import ApplyLock, ManagedSchedule, Pause, SyncRun

_APPS = ("django_celery_beat", "schedsync")
#: Under this a late Beat passes over runs that it owes.
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
    """What the doctor found, and what it mended."""

    findings: tuple[Finding, ...]
    fixed: tuple[str, ...] = ()


def settings_findings() -> Iterator[Finding]:
    """Look at the settings and the installed versions; no database."""
    if not settings.USE_TZ:
        yield USE_TZ_OFF
    if not getattr(settings, "DJANGO_CELERY_BEAT_TZ_AWARE", True):
        hint = "leave `DJANGO_CELERY_BEAT_TZ_AWARE` at its default"
        yield Finding("SS302", "`DJANGO_CELERY_BEAT_TZ_AWARE` is off: crontabs ignore their zone", hint=hint)
    yield from _celery_findings()
    for package, mended, what in KNOWN_FAULTS:
        installed = version(package)
        if _numbers(installed) < mended:
            wanted = ".".join(map(str, mended))
            yield Finding("SS305", f"{package} {installed}: {what}", hint=f"update to {wanted}", severity="warning")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


def _celery_findings() -> Iterator[Finding]:
    from celery import current_app

    conf = current_app.conf
    if conf.timezone is not None:
        try:
            canonical_zone(str(conf.timezone))
        except TimingError as error:
            yield Finding("SS303", f"`CELERY_TIMEZONE`: {error.message}", hint="an IANA name, such as `Europe/Berlin`")
    deadline = conf.beat_cron_starting_deadline
    if deadline is not None and deadline < SHORTEST_DEADLINE:
        message = f"`beat_cron_starting_deadline` is {deadline}: Beat passes over runs that it owes"
        yield Finding("SS304", message, hint=f"at least {SHORTEST_DEADLINE}, or leave it out", severity="warning")
    if not any(name in str(conf.beat_scheduler) for name in _OF_THESE_TABLES) and conf.beat_scheduler != "django":
        hint = (
            "`CELERY_BEAT_SCHEDULER = 'django_celery_beat.schedulers:DatabaseScheduler'`, or `celery beat -S django`; "
        )
        hint += "and let the project's `__init__.py` import its Celery app"
        message = f"Celery's app is set to the scheduler `{conf.beat_scheduler}`, which does not read these tables"
        yield Finding("SS307", message, hint=hint, severity="info")


def database_findings(using: str) -> Iterator[Finding]:
    """Look at the tables; raises SchedsyncError where the database is not available."""
    with database_errors(using):
        if missing := _unapplied(using):
            message = f"migrations are missing in database `{using}`: {', '.join(missing)}"
            yield Finding("SS310", message, hint=f"`python manage.py migrate --database {using}`")
            return
        observed = observe(using, "")
        yield from _rights(using)
        yield from _change_row(using)
        yield from _rows(observed)
        yield from _zones(using)
        yield from _schedule_rows(using)
        yield from _ledger(observed)


def _unapplied(using: str) -> list[str]:
    if missing := missing_tables(using):
        return [f"table {name}" for name in missing]
    executor = MigrationExecutor(connections[using])
    targets = [key for key in executor.loader.graph.leaf_nodes() if key[0] in _APPS]
    return [f"{migration.app_label}.{migration.name}" for migration, _ in executor.migration_plan(targets)]


def _rights(using: str) -> Iterator[Finding]:
    """Try each write where it can change nothing, and take it back."""
    models = (
        PeriodicTask,
        PeriodicTasks,
        *TIMING_MODELS.values(),
        ManagedSchedule,
        Pause,
        SyncRun,
        ApplyLock,
    )
    for model in models:
        table = model._meta.db_table
        for right, statement in _harmless(using, model).items():
            try:
                with transaction.atomic(using=using):
                    statement()
            except DatabaseError as error:
                if fault_of(error, using) not in (Fault.RIGHTS, Fault.READ_ONLY):
                    raise
                yield Finding("SS311", f"no right to {right} in {table}", hint=f"GRANT {right.upper()} ON {table}")


def _harmless(using: str, model: type[Any]) -> dict[str, Callable[[], object]]:
    rows = model._default_manager.using(using).filter(pk=None).order_by()
    quoted = connections[using].ops.quote_name
    table = quoted(model._meta.db_table)
    names = [quoted(field.column) for field in model._meta.concrete_fields]
    every, column = ", ".join(names), names[-1]

    def execute(sql: str) -> None:
        with connections[using].cursor() as cursor:
            cursor.execute(sql)

    return {
        "select": lambda: list(rows[:1]),
        "insert": lambda: execute(f"INSERT INTO {table} ({every}) SELECT {every} FROM {table} WHERE 1 = 0"),
        "update": lambda: execute(f"UPDATE {table} SET {column} = {column} WHERE 1 = 0"),
        "delete": lambda: execute(f"DELETE FROM {table} WHERE 1 = 0"),
    }


def _change_row(using: str) -> Iterator[Finding]:
    if not PeriodicTasks.objects.using(using).filter(ident=1).exists():
        message = "the change row is missing: a running Beat misses the first change, for up to 5 minutes"
        yield Finding("SS312", message, hint="`schedsync doctor --fix` makes it", severity="warning")


def _rows(observed: Observed) -> Iterator[Finding]:
    for row in observed.rows.values():
        owner = observed.elsewhere.get(row.name)
        remedy = "`schedsync apply` writes it again" if owner else "mend it in the admin, or delete it"
        for problem in row.problems:
            yield Finding(problem.code, f"`{row.name}`: {problem.message}", hint=remedy)


def _zones(using: str) -> Iterator[Finding]:
    """Beat reads the zones of all crontabs, also of those that no task uses (``_get_unique_timezone_names``)."""
    rows = CrontabSchedule.objects.using(using).annotate(zone=Cast(F("timezone"), CharField()))
    for zone in sorted(set(rows.order_by().values_list("zone", flat=True))):
        try:
            canonical_zone(zone)
        except TimingError as error:
            yield Finding(
                "SS323",
                f"a crontab row: {error.message}, Beat stops while it reads it",
                hint="update tzdata, or the row",
            )


def _schedule_rows(using: str) -> Iterator[Finding]:
    for kind, model in TIMING_MODELS.items():
        names = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
        rows = model._default_manager.using(using).order_by()
        if kind == "crontab":
            rows = rows.annotate(zone=Cast(F("timezone"), CharField()))
            names = ["zone" if name == "timezone" else name for name in names]
        repeated = sum(count - 1 for count in Counter(rows.values_list(*names)).values())
        if repeated:
            yield Finding(
                "SS330",
                f"{repeated:,} duplicate {kind} rows",
                hint="harmless; they cost Beat time",
                severity="info",
            )
        orphans = unreferenced_rows(using, model).count()
        if orphans:
            hint = "those that were ours go with `schedsync doctor --fix`; others may be somebody's"
            yield Finding("SS331", f"{orphans:,} {kind} rows that no task uses", hint=hint, severity="info")


def _ledger(observed: Observed) -> Iterator[Finding]:
    written = settings_names()
    for name, set_name in observed.elsewhere.items():
        if name not in observed.rows:
            hint = "`schedsync apply` makes it again, or forgets it where the files don't want it"
            yield Finding("SS332", f"`{name}` of set `{set_name}` has lost its row", hint=hint, severity="warning")
        if name in written:
            message = f"`{name}` is managed, and stands in CELERY_BEAT_SCHEDULE too: Beat writes that back at its start"
            yield Finding("SS306", message, hint="remove it there")


def examine(using: str, *, fix: bool = False) -> Diagnosis:
    """Look at everything, and with ``fix`` mend what is safe to mend: our orphaned rows, and the change row."""
    fixed = tuple(mend(using)) if fix else ()
    found = [*settings_findings(), *database_findings(using)]
    return Diagnosis(tuple(in_order(found)), fixed)


def mend(using: str) -> list[str]:
    """Delete schedule rows that were ours and that nothing uses, and make the change row; returns what was done."""
    with database_errors(using), transaction.atomic(using=using, durable=True):
        if _unapplied(using):
            return []
        take(using, who(), now())
        done = list(_collect(using))
        if list(_change_row(using)):
            bump(using, now())
            done.append("made the change row")
        elif done:
            bump(using, now())
    return done


def _collect(using: str) -> Iterator[str]:
    ours: dict[str, set[int]] = {}
    known = ManagedSchedule.objects.using(using).exclude(timing_id=None).values_list("timing_kind", "timing_id")
    for kind, row_id in known:
        if kind in TIMING_MODELS and row_id is not None:
            ours.setdefault(kind, set()).add(row_id)
    for kind, ids in ours.items():
        orphans = set(unreferenced_rows(using, TIMING_MODELS[kind]).values_list("pk", flat=True)) & ids
        if orphans:
            collect_orphans(using, kind, orphans)
            yield f"deleted {len(orphans):,} orphaned {kind} rows"


_LEVELS = {"error": checks.Error, "warning": checks.Warning, "info": checks.Info}


def _message(finding: Finding) -> checks.CheckMessage:
    return _LEVELS[finding.severity](finding.message, hint=finding.hint, id=f"schedsync.{finding.code}")


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Django's system check of the settings."""
    return [_message(_of_the_host(finding)) for finding in settings_findings() if finding.severity != "info"]


def _of_the_host(finding: Finding) -> Finding:
    """Return a finding as `manage.py check` reports it.

    An error would stop `check` and `migrate` of a project that ran without time zones before schedsync came.
    """
    return replace(finding, severity="warning") if finding.code == USE_TZ_OFF.code else finding


def check_database(databases: Collection[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Django's system check of the tables; runs with ``check --database`` and before ``migrate``."""
    return [
        _message(finding)
        for using in databases or ()
        if router.allow_migrate_model(using, ManagedSchedule) and not _unapplied(using)
        for finding in database_findings(using)
    ]
