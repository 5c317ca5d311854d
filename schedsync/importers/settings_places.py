"""Where a Python module defines entries of CELERY_BEAT_SCHEDULE: found in its syntax tree, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

#: How names of the setting end: CELERY_BEAT_SCHEDULE, CELERYBEAT_SCHEDULE, app.conf.beat_schedule.
_SETTING = "beat_schedule"
#: What an entry that is written as a dictionary always has.
_SHAPE = frozenset({"task", "schedule"})


@dataclass(frozen=True, slots=True)
class Place:
    """One definition of an entry: its name and line, and how it is written.

    ``dictionary`` is the line and the column (in bytes) of the literal dictionary with the entry, ``index`` the number
    of the entry in it; without a dictionary the entry is set in another way, and ``how`` says in which.
    """

    name: str
    line: int
    dictionary: tuple[int, int] | None = None
    index: int = 0
    how: str = ""


def places(tree: ast.Module, tasks: Mapping[str, str]) -> Iterator[Place]:
    """Yield the places that define entries; ``tasks`` are the wanted names with the task of each."""
    literals = set(_values_of_setting(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            yield from _in_dictionary(node, node in literals, tasks)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            yield from _assigned(node, tasks)
        elif isinstance(node, ast.Call):
            yield from _called(node, tasks)


def _values_of_setting(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what is assigned to the setting, merged into it, or given for its key."""
    for node in ast.walk(tree):
        for name, value in _named_values(node):
            if name.lower().endswith(_SETTING):
                yield value


def _named_values(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield the values that a node gives to names: of variables, attributes, arguments, keys, or with `update`."""
    if isinstance(node, ast.Assign):
        yield from ((_name(target), node.value) for target in node.targets)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)) and node.value:
        yield _name(node.target), node.value
    elif isinstance(node, ast.keyword):
        yield node.arg or "", node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield from ((_name(node.func.value), value) for value in node.args) if node.func.attr == "update" else ()
    elif isinstance(node, ast.Dict):
        yield from ((_text(key) or "", value) for key, value in zip(node.keys, node.values, strict=True))


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _in_dictionary(node: ast.Dict, is_setting: bool, tasks: Mapping[str, str]) -> Iterator[Place]:
    for index, (key, value) in enumerate(zip(node.keys, node.values, strict=True)):
        name = _text(key)
        if name is None or name not in tasks or not (is_setting or _has_shape(value)):
            continue
        if _may_be(value, tasks[name]):
            yield Place(name, key.lineno if key else node.lineno, (node.lineno, node.col_offset), index)


def _has_shape(value: ast.expr) -> bool:
    return isinstance(value, ast.Dict) and {_text(key) for key in value.keys} >= _SHAPE


def _may_be(value: ast.expr, task: str) -> bool:
    """Say whether an entry can be that of a task: its own task is another name only where it is another entry."""
    if not isinstance(value, ast.Dict):
        return True
    pairs = zip(value.keys, value.values, strict=True)
    literal = next((_text(item) for key, item in pairs if _text(key) == "task"), None)
    return literal is None or literal == task


def _assigned(node: ast.Assign | ast.AnnAssign, tasks: Mapping[str, str]) -> Iterator[Place]:
    """Yield ``CELERY_BEAT_SCHEDULE["name"] = …``."""
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        if isinstance(target, ast.Subscript) and _name(target.value).lower().endswith(_SETTING):
            name = _text(target.slice)
            if name is not None and name in tasks:
                yield Place(name, node.lineno, how="an assignment")


def _called(node: ast.Call, tasks: Mapping[str, str]) -> Iterator[Place]:
    """Yield ``add_periodic_task(…, name="name")``, ``dict(name={…})``, and the calls of a dictionary's methods."""
    function = _name(node.func)
    if function == "setdefault" and len(node.args) > 1 and _has_shape(node.args[1]):
        name = _text(node.args[0])
        if name is not None and name in tasks:
            yield Place(name, node.lineno, how="`setdefault`")
    for keyword in node.keywords:
        name = _text(keyword.value) if function == "add_periodic_task" and keyword.arg == "name" else None
        if name is not None and name in tasks:
            yield Place(name, node.lineno, how="`add_periodic_task`")
        elif function in ("dict", "update") and keyword.arg and keyword.arg in tasks and _has_shape(keyword.value):
            yield Place(keyword.arg, keyword.value.lineno, how=f"an argument of `{function}`")
