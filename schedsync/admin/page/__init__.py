"""The schedsync page of Django's admin, and the page of one schedule.

A page is a frame with sections; each section is a module that turns what a use case returns into values for its
template. Nothing here decides anything, or writes to a table. Begin with ``views.py`` and ``sections/__init__.py``.
"""
