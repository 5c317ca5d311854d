from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import _state
from django.contrib import admin
from django.urls import clear_url_caches
from django_celery_beat.models import PeriodicTask

from tests.admin.made import row
from tests.conftest import Project
from tests.usecases.test_run import App

TWO = "  one: {task: t, every: 1m}\n  two: {task: t, every: 2m}\n"


@pytest.fixture
def shop(project: Project) -> Project:
    """A set of two schedules, and a row that nobody manages; it has the interval of the first."""
    project.schedules(TWO)
    assert project.apply().code == 0
    PeriodicTask.objects.create(name="mine", task="t", interval=row("one").interval)
    return project


@pytest.fixture
def registered() -> Iterator[Callable[..., None]]:
    """Registers another class for a model, as a project's own `admin.py` does, and builds the URLs anew."""
    before = dict(admin.site._registry)

    def register(own: Any, model: Any = PeriodicTask) -> None:
        admin.site.unregister(model)
        admin.site.register(model, own)
        rebuild_urls()

    yield register
    admin.site._registry.clear()
    admin.site._registry.update(before)
    rebuild_urls()


def rebuild_urls() -> None:
    import tests.urls

    importlib.reload(tests.urls)
    clear_url_caches()


@pytest.fixture
def broker() -> Iterator[None]:
    """The current app of this process has a broker in its memory."""
    before = _state._tls.current_app  # type: ignore[attr-defined]
    App("memory://", None).celery.set_current()
    yield
    _state._tls.current_app = before  # type: ignore[attr-defined]
