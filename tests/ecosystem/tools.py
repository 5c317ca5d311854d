"""What each tool sees of a Beat: ``python -m tests.ecosystem.tools TOOL stock|ours DIRECTORY`` prints it as JSON.

DIRECTORY holds the installed tools. Each tool has a process of its own, because most of them patch Celery.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

if __name__ == "__main__":
    # Behind everything else: Celery and Django are those that the tests are run with.
    sys.path.append(sys.argv[3])
    if sys.argv[1] == "newrelic":
        # It hooks modules when they are imported.
        from newrelic import agent

        agent.initialize()

import django

django.setup()

from django_celery_beat.models import PeriodicTask  # noqa: E402
from django_celery_beat.schedulers import DatabaseScheduler  # noqa: E402
from kombu import Producer  # noqa: E402

from schedsync.beat import Scheduler  # noqa: E402
from tests.ecosystem.stage import BROKER, Stage  # noqa: E402

SCHEDULERS = {"stock": DatabaseScheduler, "ours": Scheduler}


def no_tool(scheduler: type[Any]) -> Any:
    """The messages alone: all headers, and the parts of the message that decide where it goes."""
    stage = Stage(scheduler)
    stage.schedules()
    stage.beat()
    volatile = {"id", "root_id", "origin"}
    headers = {
        name: {header: value for header, value in values.items() if header not in volatile}
        for name, values in stage.headers().items()
    }
    properties = sorted(
        ([message["properties"]["delivery_info"], message["properties"]["priority"], message["body"]]
         for message in stage.sent), key=str
    )  # fmt: skip
    return {"headers": headers, "properties": properties}


def sentry(scheduler: type[Any]) -> Any:
    import sentry_sdk
    from sentry_sdk.integrations.celery import CeleryIntegration
    from sentry_sdk.transport import Transport

    check_ins: list[Any] = []

    class Kept(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            for item in envelope.items:
                if item.type == "check_in":
                    payload = item.payload.json
                    check_ins.append([payload["monitor_slug"], payload["status"], payload.get("monitor_config")])

    sentry_sdk.init(
        dsn="https://key@sentry.invalid/1", transport=Kept, traces_sample_rate=1.0, integrations=[
            CeleryIntegration(monitor_beat_tasks=True)
        ],
    )  # fmt: skip
    stage = Stage(scheduler)
    stage.schedules()
    stage.beat()
    headers = stage.headers()
    with stage.worker():
        pass
    sentry_sdk.flush()
    assert len(check_ins) == 6, "one when the message is sent, one when the task has run"
    _are_those_of_our_monitors(check_ins, stage.app)
    traces = {values["sentry-trace"].split("-")[0] for values in headers.values()}
    return {
        "check-ins": sorted(check_ins, key=str),
        "headers": {name: sorted(values) for name, values in headers.items()},
        "traces": len(traces),
    }


def _are_those_of_our_monitors(check_ins: list[Any], app: Any) -> None:
    """Compare what the SDK sends with the monitors that `apply` makes: the slug, the schedule and the zone."""
    from sentry_sdk.integrations.celery.beat import _get_monitor_config

    from schedsync.calendar.stock_beat import celery_schedule
    from schedsync.core.monitor import Monitor
    from schedsync.core.timing import Interval, crontab
    from schedsync.core.watch import Wanted
    from schedsync.monitors.sentry import Sentry, _in_our_spelling

    service = Sentry(None, "acme", "shop")  # type: ignore[arg-type]
    minute = 60_000_000
    timings: dict[str, Any] = {f"every {each}": Interval(each * minute) for each in (1, 59, 60, 90, 120, 1_440, 2_000)}
    timings |= {
        "quarter": crontab({"minute": "*/15"}, "Europe/Berlin"), "hours": Interval(120 * minute),
        "work days": crontab({"minute": "30", "hour": "2", "day_of_week": "mon-fri"}, "UTC"),
    }  # fmt: skip
    sent = {name: config for name, _, config in check_ins if name in timings}
    assert {"quarter", "hours"} <= {service.slug(name) for name in sent}
    for name, timing in timings.items():
        given = sent.get(name) or _get_monitor_config(celery_schedule(timing), app, name)
        ours = service.body(Wanted(1, name, "shop", None, timing, Monitor()))["config"]
        schedule = given["schedule"]
        value = [schedule["value"], schedule["unit"]] if schedule["type"] == "interval" else schedule["value"]
        zone = given["timezone"] if schedule["type"] == "crontab" else "UTC"
        seen = {**ours, "schedule_type": schedule["type"], "schedule": value, "timezone": zone}
        assert _in_our_spelling(seen) == ours, name


def ddtrace(scheduler: type[Any]) -> Any:
    from ddtrace import patch
    from ddtrace.trace import TraceFilter, tracer

    spans: list[Any] = []

    class Kept(TraceFilter):
        def process_trace(self, trace: Any) -> None:
            names = {span.span_id: span.name for span in trace}
            spans.extend((span.name, span.resource, names.get(span.parent_id)) for span in trace)

    tracer.configure(trace_processors=[Kept()])
    patch(celery=True)
    stage = Stage(scheduler)
    stage.schedules()
    stage.beat()
    headers = stage.headers()
    with stage.worker():
        pass
    tracer.flush()
    assert len([span for span in spans if span[2] == "celery.beat.tick"]) == 3
    return {
        # Stock Beat sends one message in each of its ticks, ours all that are due.
        "spans": sorted({span for span in spans if span[0] == "celery.beat.tick"})
        + sorted(span for span in spans if span[0] != "celery.beat.tick" and str(span[0]).startswith("celery")),
        "headers": {name: sorted(values) for name, values in headers.items()},
    }


def _opentelemetry_spans(stage: Stage, exporter: Any) -> Any:
    stage.schedules()
    stage.beat()
    headers = stage.headers()
    with stage.worker():
        pass
    spans = exporter.get_finished_spans()
    assert len(spans) == 6
    return {
        "spans": sorted(
            [span.name, span.kind.name, sorted(span.attributes or {}), span.parent is not None] for span in spans
        ),
        "traces": len({span.context.trace_id for span in spans}),
        "headers": {name: sorted(values) for name, values in headers.items()},
    }


def opentelemetry(scheduler: type[Any]) -> Any:
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    CeleryInstrumentor().instrument(tracer_provider=provider)
    return _opentelemetry_spans(Stage(scheduler), exporter)


def logfire(scheduler: type[Any]) -> Any:
    import logfire as tool
    from logfire.testing import TestExporter
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    exporter = TestExporter()
    tool.configure(
        send_to_logfire=False, console=False, additional_span_processors=[SimpleSpanProcessor(exporter)]
    )  # fmt: skip
    tool.instrument_celery()
    stage = Stage(scheduler)
    stage.schedules()
    stage.beat()
    headers = stage.headers()
    with stage.worker():
        pass
    spans = exporter.exported_spans_as_dict()
    return {
        "spans": sorted([span["name"], sorted(span["attributes"]), span["parent"] is not None] for span in spans),
        "headers": {name: sorted(values) for name, values in headers.items()},
    }


def newrelic(scheduler: type[Any]) -> Any:
    from newrelic import agent

    agent.register_application(timeout=10.0)

    class Watched(Stage):
        def seen(self, task: Any) -> dict[str, Any]:
            transaction = agent.current_transaction()
            names = [transaction.group, transaction.name, transaction.background_task] if transaction else None
            return {**super().seen(task), "transaction": names}

    stage = Watched(scheduler)
    stage.schedules()
    stage.beat()
    headers = stage.headers()
    with stage.worker():
        pass
    return {
        "ran": sorted(stage.ran, key=str),
        "headers": {name: sorted(values) for name, values in headers.items()},
    }


def results(scheduler: type[Any]) -> Any:
    from django_celery_results.models import TaskResult

    stage = Stage(scheduler)
    stage.app.conf.update(result_backend="django-db", result_extended=True, task_track_started=True)
    stage.schedules()
    stage.beat()
    with stage.worker():
        pass
    fields = ("task_name", "periodic_task_name", "status", "task_args", "task_kwargs", "result")
    return [sorted(TaskResult.objects.values_list(*fields), key=str), _durations(TaskResult)]


def _durations(model: Any) -> Any:
    """The schedules of which we know how long a run takes; that of one with results whose times are given."""
    from schedsync.database.durations import typical_seconds

    ran = sorted(typical_seconds())
    # Only the last five that succeeded count, and no two hours before that.
    for number, seconds in enumerate((7200, 7200, 7200, 3, 5, 4, 60, 1)):
        result = model.objects.create(task_id=f"given-{number}", status="SUCCESS", periodic_task_name="given")
        started = result.date_done - timedelta(seconds=seconds)
        model.objects.filter(pk=result.pk).update(date_started=started, date_done=result.date_done)
    model.objects.create(task_id="failed", status="FAILURE", periodic_task_name="given", date_started=result.date_done)
    model.objects.create(task_id="unknown", status="SUCCESS", periodic_task_name="unknown")
    found = typical_seconds()
    return [ran, found["given"], "unknown" in found]


def once(scheduler: type[Any]) -> Any:
    import tempfile

    from celery_once import QueueOnce

    stage = Stage(scheduler)
    stage.app.conf.ONCE = {
        "backend": "celery_once.backends.File",
        "settings": {"location": tempfile.mkdtemp(), "default_timeout": 60},
    }

    @stage.app.task(name="once", base=QueueOnce)
    def run_once(*args: Any, **kwargs: Any) -> None:
        pass

    stage.schedules(task="once")
    PeriodicTask.objects.update(args="[]", kwargs="{}")
    stage.beat(messages=1)
    return len(stage.sent)


def flower(scheduler: type[Any]) -> Any:
    from flower.events import Events
    from tornado import gen
    from tornado.ioloop import IOLoop

    loop = IOLoop(make_current=False)
    stage = Stage(scheduler)
    stage.app.conf.update(worker_send_task_events=True, task_send_sent_event=True)
    events = Events(stage.app, loop, max_tasks_in_memory=100)
    events.start()
    loop.run_sync(lambda: gen.sleep(2))
    stage.schedules()
    stage.beat()
    with stage.worker():
        pass
    tasks = events.state.tasks

    def is_done() -> bool:
        return len(tasks) == 3 and all(task.state == "SUCCESS" for task in tasks.values())

    for _ in range(100):
        if is_done():
            break
        loop.run_sync(lambda: gen.sleep(0.1))
    # No header is in an event, so Flower knows none.
    text = str([task.as_dict() for task in tasks.values()])
    assert "quarter" not in text
    assert "schedsync" not in text
    return sorted([task.name, task.args, task.kwargs, task.state, bool(task.sent)] for task in tasks.values())


def admin(scheduler: type[Any]) -> Any:
    """django-celery-beat's admin actions: what was disabled is not sent, and what was run by hand is sent once."""
    from django.contrib.auth.models import User
    from django.test import Client

    stage = Stage(scheduler)
    stage.app.set_default()
    stage.schedules()
    client = Client()
    client.force_login(User.objects.create_superuser("jo"))

    def act(action: str, name: str) -> int:
        page = "/admin/django_celery_beat/periodictask/"
        ids = [PeriodicTask.objects.get(name=name).pk]
        return client.post(page, {"action": action, "_selected_action": ids}).status_code

    answers = [act("disable_tasks", "hours"), act("disable_tasks", "quarter"), act("run_tasks", "tagged")]
    by_hand = stage.names()
    answers.append(act("enable_tasks", "quarter"))
    stage.beat(messages=3)
    return [answers, by_hand, stage.names()]


def tenants(scheduler: type[Any]) -> Any:
    """tenant-schemas-celery's mixin, which sends one message for each tenant."""
    from django_tenants.utils import get_tenant_model
    from tenant_schemas_celery.app import CeleryApp
    from tenant_schemas_celery.scheduler import TenantAwareSchedulerMixin

    class Mine(TenantAwareSchedulerMixin, scheduler):  # type: ignore[misc]
        pass

    stage = Stage(Mine, CeleryApp("ecosystem"), migrate=["migrate_schemas", "--shared", "--run-syncdb"])
    for name in ("public", "acme", "globex"):
        get_tenant_model().objects.create(schema_name=name, name=name)
    stage.schedules(headers='{"_schema_name": "acme"}')
    PeriodicTask.objects.filter(name="quarter").update(headers='{"_all_tenants_only": true}')
    stage.beat(messages=4)
    return {
        "sent": sorted([message["headers"]["periodic_task_name"], message["headers"]["_schema_name"]]
                       for message in stage.sent),
        "ids": len({message["headers"]["id"] for message in stage.sent}),
    }  # fmt: skip


def apply_entry(scheduler: type[Any]) -> Any:
    """A user's subclass that skips a schedule, changes a message, and sends one twice."""

    class Mine(scheduler):  # type: ignore[misc]
        def apply_entry(self, entry: Any, producer: Any = None) -> None:
            if entry.name == "hours":
                return
            entry.kwargs["added"] = entry.model.pk
            entry.options["headers"]["schedule"] = str(entry.schedule)
            super().apply_entry(entry, producer=producer)
            if entry.name == "tagged":
                super().apply_entry(entry, producer=producer)

    stage = Stage(Mine)
    stage.schedules()
    stage.beat()
    return {
        "names": stage.names(),
        "ids": len({message["headers"]["id"] for message in stage.sent}),
        "added": sorted([message["headers"]["schedule"], message["headers"]["kwargsrepr"]] for message in stage.sent),
    }


def apply_async(scheduler: type[Any]) -> Any:
    """A user's subclass that adds a header, and catches the error of a message that cannot be sent."""
    from celery.beat import SchedulingError

    caught: list[str] = []

    class Mine(scheduler):  # type: ignore[misc]
        def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
            entry.options.setdefault("headers", {})["mine"] = entry.name
            if entry.name == "hours":
                entry.options["serializer"] = "unknown"
            try:
                return super().apply_async(entry, producer=producer, advance=advance, **kwargs)
            except SchedulingError:
                caught.append(entry.name)
                return None

    stage = Stage(Mine)
    stage.schedules()
    stage.beat()
    return {"caught": caught, "mine": sorted(message["headers"]["mine"] for message in stage.sent)}


TOOLS: dict[str, Callable[[type[Any]], Any]] = {
    "admin": admin, "apply_async": apply_async, "apply_entry": apply_entry, "ddtrace": ddtrace, "flower": flower,
    "logfire": logfire, "newrelic": newrelic, "no_tool": no_tool, "once": once, "opentelemetry": opentelemetry,
    "results": results, "sentry": sentry, "tenants": tenants,
}  # fmt: skip

#: Tools that hook no step of the sending, so that messages are prebuilt. The admin's test sends one message: too few.
SEE_NO_SENDING = {"newrelic", "no_tool", "once", "results"}


def main(tool: str, who: str) -> None:
    json.dump(TOOLS[tool](SCHEDULERS[who]), sys.stdout, default=list)
    print()
    may_leave_out = who == "ours" and BROKER.startswith("redis") and hasattr(Producer, "batch")
    assert Stage.is_left_out == (may_leave_out and tool in SEE_NO_SENDING)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
