"""A pytest plugin that puts our scheduler in the place of ``DatabaseScheduler``."""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    from django_celery_beat import schedulers

    from schedsync.beat import Scheduler

    schedulers.DatabaseScheduler = Scheduler
