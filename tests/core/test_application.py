"""What an application knows of its tasks is what its workers check."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery

from schedsync.errors import WrongUsage
from schedsync.usecases.snapshot import application_of


def app() -> Celery:
    made = Celery("shop", set_as_current=False)
    made.conf.task_time_limit = 300

    @made.task(name="plain", shared=False, time_limit=60, soft_time_limit=50)
    def plain(kind: str, deep: bool = False) -> None: ...

    @made.task(name="bound", shared=False, bind=True)
    def bound(self: Any, tenant: str) -> None: ...

    @made.task(name="free", shared=False, typing=False)
    def free(a: int) -> None: ...

    @made.task(name="odd", shared=False)
    def odd(a: int, /, b: int, *rest: int, c: int, d: int = 1, **more: int) -> None: ...

    @made.task(name="none", shared=False)
    def none() -> None: ...

    return made


APPLICATION = application_of(app())


@pytest.mark.parametrize(
    ("task", "args", "kwargs", "expected"),
    [
        ("plain", [], {"kind": "x"}, []),
        ("plain", ["x", True], {}, []),
        ("plain", [], {}, ["kwargs: the arguments don't fit the task: missing a required argument: 'kind'"]),
        ("plain", ["x"], {"mode": 1}, ["kwargs: the task takes no argument `mode`"]),
        ("plain", ["x"], {"kind": 1}, ["args: the arguments don't fit the task: multiple values for argument 'kind'"]),
        ("plain", [1, 2, 3], {}, ["args: the arguments don't fit the task: too many positional arguments"]),
        ("bound", ["acme"], {}, []),
        ("bound", [], {"self": 1, "tenant": 2}, ["kwargs: the task takes no argument `self`"]),
        ("free", [1, 2, 3], {"x": 1}, []),
        ("odd", [1, 2, 3, 4], {"c": 1, "x": 2}, []),
        ("odd", [1], {"b": 2}, ["args: the arguments don't fit the task: missing a required argument: 'c'"]),
        ("none", [], {"x": 1}, ["kwargs: the task takes no argument `x`"]),
    ],
)
def test_arguments_fit_or_not_as_the_worker_would_say(
    task: str, args: list[Any], kwargs: dict[str, Any], expected: list[str]
) -> None:
    found = [f"{field}: {message}" for field, message, _ in APPLICATION.tasks[task].misfits(args, kwargs)]
    celerys = app().tasks[task]

    assert found == expected
    if celerys.typing:
        try:
            celerys.__header__(*args, **kwargs)
        except TypeError:
            assert found
        else:
            assert not found


def test_time_limits_are_the_task_s_own_or_the_application_s() -> None:
    assert (APPLICATION.tasks["plain"].time_limit, APPLICATION.tasks["plain"].limit) == (60, 50)
    assert (APPLICATION.tasks["none"].time_limit, APPLICATION.tasks["none"].limit) == (300, 300)


def test_queues_are_known_only_where_the_application_declares_them() -> None:
    declared = app()
    declared.conf.task_queues = {"fast": {}, "slow": {}}
    declared.conf.task_routes = ({"shop.*": {"queue": "routed"}}, [("x", {"queue": "unseen"})])

    assert APPLICATION.queues == ()
    assert application_of(declared).queues == ("fast", "routed", "slow")


def test_an_app_without_tasks_is_no_application() -> None:
    with pytest.raises(WrongUsage, match="registers no task"):
        application_of(Celery("empty", set_as_current=False))
