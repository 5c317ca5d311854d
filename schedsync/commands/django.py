"""Django's setup for the verbs that use the database, and the target of a verb."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from schedsync.commands.logs import format_other_lines
from schedsync.commands.options import DatabaseOptions, FileOptions, LiftedRules
from schedsync.errors import WrongUsage
from schedsync.files.progress import Progress, silent
from schedsync.usecases.project_code import project_code

if TYPE_CHECKING:
    from schedsync.usecases.target import Target

_NOTHING = LiftedRules()


def set_up(options: DatabaseOptions) -> str:
    """Load the project, and return the alias of the database to use; raises WrongUsage if either fails."""
    load_project(options.settings, options.pythonpath)
    return _alias(options.database)


def load_project(settings: str | None, pythonpath: str | None) -> None:
    """Load Django's settings and apps as a management command does; raises WrongUsage if that fails.

    The working directory comes first on ``sys.path``, as for ``manage.py``.
    """
    from django.apps import apps

    if apps.ready:
        return
    if settings:
        os.environ["DJANGO_SETTINGS_MODULE"] = settings
    if "DJANGO_SETTINGS_MODULE" not in os.environ:
        raise WrongUsage("no Django settings", hint="give `--settings MODULE`, or set DJANGO_SETTINGS_MODULE")
    for directory in (str(Path.cwd()), pythonpath):
        if directory and directory not in sys.path:
            sys.path.insert(0, directory)
    _load(os.environ["DJANGO_SETTINGS_MODULE"])


def _load(module: str) -> None:
    import django

    hint = f"correct it there; `python -m django check --settings {module}` shows the whole traceback"
    with project_code(f"Django cannot be set up with `{module}`", hint):
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise
            hint = "run it in the project's directory, or give `--pythonpath DIRECTORY`"
            raise WrongUsage(f"Django cannot be set up with `{module}`: {error}", hint=hint) from error
        django.setup()
    format_other_lines()


def _alias(database: str | None) -> str:
    """Return the given alias, or else the one that Django's routers give for writing Beat's tasks, as Beat asks."""
    from django.apps import apps
    from django.conf import settings
    from django.db import router

    for app in ("django_celery_beat", "schedsync"):
        if not apps.is_installed(app):
            raise WrongUsage(f"`{app}` is not in INSTALLED_APPS", hint="add it, then run `python manage.py migrate`")
    if database is None:
        return router.db_for_write(apps.get_model("django_celery_beat", "PeriodicTask"))
    if database not in settings.DATABASES:
        known = ", ".join(settings.DATABASES)
        raise WrongUsage(f"no database `{database}` in DATABASES", hint=f"known: {known}")
    return database


def target(
    files: FileOptions,
    database: DatabaseOptions,
    lifted: LiftedRules = _NOTHING,
    progress: Progress = silent,
    commit: str | None = None,
) -> Target:
    """Set Django up, and return the set, the database and the limits that a verb works with.

    Without ``--environment`` the environment is that of the Django setting SCHEDSYNC_ENVIRONMENT.
    """
    using = set_up(database)
    from schedsync.database.environment import named_environment

    chosen = replace(files, environment=files.environment or named_environment())
    return target_without_database(chosen, lifted, using, progress, commit)


def target_without_database(
    files: FileOptions,
    lifted: LiftedRules = _NOTHING,
    using: str = "default",
    progress: Progress = silent,
    commit: str | None = None,
) -> Target:
    """Return the same for a verb that needs no Django."""
    from schedsync.usecases.target import Target

    config = files.config()
    limits = config.limited(lifted.limits)
    return Target(config, using, files.environment, limits, lifted.adoption, commit, progress)
