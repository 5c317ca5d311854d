"""SS212: a secret in the arguments or in the headers."""

from __future__ import annotations

import json
from collections.abc import Iterator

from schedsync.core.schedule import Schedule, Spec
from schedsync.core.secrets import secret_paths
from schedsync.lint.rule import Context, Found, Rule


def secrets_in(spec: Spec) -> Iterator[tuple[str, str]]:
    """Yield the field and the path in it of each value that looks like a secret; the path is empty if it is unknown."""
    for field, text in (("args", spec.args), ("kwargs", spec.kwargs), ("headers", spec.headers)):
        if len(text) > len("[]"):
            yield from ((field, path) for path in secret_paths(json.loads(text)))


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    for field, path in secrets_in(schedule.spec):
        message = f"`{path}` looks like a secret" if path else "a value looks like a secret"
        yield Found(schedule, message, field, "pass the name of the secret, and let the task fetch it")


RULE = Rule(
    code="SS212",
    name="secret",
    summary="a value in `args`, `kwargs` or `headers` that looks like a secret",
    severity="warning",
    why="Arguments are stored in Git and in the database, and are shown in the admin, in the broker's messages and in "
    "Flower. Many people can read them there, and nobody replaces them regularly.",
    remedy="Pass the name of the secret, and let the task fetch its value.",
    bad="""
export:
  task: shop.tasks.export
  crontab: "0 4 * * *"
  kwargs: {api_key: 4f9c2d71e8}
""",
    good="""
export:
  task: shop.tasks.export
  crontab: "0 4 * * *"
  kwargs: {api_key_name: exports/production}
""",
    each=_each,
)
