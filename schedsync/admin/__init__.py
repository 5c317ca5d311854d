"""What schedsync shows in Django's admin, above the use cases: each view calls one and shows what it returns."""
