"""Services that raise the alarm if a schedule does not run: one module for each, by its documented API.

It may import `core` and `errors`, and Django only for its settings. Begin with `service.py`, then `healthchecks.py`.
"""
