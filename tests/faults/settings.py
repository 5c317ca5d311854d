"""The shop's settings, with a lease that is short enough for tests."""

import os

from shop.settings import *  # noqa: F403

SCHEDSYNC_LEADER = os.environ.get("FAULTS_LEADER", "database") or None
SCHEDSYNC_LEASE = float(os.environ.get("FAULTS_LEASE", "3"))
SCHEDSYNC_RENEW = 1
SCHEDSYNC_RETRY = 0.5
CELERY_BEAT_SCHEDULER = "schedsync.beat:Scheduler"
CELERY_RESULT_EXPIRES = None
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_TIMEOUT = 1
