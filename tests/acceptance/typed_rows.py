"""The rows of a shop's tables after seven years in the admin: four hands, each with its habits.

Run as a script in a project, it types them there: through the forms of the admin, or past them where a script did.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

BERLIN, NEW_YORK, KOLKATA, SYDNEY = "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney"
#: A kind of timing, and what the hand entered for it.
When = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """One row: what was entered, and ``history``, the columns that only Beat writes."""

    name: str
    task: str
    when: When
    entered: dict[str, Any] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)


def crontab(text: str | tuple[str, ...], timezone: str = "UTC") -> When:
    """Five fields; a tuple where one of them has a blank in it."""
    fields = text if isinstance(text, tuple) else tuple(text.split())
    names = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
    return "crontab", {**dict(zip(names, fields, strict=True)), "timezone": timezone}


def every(number: int, period: str) -> When:
    return "interval", {"every": number, "period": period}


def solar(event: str, latitude: str, longitude: str) -> When:
    return "solar", {"event": event, "latitude": latitude, "longitude": longitude}


def clocked(time: str) -> When:
    return "clocked", {"clocked_time": time}


def row(name: str, task: str, when: When, history: dict[str, Any] | None = None, **entered: Any) -> Row:
    return Row(name, task, when, entered, history or {})


def done(at: str, count: int = 0) -> dict[str, Any]:
    """Beat has run it, and some versions set the count back."""
    return {"last_run_at": at, "total_run_count": count}


#: The founder: crontabs as in cron, one queue for each department, German descriptions.
ANNA = [
    row("billing-close-month", "billing.tasks.close_month", crontab("0 3 1 * *", BERLIN), queue="billing"),
    row("billing-invoices", "billing.tasks.send_invoices", crontab("30 6 * * mon-fri", BERLIN), queue="billing"),
    row("billing-reminders", "billing.tasks.remind", crontab("0 9 * * 1-5", BERLIN), queue="billing",
        kwargs='{"level": 1}'),
    row("billing-dunning", "billing.tasks.dun", crontab("0 10 * * mon,wed,fri", BERLIN), queue="billing",
        description="Mahnungen gehen nur montags, mittwochs und freitags hinaus."),
    row("billing-vat-report", "billing.tasks.vat_report", crontab("0 7 1 1,4,7,10 *", BERLIN), queue="billing",
        description="The quarter's VAT, for the tax adviser.\nShe needs it before the tenth.\n\nAsk Anna if it fails."),
    row("search-vacuum", "search.tasks.vacuum", crontab("30 1 * * 0", BERLIN), queue="search"),
    row("nightly report", "reports.tasks.report", crontab("0 2 * * *", BERLIN), kwargs='{"kind": "nightly"}'),
    row("weekly report", "reports.tasks.report", crontab("0 6 * * 1", BERLIN), kwargs='{"kind": "weekly"}'),
    row("Monthly report – München", "reports.tasks.report", crontab("0 6 1 * *", BERLIN),
        kwargs='{"kind": "monthly", "city": "M\\u00fcnchen"}'),
    row("lights-on", "ops.tasks.lights", solar("sunset", "52.520000", "13.405000"), kwargs='{"state": "on"}'),
    row("lights-off", "ops.tasks.lights", solar("sunrise", "52.520000", "13.405000"), kwargs='{"state": "off"}'),
    row("Dup A", "ops.tasks.probe", crontab("5 5 * * *", BERLIN)),
]  # fmt: skip
#: The second developer: everything every so often, in the unit that came to mind, and never a zone.
BEN = [
    row("Billing reminders (2nd level)", "billing.tasks.remind", crontab("0 9 * * 2,4", BERLIN), queue="billing",
        kwargs='{ "level" : 2 }'),
    row("billing-retry-payments", "billing.tasks.retry_payments", every(15, "minutes"), queue="billing",
        expire_seconds=600),
    row("billing-sync-stripe", "billing.tasks.sync_stripe", every(900, "seconds"), queue="billing",
        expire_seconds=600, priority=7),
    row("sync-warehouse", "sync.tasks.sync_warehouse", every(90, "minutes"), queue="sync", expire_seconds=600),
    row("sync-prices", "sync.tasks.sync_prices", every(3600, "seconds"), queue="sync", expire_seconds=600),
    row("sync-stock", "sync.tasks.sync_stock", every(5, "minutes"), queue="sync", expire_seconds=240),
    row("sync-catalogue", "sync.tasks.sync_catalogue", every(86400, "seconds"), queue="sync",
        start_time="2022-03-01 04:30"),
    row("heartbeat", "ops.tasks.heartbeat", every(10, "seconds"), expire_seconds=10),
    row("ops-disk", "ops.tasks.check_disk", every(1, "hours"), {"total_run_count": 41_877}),
    row("ops-certificates", "ops.tasks.check_certificates", every(1, "days"), kwargs='{"warn_days": [30, 7, 1]}'),
    row("ops-metrics", "ops.tasks.collect_metrics", crontab("* * * * *"), expire_seconds=50),
    row("crm-push", "crm.tasks.push", every(30, "minutes"), queue="crm",
        kwargs='{"token": "sk_live_4f9c2b7d1e8a6035", "full": false}'),
    row("crm-birthdays", "crm.tasks.congratulate", crontab("0 8 * * *", BERLIN), queue="crm"),
    row("crm-cleanup", "crm.tasks.clean_up", every(12, "hours"), queue="crm", enabled=False,
        description="Off since the move to the new CRM. TODO: delete?"),
    row("crm-export", "crm.tasks.export", every(720, "minutes"), queue="crm", enabled=False),
    row("backfill orders", "sync.tasks.backfill", every(1, "minutes"), done("2023-05-04 10:01"), queue="sync",
        one_off=True, enabled=False),
]  # fmt: skip
#: Marketing: campaigns with an end, quotes, signs and whole sentences for names, and offices in all the world.
CHLOE = [
    row('report: top 10 "most wanted"', "reports.tasks.top", crontab("0 7 * * mon", BERLIN), args="[10]"),
    row("It's Friday", "mail.tasks.send", crontab("0 15 * * fri", BERLIN), args='["friday"]', queue="mail"),
    row("reports #1: 50% off", "reports.tasks.top", crontab("0 7 * * tue", BERLIN), args='[50, "off"]'),
    row("レポート", "reports.tasks.report", crontab("0 8 * * *", "Asia/Tokyo"), kwargs='{"kind": "日次"}'),
    row("report-kolkata", "reports.tasks.report", crontab("0 8 * * *", KOLKATA), kwargs='{"kind": "office"}'),
    row("report-new-york", "reports.tasks.report", crontab("0 8 * * *", NEW_YORK), kwargs='{"kind": "office"}'),
    row("report-sydney", "reports.tasks.report", crontab("0 8 * * 1,2,3,4,5", SYDNEY), kwargs='{"kind": "office"}'),
    row("newsletter", "mail.tasks.send", crontab("0 10 * * thu", BERLIN), args='["newsletter"]', queue="mail",
        headers='{"x-campaign": "weekly", "x-opt-out": true}', priority=3),
    row("newsletter {segment}", "mail.tasks.send", crontab("15 10 * * thu", BERLIN), args='["{segment}"]',
        queue="mail"),
    row("cart reminder", "mail.tasks.send", every(20, "minutes"), queue="mail",
        args='["cart", {"subject": "You\'ve left something", "body": "Dear {name},\\n\\nyour cart is waiting."}]'),
    row("winter-sale", "mail.tasks.send", crontab("0 18 * * sat,sun", BERLIN), args='["winter"]', queue="mail",
        expires="2035-02-28 23:59"),
    row("summer-sale", "mail.tasks.send", crontab("0 18 * * *", BERLIN), args='["summer"]', queue="mail",
        expires="2021-08-31 22:00", enabled=False),
    row("black friday", "mail.tasks.send", clocked("2024-11-29 00:00"), done("2024-11-29 00:00"), queue="mail",
        args='["black friday"]', one_off=True, enabled=False),
    row("launch 2023", "mail.tasks.send", clocked("2023-09-01 09:00"), done("2023-09-01 09:00", 1), queue="mail",
        args='["launch"]', one_off=True, enabled=False),
    row("new year 2036", "mail.tasks.send", clocked("2036-01-01 00:00"), queue="mail", args='["new year"]',
        one_off=True),
    row("pilot in Vienna", "sync.tasks.sync_stock", crontab("0 */4 * * *", "Europe/Vienna"), kwargs='{"shop": "Wien"}',
        start_time="2035-01-01 00:00"),
    row("dup a", "ops.tasks.probe", crontab("5 5 * * *", BERLIN)),
]  # fmt: skip
#: Scripts, fixtures and data migrations: JSON as it came out, blanks within fields, a row for each tenant.
SCRIPTS = [
    row("search-acme", "search.tasks.reindex", crontab("*/15 * * * *"), kwargs='{"tenant": "acme"}'),
    row("search-globex", "search.tasks.reindex", crontab("0,15,30,45 * * * *"), kwargs='{"tenant":"globex"}'),
    row("search-hooli", "search.tasks.reindex", crontab(("0, 15, 30, 45", "*", "*", "*", "*")),
        kwargs='{\n  "tenant": "hooli"\n}\n'),
    row("search-initech", "search.tasks.reindex", crontab("0-59/15 * * * *"), kwargs='{"tenant": "initech"}\n'),
    row("search-umbrella", "search.tasks.reindex", crontab("*/15 */1 * * *", "Etc/UTC"),
        kwargs='{ "tenant" : "umbrella" }'),
    row("search-acme-full", "search.tasks.reindex", crontab("0 1 * * sun", BERLIN),
        kwargs='{"tenant": "acme", "full": true}'),
    row("search-globex-full", "search.tasks.reindex", crontab("0 1 * * 0", BERLIN),
        kwargs='{"full":true,"tenant":"globex"}'),
    row("search-hooli-full", "search.tasks.reindex", crontab("0 1 * * SUN", BERLIN),
        kwargs='{"full": true, "tenant": "h\\u006foli"}'),
    row("sync-1001", "sync.tasks.sync_customer", every(30, "minutes"), args="[1001]"),
    row("sync-1002", "sync.tasks.sync_customer", every(1800, "seconds"), args="[ 1002 ]"),
    row("sync-1003", "sync.tasks.sync_customer", every(30, "minutes"), args="[\n  1003\n]\n"),
    row("sync-1010", "sync.tasks.sync_customer", every(1_800_000_000, "microseconds"), args="[1010]"),
    row("sync-1011", "sync.tasks.sync_customer", every(30, "minutes"), args="[1011]", enabled=False),
    row("mail-bounces", "mail.tasks.read_bounces", every(2, "minutes"), exchange="mail", routing_key="mail.bounces"),
    row("mail-complaints", "mail.tasks.read_bounces", every(2, "minutes"), exchange="mail",
        routing_key="mail.complaints", kwargs='{"feedback_loop": true}'),
    row("billing-fx-rates", "billing.tasks.fetch_rates", crontab("15 16 * * mon-fri", NEW_YORK),
        kwargs='{"pairs": ["EUR/USD", "EUR/GBP", "EUR/CHF", "EUR/JPY", "EUR/INR", "EUR/AUD", "EUR/SEK", "EUR/PLN"]}'),
    row("ops-office-hours", "ops.tasks.probe", crontab(("0, 30", "8-18", "*", "*", "mon, tue, wed, thu, fri"), BERLIN)),
    row("ops-sessions", "ops.tasks.clear_sessions", crontab("0 3 * * *"), headers="{ }"),
    row("ops-log-rotation", "ops.tasks.rotate", crontab("0 0 * * *"), args="", kwargs=""),
    row("ops-ledger-check", "ops.tasks.check_ledger", crontab("0 4 * * *", "GMT"), args="[ ]", kwargs="{ }",
        description="Written by migration 0042_ledger_check.\r\nDo not edit.\r\n"),
]  # fmt: skip


def names() -> list[str]:
    return [each.name for each in (*ANNA, *BEN, *CHLOE, *SCRIPTS)]


def tasks() -> set[str]:
    return {each.task for each in (*ANNA, *BEN, *CHLOE, *SCRIPTS)}


def enter() -> list[str]:
    """Write all rows, each hand with schedule rows of its own; returns the names that the database refused."""
    from django.db import IntegrityError, transaction

    refused: list[str] = []
    for hand, insert in ((ANNA, _through_the_admin), (BEN, _through_the_admin), (CHLOE, _through_the_admin),
                         (SCRIPTS, _past_the_admin)):  # fmt: skip
        timings: dict[str, Any] = {}
        for each in hand:
            try:
                with transaction.atomic():
                    insert(each, timings)
            except (IntegrityError, ValueError):
                refused.append(each.name)
    return refused


def _through_the_admin(each: Row, timings: dict[str, Any]) -> None:
    """Fill in the admin's form; a timing that the hand made before is chosen from the list."""
    from django.forms import modelform_factory
    from django_celery_beat.admin import PeriodicTaskForm

    kind, values = each.when
    if str(each.when) not in timings:
        timings[str(each.when)] = modelform_factory(_timing_model(kind), fields="__all__")(values).save()
    shown = {"args": "[]", "kwargs": "{}", "headers": "{}", "enabled": True}
    entered = {"name": each.name, "task": each.task, kind: timings[str(each.when)].pk, **shown, **each.entered}
    form = PeriodicTaskForm(entered)
    _set_history(form.save(), each)


def _past_the_admin(each: Row, timings: dict[str, Any]) -> None:
    """Insert what a script has, without any check; each row has a timing of its own."""
    from django_celery_beat.models import PeriodicTask

    kind, values = each.when
    timing = _timing_model(kind).objects.create(**values)
    _set_history(PeriodicTask.objects.create(name=each.name, task=each.task, **{kind: timing}, **each.entered), each)


def _timing_model(kind: str) -> Any:
    from django.apps import apps

    return apps.get_model("django_celery_beat", f"{kind}schedule")


def _set_history(made: Any, each: Row) -> None:
    from django.utils.dateparse import parse_datetime
    from django.utils.timezone import make_aware

    history = dict(each.history)
    if at := parse_datetime(str(history.get("last_run_at"))):
        history["last_run_at"] = make_aware(at)
    if history:
        type(made).objects.filter(pk=made.pk).update(**history)


if __name__ == "__main__":
    import django

    django.setup()
    sys.stdout.write("\n".join(enter()))
