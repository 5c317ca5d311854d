"""A pytest plugin that puts our scheduler in the place of Celery's base class."""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    import django

    django.setup()

    from celery import beat

    from schedsync.beat import Scheduler

    beat.Scheduler = Scheduler  # type: ignore[misc]
