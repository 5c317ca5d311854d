"""The loaded schedules as other code knows them: entries of django-celery-beat by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import ModelEntry


class UpstreamView(Mapping[str, ModelEntry]):
    """A view: an entry is read from its row, by the id in ``ids``, when it is asked for."""

    def __init__(self, app: Any, using: str, build: Callable[..., ModelEntry], ids: Mapping[str, int]) -> None:
        self._app = app
        self._using = using
        self._build = build
        self._ids = ids

    def __getitem__(self, name: str) -> ModelEntry:
        return self._build(PeriodicTask.objects.using(self._using).get(pk=self._ids[name]), app=self._app)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)
