"""Django's setup for the verbs that use the database, and the target of a verb."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from schedsync.commands.options import DatabaseOptions, FileOptions, LiftedRules
from schedsync.config import read_config
from schedsync.errors import WrongUsage

if TYPE_CHECKING:
    from schedsync.usecases.target import Target

_NOTHING = LiftedRules()


def set_up(options: DatabaseOptions) -> None:
    """Load Django's settings and apps as a management command does; raises WrongUsage if that fails.

    The working directory comes first on ``sys.path``, as for ``manage.py``.
    """
    from django.apps import apps

    if not apps.ready:
        if options.settings:
            os.environ["DJANGO_SETTINGS_MODULE"] = options.settings
        if "DJANGO_SETTINGS_MODULE" not in os.environ:
            raise WrongUsage("no Django settings", hint="give `--settings MODULE`, or set DJANGO_SETTINGS_MODULE")
        for directory in (str(Path.cwd()), options.pythonpath):
            if directory and directory not in sys.path:
                sys.path.insert(0, directory)
        _load(os.environ["DJANGO_SETTINGS_MODULE"])
    _check_project(options.database)


def _load(module: str) -> None:
    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        import_module(module)
        django.setup()
    except (ImportError, ImproperlyConfigured) as error:
        hint = "run it in the project's directory, or give `--pythonpath DIRECTORY`"
        raise WrongUsage(f"Django cannot be set up with `{module}`: {error}", hint=hint) from error


def _check_project(database: str) -> None:
    from django.apps import apps
    from django.conf import settings

    for app in ("django_celery_beat", "schedsync"):
        if not apps.is_installed(app):
            raise WrongUsage(f"`{app}` is not in INSTALLED_APPS", hint="add it, then run `python manage.py migrate`")
    if database not in settings.DATABASES:
        known = ", ".join(settings.DATABASES)
        raise WrongUsage(f"no database `{database}` in DATABASES", hint=f"known: {known}")


def target(
    files: FileOptions, database: DatabaseOptions, lifted: LiftedRules = _NOTHING, commit: str | None = None
) -> Target:
    """Set Django up, and return the set, the database and the limits that a verb works with."""
    set_up(database)
    return target_without_database(files, lifted, database.database, commit)


def target_without_database(
    files: FileOptions, lifted: LiftedRules = _NOTHING, using: str = "default", commit: str | None = None
) -> Target:
    """Return the same for a verb that needs no Django."""
    from schedsync.usecases.target import Target

    config = read_config(files.path)
    return Target(config, using, files.environment, config.limited(lifted.limits), lifted.adoption, commit)
