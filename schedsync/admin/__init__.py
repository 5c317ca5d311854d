"""What schedsync shows in Django's admin, above the use cases: each view calls one and shows what it returns.

``page/`` holds the page of all schedules and that of one. Begin with ``page/urls.py``. Django imports this package with
the admin modules of all apps.
"""

from __future__ import annotations

from schedsync.admin.hook import install

install()
