"""The JSON Schema of the files for one application: with it an editor completes tasks, queues and arguments."""

from __future__ import annotations

import json
from typing import Any

from schedsync.core.application import Application, Task
from schedsync.core.names import counted
from schedsync.schemas.validator import SCHEDULES, schema_text

#: A text with a placeholder of `for_each`: its value is not known yet.
_PLACEHOLDER = {"pattern": "[{]"}


def app_schema(application: Application) -> str:
    """Return the text of the files' schema, narrowed to the tasks and queues of an application."""
    schema: dict[str, Any] = json.loads(schema_text(SCHEDULES))
    schema["title"] = f"{schema['title']}, for an application with {counted(len(application.tasks), 'task')}"
    definitions = schema["definitions"]
    definitions["task"]["enum"] = sorted(application.tasks)
    if application.queues:
        definitions["queue"]["anyOf"] = [{"enum": [*application.queues, None]}, {"type": "string", **_PLACEHOLDER}]
    rules = [_rule(name, task) for name, task in sorted(application.tasks.items()) if task.parameters is not None]
    definitions["schedule"]["allOf"] = [*definitions["schedule"].get("allOf", ()), *rules]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _rule(name: str, task: Task) -> dict[str, Any]:
    """Return the rule for the keyword arguments of one task; none is required, because ``args`` may give it."""
    kwargs: dict[str, Any] = {"properties": {keyword: {} for keyword in task.keywords}}
    if not task.takes_any_keyword:
        kwargs["additionalProperties"] = False
    return {
        "if": {"properties": {"task": {"const": name}}, "required": ["task"]},
        "then": {"properties": {"kwargs": kwargs}},
    }
