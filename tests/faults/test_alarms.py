"""Real Beats that lose their leader: the standbys say once that nobody leads, and the next leader that it leads."""

from __future__ import annotations

import json
import os
import signal

from tests.alarms.http_service import CANARY, service
from tests.faults.arena import Arena

BOUND = (
    "INSERT INTO schedsync_environmentbinding (environment, who, at, server_id, host) "
    "VALUES ('production', 'jo', '2026-11-23 10:00:00', '', '')"
)


def test_the_standbys_say_once_that_nobody_leads_and_the_next_leader_says_that_it_does(arenas: list[Arena]) -> None:
    # A database with a server of its own: the alarms of all processes meet there.
    arena = arenas[-1]
    arena.sql(BOUND)
    with service() as inbox:
        arena.environment["SCHEDSYNC_NOTIFY"] = json.dumps({"urls": [inbox.url], "kinds": "all"})
        production = {"SCHEDSYNC_ENVIRONMENT": "production"}
        # They are of another environment, so they can only stand by.
        with arena.beat(SCHEDSYNC_ENVIRONMENT="a"), arena.beat(SCHEDSYNC_ENVIRONMENT="b"):
            with arena.beat(**production) as leader:
                arena.wait_for(2, by=leader.pid)
                os.kill(leader.pid, signal.SIGKILL)
                arena.wait_until(lambda: any("nobody leads" in title for title in inbox.titles))
            with arena.beat(**production) as leader:
                arena.wait_until(lambda: any("another Beat leads" in title for title in inbox.titles))

        told = [title for title in inbox.titles if "nobody leads" in title]
        assert told in ([f"schedsync {name}: nobody leads: no task is sent"] for name in ("a", "b"))
        (title,) = [title for title in inbox.titles if "another Beat leads" in title]
        assert title.endswith(f":{leader.pid}")
    stored = arena.sql("SELECT kind, subject, sent_by FROM schedsync_sentalarm")
    logs = "".join(log.read_text(errors="replace") for log in arena.project.root.glob("beat*.log"))
    assert sorted(row[0] for row in stored) == ["leader_changed", "no_leader"]
    assert CANARY not in f"{stored} {logs}"
