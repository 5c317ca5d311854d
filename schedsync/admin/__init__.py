"""Django's admin for rows that Git manages: read-only forms with the way into Git, buttons, filters, our own tables.

It may import use cases and the rooms below them; only the Django app imports it, and Django's own discovery. Begin with
``sites.py``, which adds ``schedules.py`` and ``timings.py`` to the classes that a project has registered, and the pages
of ``page/`` to every site.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schedsync.admin.schedules import ManagedScheduleAdminMixin
    from schedsync.admin.timings import TimingAdminMixin

__all__ = ["ManagedScheduleAdminMixin", "TimingAdminMixin"]


# Each start of Django imports this module, but only a web server needs what the mixins import.
def __getattr__(name: str) -> Any:
    if name == "ManagedScheduleAdminMixin":
        from schedsync.admin.schedules import ManagedScheduleAdminMixin

        return ManagedScheduleAdminMixin
    if name == "TimingAdminMixin":
        from schedsync.admin.timings import TimingAdminMixin

        return TimingAdminMixin
    raise AttributeError(name)
