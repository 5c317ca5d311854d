"""The shop's settings for Beats as processes: the lease is the default, and no entry comes from the settings."""

from shop.settings import *  # noqa: F403

SCHEDSYNC_LEASE = 15
SCHEDSYNC_RENEW = 5
SCHEDSYNC_RETRY = 1
CELERY_RESULT_EXPIRES = None
