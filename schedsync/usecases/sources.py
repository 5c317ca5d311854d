"""Calls the functions of the application that Django's setting ``SCHEDSYNC_SOURCES`` names: the sources of values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from schedsync.core.sources import SETTING, Source, Sources, source_of, unknown_source
from schedsync.errors import WrongUsage
from schedsync.usecases.project_code import project_code


def sources_in_settings() -> Sources:
    """Return the function that calls a source when its values are needed, each source once.

    A source may query a database, so use it while no transaction is open. Raises WrongUsage for an invalid setting.
    """
    functions = source_paths()

    @cache
    def called(name: str) -> Source:
        if name not in functions:
            known = f"it names {', '.join(functions)}" if functions else f"add it to `{SETTING}` in Django's settings"
            return unknown_source(name, functions, f"`{SETTING}`", known)
        return _called(name, functions[name])

    return lambda name, _environment: called(name)


def all_sources() -> Mapping[str, Source]:
    """Call every source, and return what each gave; raises WrongUsage for an invalid setting."""
    return {name: _called(name, path) for name, path in source_paths().items()}


def source_paths() -> Mapping[str, str]:
    """Return the path of each source's function, by the source's name; raises WrongUsage for an invalid setting."""
    value = getattr(settings, SETTING, None)
    if value is None:
        return {}
    hint = "write `{'tenants': 'shop.tenants.active'}`"
    if not isinstance(value, Mapping):
        raise WrongUsage(f"`{SETTING}` takes a dictionary, not {value!r}", hint=hint)
    for name, path in value.items():
        if not isinstance(name, str) or not name.strip():
            raise WrongUsage(f"`{SETTING}` takes the names of sources as keys, not {name!r}", hint=hint)
        if not isinstance(path, str) or "." not in path:
            message = f"`{SETTING}[{name!r}]` takes the path of a function as text, not {path!r}"
            raise WrongUsage(message, hint=hint)
    return dict(sorted(value.items()))


def _called(name: str, path: str) -> Source:
    try:
        # The values may be computed one by one, as those of a query are.
        with project_code(f"the source `{name}` failed", f"`{SETTING}` names its function `{path}`; correct it there"):
            return source_of(name, import_string(path)())
    except WrongUsage as error:
        return Source((), error.message, error.hint)
