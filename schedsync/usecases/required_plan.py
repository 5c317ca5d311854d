"""The Django setting that refuses an apply without a reviewed plan; the files cannot change it."""

from __future__ import annotations

from schedsync.core.refusal import Refusal
from schedsync.errors import InvalidConfiguration

_NAME = "SCHEDSYNC_REQUIRE_PLAN"


def plan_required(environment: str | None) -> tuple[Refusal, ...]:
    """Return the refusal of an apply without a plan in this environment, if SCHEDSYNC_REQUIRE_PLAN asks for one.

    Raises InvalidConfiguration where the setting is neither a bool nor a list of names: it must not silently ask for
    less than its author meant.
    """
    from django.conf import settings

    required: object = getattr(settings, _NAME, None) or False
    names = required if isinstance(required, (list, tuple, set, frozenset)) else ()
    if not (isinstance(required, bool) or (names and all(isinstance(name, str) for name in names))):
        problem = f"{_NAME} is neither True nor a list of environments"
        raise InvalidConfiguration("Django's settings", problem, hint=f'such as: {_NAME} = ["production"]')
    if required is True or environment in names:
        where = f" in `{environment}`" if environment else ""
        message = f"{_NAME} requires a reviewed plan for an apply{where}"
        return (Refusal("plan_required", message, "save one by `plan --out FILE`, then `apply --plan FILE`"),)
    return ()
