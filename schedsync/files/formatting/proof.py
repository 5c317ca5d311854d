"""The proof that a formatted text means what the text before it meant: equal values, schedules and comments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

from schedsync.core.location import Location
from schedsync.files.bounds import TextBudget
from schedsync.files.document import Document
from schedsync.files.document import Part as Given
from schedsync.files.environments import named_environments, part_of
from schedsync.files.formatting.gaps import comments
from schedsync.files.formatting.roles import FREE, ROOT, Role
from schedsync.files.formatting.spelling import canonical_value
from schedsync.files.formatting.tree import Part, tree_of
from schedsync.files.ignores import read_ignores
from schedsync.files.line_breaks import without_line_breaks
from schedsync.files.node import Node
from schedsync.files.yaml import read

#: The values of all environments are always compared. Of environments that no configuration names, the schedules of
#: only this number are compared too.
_MOST_ENVIRONMENTS: Final = 20
_NOWHERE: Final = Location("", 1, 1)


def difference(before: str, after: str, old: Document, environments: Collection[str]) -> str | None:
    """Return what differs between a text and its canonical form besides the form; None for nothing.

    ``old`` is the text before as it was read; ``environments`` are those of the configuration.
    """
    data = after.encode()
    root, problems = read(data, old.path)
    if root is None or any(finding.severity == "error" for finding in problems):
        return "it could not be read"
    new = replace(old, root=root, budget=TextBudget())
    if _values(old.root, ROOT) != _values(new.root, ROOT):
        return "its values"
    if _comments(before, old.path) != _comments(after, old.path):
        return "its comments"
    names = environments or sorted(named_environments(old))[:_MOST_ENVIRONMENTS]
    if any(_given(part_of(old, name)) != _given(part_of(new, name)) for name in (None, *names)):
        return "its schedules"
    return None


def _values(node: Node, role: Role, field: str = "") -> Any:
    """Return the values of a node, spelled as formatting spells them; the order of keys is no part of them."""
    value = node.value
    if isinstance(value, dict):
        fields = role.has_fields
        return {key: _values(each, role.below(key), key if fields else "") for key, each in value.items()}
    if isinstance(value, list):
        return [_values(each, FREE) for each in value]
    # 1, 1.0 and true are equal in Python, but not in YAML.
    return type(value), canonical_value(value, field) if isinstance(value, str) else value


def _comments(text: str, path: str) -> tuple[Counter[str], Counter[tuple[Any, ...]]]:
    """Return the comments of a text, and which codes they ignore at which nodes."""
    tree = tree_of(without_line_breaks(text)[0])
    if tree is None:
        return Counter(), Counter()
    ignores = read_ignores(text.encode(), path, lambda _: None)
    steps = _steps_at(tree.root, frozenset(line - 1 for line in ignores)) if ignores else {}
    places = Counter((codes, frozenset(steps.get(line - 1, ()))) for line, codes in ignores.items())
    return Counter(comments(tree)), Counter(places)


def _steps_at(root: Part, lines: Collection[int]) -> dict[int, list[str]]:
    """Return the paths of the nodes that begin at some lines."""
    found: dict[int, list[str]] = {}
    waiting = [("", root)]
    while waiting:
        path, part = waiting.pop()
        if part.line in lines:
            found.setdefault(part.line, []).append(path)
        if part.kind == "mapping":
            for key, value in part.pairs:
                waiting += [(f"{path}/{key.value}:", key), (f"{path}/{key.value}", value)]
        else:
            waiting += [(f"{path}/{index}", item) for index, item in enumerate(part.items)]
    return found


def _given(part: Given) -> tuple[Any, ...]:
    """Return what a file gives in one environment, without places."""
    schedules = [
        (replace(each, location=_NOWHERE), " ".join((each.crontab_text or "").split())) for each in part.schedules
    ]
    codes = Counter(finding.code for finding in part.findings)
    unexpanded = [(each.name, each.sources) for each in part.unexpanded]
    return schedules, codes, unexpanded, [name for name, _ in part.removed], part.kept_rows, part.invalid
