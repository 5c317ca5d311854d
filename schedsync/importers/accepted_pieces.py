"""Where in the files a change belongs: the file, the definition, and what a tenant of a ``for_each`` says alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schedsync.core.acceptance import Acceptance, NotAccepted
from schedsync.core.schedule import Desired, Schedule, Spec, Template
from schedsync.files.discover import SourceFile
from schedsync.files.document import Document
from schedsync.files.for_each import filled_field
from schedsync.files.masking import masked_text
from schedsync.files.node import Node
from schedsync.files.writer import Quoted
from schedsync.files.yaml import read
from schedsync.importers.draft import Draft
from schedsync.importers.layout import entry_text
from schedsync.importers.piece import Piece, Scope
from schedsync.importers.spelling import fields_of

_NOT_COPIED = frozenset({"for_each", "environments", "only_in", "renamed_from"})


class Placing:
    """Finds the file and the definition of each change; ``desired`` is what the files say by environment."""

    def __init__(self, sources: Mapping[str, SourceFile], desired: Mapping[str | None, Desired], scope: Scope) -> None:
        self.sources, self.desired, self.scope = sources, desired, scope
        self._documents: dict[str, Mapping[str, Mapping[str, Node]]] = {}

    def existing(self, acceptance: Acceptance) -> tuple[str, Piece] | NotAccepted:
        """Return the path and the piece of a change of a schedule in the files, or why it has none."""
        schedule = self._here.schedules.get(acceptance.name)
        if schedule is None:
            return NotAccepted(acceptance.name, "the files do not define it here")
        spec, others = acceptance.spec(schedule.spec), self._others(acceptance.name)
        if acceptance.kind == "rename" and others:
            known = ", ".join(others)
            return self.left(acceptance, f"it keeps its old name in {known}; `--everywhere` renames it there too")
        template = schedule.template
        if template is not None and len(template.values) > 1:
            return self.left(acceptance, "its `for_each` multiplies several keys")
        filled = self._filled(schedule, template, acceptance, others) if template is not None else {}
        piece = Piece(acceptance, schedule.name_in_file, template, others, filled, spec)
        return schedule.location.path, piece

    @property
    def _here(self) -> Desired:
        return self.desired[self.scope.environment]

    def _others(self, name: str) -> tuple[str, ...]:
        return tuple(other for other in self.scope.others if name in self.desired[other].schedules)

    def left(self, acceptance: Acceptance, reason: str) -> NotAccepted:
        """Return a change that is not written, with the lines to write by hand."""
        known = self._here.schedules.get(acceptance.name)
        spec = acceptance.spec(known.spec if known is not None else None)
        if spec is None:
            return NotAccepted(acceptance.name, reason)
        name = acceptance.name_after
        lines = entry_text(Draft(name, fields_of(spec, self.scope.zone), {name: spec}))
        return NotAccepted(acceptance.name, reason, masked_text(lines))

    def _filled(
        self, schedule: Schedule, template: Template, acceptance: Acceptance, others: Sequence[str]
    ) -> dict[str, Any]:
        """Return the fields of one tenant as a schedule of its own."""
        chosen = dict(template.values)
        written = self._definitions(schedule.location.path)[template.name]
        fields = dict(_filled(written, chosen))
        inner = written.get("environments")
        by_name = inner.value if inner is not None and isinstance(inner.value, dict) else {}
        differences = {
            name: values
            for name, node in by_name.items()
            if isinstance(node.value, dict) and (values := dict(_filled(node.value, chosen)))
        }
        is_gone = acceptance.kind == "remove"
        here = [name for name in self.scope.environments if name in others or name == self.scope.environment]
        if self.scope.everywhere:
            here = [name for name in self.scope.environments if schedule.name in self.desired[name].schedules]
        left = [name for name in here if not (is_gone and name == self.scope.environment)]
        if differences := {name: values for name, values in differences.items() if name in left}:
            fields["environments"] = differences
        if left and len(left) < len(self.scope.environments):
            fields["only_in"] = left
        return fields

    def _definitions(self, path: str) -> Mapping[str, Mapping[str, Node]]:
        if path not in self._documents:
            source = self.sources[path]
            root, _ = read(source.content(), path, source.size)
            schedules = Document(path, root, source.beside).schedules if root is not None else ()
            self._documents[path] = {name: fields for name, _, fields in schedules}
        return self._documents[path]

    def added(self, acceptance: Acceptance, fields: Mapping[str, Any], path: str) -> tuple[str, Piece]:
        """Return the path and the piece of a row that no file has; ``fields`` are the keys of its draft."""
        environment = self.scope.environment
        filled = {**fields, "adopt": True}
        if self.scope.others and environment is not None:
            filled["only_in"] = [environment]
        return path, Piece(acceptance, acceptance.name, filled=filled, spec=acceptance.spec(None))

    def home(self, spec: Spec) -> str:
        """Return the path of the file with the most schedules whose tasks are of the same package as a new one's."""
        counts: Counter[str] = Counter(dict.fromkeys(self.sources, 0))
        for desired in self.desired.values():
            for schedule in desired.schedules.values():
                counts[schedule.location.path] += 1
        shared = {path: (0, count) for path, count in counts.items()}
        for schedule in self._here.schedules.values():
            path = schedule.location.path
            common = _common(schedule.spec.task, spec.task)
            shared[path] = max(shared[path], (common, counts[path]))
        return max(sorted(shared), key=lambda path: shared[path])


def _filled(written: Mapping[str, Node], chosen: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, node in written.items():
        if key not in _NOT_COPIED:
            value = filled_field(key, node, chosen).plain()
            yield key, Quoted(value) if key == "crontab" and isinstance(value, str) else value


def _common(one: str, other: str) -> int:
    """Return how many parts two dotted names have in common at their beginning."""
    pairs = zip(one.split(".")[:-1], other.split(".")[:-1], strict=False)
    count = 0
    for first, second in pairs:
        if first != second:
            break
        count += 1
    return count
