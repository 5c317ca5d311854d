"""Services that raise the alarm if a schedule does not run: one module for each, by its documented API.

It may import `database`, `http`, `planning`, `errors` and `core`; Beat and the use cases import it. Begin with
`service.py`, then `healthchecks.py`; `in_step.py` compares what a service has with the schedules.
"""
