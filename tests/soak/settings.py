"""The settings of the fault tests, with workers that take a task again if they were killed while it ran."""

from tests.faults.settings import *  # noqa: F403

CELERY_TASK_ACKS_LATE = True
#: Seconds until Redis gives what a killed worker had to another one.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 10}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_TIMEOUT = 4
