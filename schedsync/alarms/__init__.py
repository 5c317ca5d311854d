"""Sends alarms to the services that SCHEDSYNC_NOTIFY names, each once, by the process that claims it first.

It may import database, planning, errors, core and models; Beat and the use cases import it. Only ``post``, which runs
as a process of its own, imports Apprise, the extra ``schedsync[notify]``. Begin with ``desk``.
"""
