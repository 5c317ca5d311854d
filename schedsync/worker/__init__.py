"""What runs inside the workers: it says when runs start and end, for schedules with ``overlap: skip``.

This room imports database and core, and runs in the user's processes: an error here stops no task, and no task waits
for long. Begin with tracking.py.

In the module that makes the Celery application, which Beat and the workers import::

    from schedsync.worker import track_runs

    track_runs(app)
"""

from schedsync.worker.tracking import track_runs

__all__ = ["track_runs"]
