"""Tools that hook Celery, as many projects use them: Sentry and OpenTelemetry."""

from __future__ import annotations

import sys


def switch_on(directory: str, monitors: str = "") -> None:
    """Switch both on in this process; ``directory`` holds them. They throw away what they would send.

    With ``monitors``, Sentry also gets a check-in of each message that a Beat sends, which a bare loop never causes.
    """
    # Behind everything else: Celery and Django stay those of this environment.
    sys.path.append(directory)
    _sentry(monitors=bool(monitors))
    _opentelemetry()


def _sentry(*, monitors: bool) -> None:
    import sentry_sdk
    from sentry_sdk.integrations.celery import CeleryIntegration
    from sentry_sdk.transport import Transport

    class Dropped(Transport):
        def capture_envelope(self, envelope: object) -> None:
            pass

    sentry_sdk.init(
        dsn="https://key@sentry.invalid/1", transport=Dropped, traces_sample_rate=1.0,
        integrations=[CeleryIntegration(monitor_beat_tasks=monitors)],
    )  # fmt: skip


def _opentelemetry() -> None:
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Dropped(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Dropped()))
    CeleryInstrumentor().instrument(tracer_provider=provider)
