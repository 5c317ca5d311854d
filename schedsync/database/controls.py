"""The controls that Django's settings hold against the authors of the files."""

from __future__ import annotations

from django.conf import settings

from schedsync.core.controls import KEYS, Controls, InvalidControl, controls_from, setting_name
from schedsync.errors import WrongUsage


def controls_in_settings() -> Controls:
    """Read SCHEDSYNC_ALLOWED_TASKS and the other settings of ``KEYS``; raises WrongUsage for an invalid value."""
    try:
        return controls_from({key: getattr(settings, setting_name(key), None) for key in KEYS})
    except InvalidControl as error:
        message = f"{setting_name(error.key)} {error.problem}"
        raise WrongUsage(message, hint="correct it in Django's settings") from error
