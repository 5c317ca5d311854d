"""Values that most schedules of a file share move to its ``defaults``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from schedsync.importers.draft import Draft
from schedsync.importers.spelling import in_order

#: The fields that may move, with what a schedule says that has the documented default.
_MOVABLE: Mapping[str, Any] = {
    "timezone": "UTC", "queue": None, "exchange": None, "routing_key": None, "priority": None, "expires_after": None,
}  # fmt: skip
#: The number of schedules from which a common value moves, by field.
_FEWEST, _FEWEST_BY_KEY = 3, {"timezone": 2}
#: A value moves if for each schedule that must say otherwise, this number of others no longer has to say it.
_SAVED = 3


def common_values(drafts: Sequence[Draft]) -> dict[str, Any]:
    """Return the values that move to the defaults of a file with these schedules."""
    values = {key: value for key in _MOVABLE if (value := _common(key, drafts)) is not None}
    tasks = {draft.fields["task"] for draft in drafts}
    return ({"task": tasks.pop()} if len(tasks) == 1 and len(drafts) >= _FEWEST else {}) | values


def without_defaults(draft: Draft, defaults: Mapping[str, Any]) -> Draft:
    """Return a schedule that says only how it differs from the defaults of its file."""
    fields = {key: value for key, value in draft.fields.items() if key not in defaults or value != defaults[key]}
    for key in defaults:
        if key in _MOVABLE and key not in draft.fields and _matters(key, draft):
            fields[key] = _MOVABLE[key]
    return replace(draft, fields=in_order(fields))


def _common(key: str, drafts: Sequence[Draft]) -> Any:
    concerned = [draft for draft in drafts if _matters(key, draft)]
    counts = Counter(draft.fields[key] for draft in concerned if key in draft.fields)
    if not counts:
        return None
    value, count = min(counts.most_common(), key=lambda pair: (-pair[1], str(pair[0])))
    missing = len(concerned) - counts.total()
    return value if count >= max(_FEWEST_BY_KEY.get(key, _FEWEST), _SAVED * missing) else None


def _matters(key: str, draft: Draft) -> bool:
    """Say whether a default would change a schedule: a zone only a crontab, an expiry only without another one."""
    if key == "timezone":
        return "crontab" in draft.fields
    return key != "expires_after" or "expires_at" not in draft.fields
