"""The schedsync page of Django's admin, made of sections."""
