"""Facts about the schedules of four open-source projects: names, tasks, timings and options."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery.schedules import crontab


def every(task: str, expires: float | None = None, queue: str | None = None, **period: float) -> dict[str, Any]:
    """Return an entry with an interval."""
    options = {"expires": expires, "queue": queue}
    options = {key: value for key, value in options.items() if value is not None}
    return {"task": task, "schedule": timedelta(**period), **({"options": options} if options else {})}


def of_web(task: str, schedule: Any, **kwargs: Any) -> dict[str, Any]:
    """Return an entry of the queue `web`."""
    return {"task": task, "schedule": schedule, "options": {"queue": "web"}, **({"kwargs": kwargs} if kwargs else {})}


#: Sentry, when Beat still ran its tasks.
SENTRY = {
    "check-auth": every("sentry.tasks.check_auth", 60, "auth", minutes=1),
    "enqueue-scheduled-jobs": every("sentry.tasks.enqueue_scheduled_jobs", 60, minutes=1),
    "send-beacon": every("sentry.tasks.send_beacon", 3600, hours=1),
    "send-ping": every("sentry.tasks.send_ping", 60, minutes=1),
    "flush-buffers": every("sentry.tasks.process_buffer.process_pending", 10, "buffers.process_pending", seconds=10),
    "sync-options": every("sentry.tasks.options.sync_options", 10, "options", seconds=10),
    "schedule-digests": every("sentry.tasks.digests.schedule_digests", 30, seconds=30),
    "check-monitors": every("sentry.tasks.check_monitors", 60, minutes=1),
    "clear-expired-snoozes": every("sentry.tasks.clear_expired_snoozes", 300, minutes=5),
    "clear-expired-raw-events": every("sentry.tasks.clear_expired_raw_events", 300, minutes=15),
    "collect-project-platforms": every("sentry.tasks.collect_project_platforms", 3600 * 24, days=1),
    "update-user-reports": every("sentry.tasks.update_user_reports", 300, minutes=15),
    "schedule-auto-resolution": every("sentry.tasks.schedule_auto_resolution", 60 * 25, minutes=15),
    "schedule-deletions": every("sentry.tasks.deletion.run_scheduled_deletions", 60 * 25, minutes=15),
    "schedule-weekly-organization-reports": {
        "task": "sentry.tasks.reports.prepare_reports",
        "schedule": crontab(minute=0, hour=12, day_of_week="monday"),
        "options": {"expires": 60 * 60 * 3},
    },
    "process_pending_incident_snapshots": every(
        "sentry.incidents.tasks.process_pending_incident_snapshots", 3600, "incidents", hours=1
    ),
    "fetch-release-registry-data": every("sentry.tasks.release_registry.fetch_release_registry_data", 3600, minutes=5),
}

#: Read the Docs.
READ_THE_DOCS = {
    "every-minute-finish-unhealthy-builds": of_web(
        "readthedocs.projects.tasks.utils.finish_unhealthy_builds", crontab(minute="*")
    ),
    "every-day-delete-old-search-queries": of_web(
        "readthedocs.search.tasks.delete_old_search_queries_from_db", crontab(minute=0, hour=0)
    ),
    "every-day-delete-old-page-views": of_web(
        "readthedocs.analytics.tasks.delete_old_page_counts", crontab(minute=27, hour="*/6")
    ),
    "every-day-delete-old-buildata-models": of_web(
        "readthedocs.telemetry.tasks.delete_old_build_data", crontab(minute=0, hour=2)
    ),
    "weekly-delete-old-personal-audit-logs": of_web(
        "readthedocs.audit.tasks.delete_old_personal_audit_logs", crontab(day_of_week="wed", minute=0, hour=7)
    ),
    "quarter-archive-builds": of_web(
        "readthedocs.builds.tasks.archive_builds_task", crontab(minute="*/15"), days=1, limit=500, delete=True
    ),
    "every-30m-delete-inactive-external-versions": of_web(
        "readthedocs.builds.tasks.delete_closed_external_versions", crontab(minute="*/30", hour="*")
    ),
    "every-day-resync-remote-repositories": of_web(
        "readthedocs.oauth.tasks.sync_active_users_remote_repositories", crontab(minute=30, hour=2)
    ),
    "every-15m-delete-pidbox-objects": of_web("readthedocs.core.tasks.cleanup_pidbox_keys", crontab(minute="*/15")),
}

#: Apache Superset, by default and in an installation with a cache to warm up.
SUPERSET = {
    "reports.scheduler": {
        "task": "reports.scheduler",
        "schedule": crontab(minute="*", hour="*"),
        "options": {"expires": int(timedelta(weeks=1).total_seconds())},
    },
    "reports.prune_log": {"task": "reports.prune_log", "schedule": crontab(minute=0, hour=0)},
    "cache-warmup-hourly": {
        "task": "cache-warmup",
        "schedule": crontab(minute=0, hour="*"),
        "kwargs": {"strategy_name": "top_n_dashboards", "top_n": 5, "since": "7 days ago"},
    },
}

#: Saleor, without the one entry whose schedule is a class of its own.
SALEOR = {
    "delete-empty-allocations": every("saleor.warehouse.tasks.delete_empty_allocations_task", days=1),
    "deactivate-preorder-for-variants": every("saleor.product.tasks.deactivate_preorder_for_variants_task", hours=1),
    "delete-expired-reservations": every("saleor.warehouse.tasks.delete_expired_reservations_task", days=1),
    "delete-expired-checkouts": {
        "task": "saleor.checkout.tasks.delete_expired_checkouts",
        "schedule": crontab(hour=0, minute=0),
    },
    "delete-outdated-event-data": every("saleor.core.tasks.delete_event_payloads_task", days=1),
    "deactivate-expired-gift-cards": {
        "task": "saleor.giftcard.tasks.deactivate_expired_cards_task",
        "schedule": crontab(hour=0, minute=0),
    },
    "delete-old-export-files": {
        "task": "saleor.csv.tasks.delete_old_export_files",
        "schedule": crontab(hour=1, minute=0),
    },
    "update-products-search-vectors": every("saleor.product.tasks.update_products_search_vector_task", seconds=20),
    "observability-reporter": every(
        "saleor.plugins.webhook.tasks.observability_reporter_task", timedelta(seconds=20).total_seconds(), seconds=20
    ),
}
