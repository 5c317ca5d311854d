"""The JSON Schema of the files for one application: an editor then completes its tasks, queues and arguments."""

from __future__ import annotations

import json
from typing import Any

from schedsync.core.application import Application, Task
from schedsync.files.schema import SCHEDULES, schema_text

#: What `for_each` fills is not known before.
_PLACEHOLDER = {"pattern": "[{]"}


def app_schema(application: Application) -> str:
    """Return the file format's schema, narrowed to what an application knows."""
    schema: dict[str, Any] = json.loads(schema_text(SCHEDULES))
    schema["title"] = f"{schema['title']}, of an application with {len(application.tasks):,} tasks"
    definitions = schema["definitions"]
    definitions["task"]["enum"] = sorted(application.tasks)
    if application.queues:
        definitions["queue"]["anyOf"] = [{"enum": [*application.queues, None]}, {"type": "string", **_PLACEHOLDER}]
    rules = [_rule(name, task) for name, task in sorted(application.tasks.items()) if task.parameters is not None]
    definitions["schedule"]["allOf"] = [*definitions["schedule"].get("allOf", ()), *rules]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _rule(name: str, task: Task) -> dict[str, Any]:
    """Narrow the keyword arguments of one task; which of them are required depends on ``args``, and is left."""
    kwargs: dict[str, Any] = {"properties": {keyword: {} for keyword in task.keywords}}
    if not task.takes_any_keyword:
        kwargs["additionalProperties"] = False
    return {
        "if": {"properties": {"task": {"const": name}}, "required": ["task"]},
        "then": {"properties": {"kwargs": kwargs}},
    }
