"""What schedsync shows in Django's admin, above the use cases: each view calls one and shows what it returns.

It may import use cases, render and the rooms below. Begin with ``page/section.py``.
"""
