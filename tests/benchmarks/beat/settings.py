"""The shop's settings, with the lease that is the default, for Beats as processes."""

from shop.settings import *  # noqa: F403

SCHEDSYNC_LEASE = 15
SCHEDSYNC_RENEW = 5
CELERY_RESULT_EXPIRES = None
