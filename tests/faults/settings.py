"""The shop's settings, with a lease that is short enough for tests."""

import os

from shop.settings import *  # noqa: F403

SCHEDSYNC_LEADER = os.environ.get("FAULTS_LEADER", "database") or None
SCHEDSYNC_LEASE = float(os.environ.get("FAULTS_LEASE", "3"))
SCHEDSYNC_RENEW = float(os.environ.get("FAULTS_RENEW", "1"))
SCHEDSYNC_RETRY = float(os.environ.get("FAULTS_RETRY", "0.5"))
CELERY_BEAT_SCHEDULER = os.environ.get("FAULTS_SCHEDULER", "schedsync.beat:Scheduler")
#: Of stock Beat, which ours has no use for: after each run instead of after three minutes.
CELERY_BEAT_SYNC_EVERY = 1
CELERY_RESULT_EXPIRES = None
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_TIMEOUT = 1
