"""Reads and writes the standing pauses: the selectors of pauses, for schedules that come later."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime, timezone

from schedsync.core.schedule import canonical_json
from schedsync.core.selector import Selector, selector_document, selector_from
from schedsync.core.standing import Standing
from schedsync.database.faults import migrate_hint
from schedsync.database.tables import has_table
from schedsync.database.values import read_values, readable
from schedsync.errors import Unavailable
from schedsync.models import StandingPause

_COLUMNS = ("selector", "reason", "who", "since", "until")
#: The defaults for columns that cannot be read. A selector of no name fits nothing.
_UNREAD = ("", "", "", datetime(1970, 1, 1, tzinfo=timezone.utc), None)


def read_standing(using: str) -> list[Standing]:
    """Return the standing pauses, the oldest first; none before the table is made, nor where a selector is damaged."""
    if not has_table(using, StandingPause):
        return []
    found = []
    for values in read_values(StandingPause.objects.using(using).order_by("since", "pk"), _COLUMNS):
        text, *rest = map(readable, values, _UNREAD)
        if (selector := _selector(text)) is not None:
            found.append(Standing(selector, *rest))
    return found


def write_standing(using: str, pause: Standing) -> None:
    """Write a standing pause in place of those with the same selector; raises Unavailable before the table is made."""
    if not has_table(using, StandingPause):
        message = f"database `{using}` is not migrated: no table {StandingPause._meta.db_table}"
        raise Unavailable(message, hint=f"{migrate_hint(using)}, then again; or pause by name")
    end_standing(using, [pause])
    StandingPause.objects.using(using).create(
        selector=_text(pause.selector), reason=pause.reason, who=pause.who, since=pause.since, until=pause.until
    )


def end_standing(using: str, pauses: Collection[Standing]) -> None:
    """Delete standing pauses by their selectors."""
    texts = {_text(pause.selector) for pause in pauses}
    rows = StandingPause.objects.using(using)
    # The database may take two texts for one that differ in case.
    ids = [pk for pk, text in rows.values_list("pk", "selector") if text in texts] if texts else []
    if ids:
        rows.filter(pk__in=ids).delete()


def forget_ended(using: str, at: datetime) -> None:
    """Delete the standing pauses whose time is over: a clock that is set back must not bring them back."""
    end_standing(using, [pause for pause in read_standing(using) if pause.ended(at)])


def _text(selector: Selector) -> str:
    return canonical_json(selector_document(selector))


def _selector(text: str) -> Selector | None:
    try:
        selector = selector_from(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return selector if selector.stands else None
