"""``python -m schedsync``."""

from schedsync.cli import entry

entry()
