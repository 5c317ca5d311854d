"""Files become findings and the desired state; imports no Django.

The steps of reading meet in ``read_file``: read, check the shape, resolve, check the meaning. This module adds the
checks between the files of a set.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from schedsync.config import Config
from schedsync.core.finding import Finding, in_order
from schedsync.core.schedule import Desired, Schedule
from schedsync.core.sources import Sources, no_sources
from schedsync.files.bounds import SetSize, TextBudget
from schedsync.files.discover import Absent, Note, SourceFile, read_files
from schedsync.files.document import Part, Unexpanded
from schedsync.files.one_file import ReadFile, read_file
from schedsync.files.progress import Progress, each, silent
from schedsync.files.rename_hint import rename_hint


@dataclass(frozen=True, slots=True)
class ScheduleSet:
    """The files of a set, and the findings about files that could not be read at all."""

    files: tuple[ReadFile, ...]
    unread: tuple[Finding, ...] = ()

    @property
    def by_environment(self) -> bool:
        """Whether any schedule differs by environment."""
        return any(file.by_environment for file in self.files)

    @property
    def is_too_large(self) -> bool:
        """Whether the set is larger than a set may be; it then has no files."""
        return any(finding.code == "SS116" for finding in self.unread)

    @property
    def findings(self) -> list[Finding]:
        """All findings that are the same in every environment."""
        return [*self.unread, *(finding for file in self.files for finding in file.findings)]

    @property
    def ignores(self) -> Mapping[str, Mapping[int, frozenset[str]]]:
        """The codes of rules that comments ignore, by path and line number."""
        return {file.path: file.ignores for file in self.files if file.ignores}

    def unexpanded(self, environment: str | None) -> list[Unexpanded]:
        """Return the definitions whose schedules are not known in one environment, because of their sources."""
        return [definition for file in self.files for definition in file.part(environment).unexpanded]

    def invalid(self, environment: str | None) -> Iterator[str]:
        """Return the names of the schedules that have errors in one environment."""
        return (name for file in self.files for name in file.part(environment).invalid)

    def environments(self, config: Config, chosen: str | None) -> Sequence[str | None]:
        """Return the environments to look at: the chosen one, or all declared ones if schedules differ by them."""
        if chosen is not None or not self.by_environment:
            return [chosen]
        return config.environments or [None]


def read_set(
    config: Config,
    progress: Progress = silent,
    note: Note | None = None,
    sources: Sources = no_sources,
    absent: Absent = MappingProxyType({}),
) -> ScheduleSet:
    """Read all files of a set; one bad file hides no other.

    ``note`` gets each file that is read, and its bytes. ``sources`` returns the values of a source of the application.
    ``absent`` are files of the set that are not on the disk.
    """
    progress("looking for files")
    files, findings = read_files(config.paths, config.root, config.within, note, config.file, absent=absent)
    budget = TextBudget()
    reading = each(files, "reading", "files", progress)
    environments = config.environments
    return set_of(reading, findings, environments, lambda file: read_file(file, environments, budget, sources))


def set_of(
    sources: Iterable[SourceFile],
    unread: Sequence[Finding],
    environments: Collection[str],
    read: Callable[[SourceFile], ReadFile],
) -> ScheduleSet:
    """Read the files of a set one by one; a set that is too large has no files, only the findings so far."""
    size, files = SetSize(len(environments)), []
    for source in sources:
        files.append(file := read(source))
        if finding := size.add(file.path, file.size, file.by_environment):
            earlier = (finding for file in files for finding in file.findings)
            return ScheduleSet((), (*unread, *earlier, finding))
    return ScheduleSet(tuple(files), tuple(unread))


def resolve_set(schedule_set: ScheduleSet, environment: str | None) -> tuple[Desired, list[Finding]]:
    """Return the desired state in one environment, and all findings, each once and in the order of their places."""
    desired, between = combine(schedule_set, environment)
    of_files = [finding for file in schedule_set.files for finding in file.part(environment).findings]
    return desired, in_order([*schedule_set.findings, *of_files, *between])


def combine(schedule_set: ScheduleSet, environment: str | None) -> tuple[Desired, list[Finding]]:
    """Return the desired state in one environment, and the findings about contradictions between files."""
    parts = [file.part(environment) for file in schedule_set.files]
    between: list[Finding] = []
    desired = _desired(parts, between.append)
    if not between:
        return desired, between
    earlier = [*schedule_set.findings, *(finding for part in parts for finding in part.findings)]
    wrong = {finding.location for finding in earlier if finding.severity == "error"}
    return desired, [finding for finding in between if finding.location not in wrong]


def _desired(parts: Sequence[Part], report: Callable[[Finding], None]) -> Desired:
    """Return the parts as one; a name that contradicts an earlier one is reported and left out."""
    removed = {name: place for part in parts for name, place in part.removed}
    kept_rows = [name for part in parts for name in part.kept_rows]
    schedules = _unique([schedule for part in parts for schedule in part.schedules], report)
    desired = Desired.of(schedules, removed, kept_rows)
    _check_removed(desired, report)
    _check_renames(desired, report)
    return desired


def _unique(schedules: Sequence[Schedule], report: Callable[[Finding], None]) -> Iterator[Schedule]:
    seen: dict[str, Schedule] = {}
    folded: dict[str, Schedule] = {}
    alike: dict[str, Schedule] = {}
    for schedule in schedules:
        name = schedule.name
        if name in seen:
            message = f"`{name}` is defined twice, first at {seen[name].location}"
            report(Finding("SS141", message, schedule.location, "names are unique in a set"))
            continue
        seen[name] = schedule
        twin = folded.setdefault(name.casefold(), schedule)
        if twin is not schedule:
            message = f"`{name}` differs only in case from `{twin.name}` at {twin.location}"
            hint = "MariaDB and MySQL usually treat both as the same name, and refuse them; rename one of them"
            report(Finding("SS142", message, schedule.location, hint, "warning"))
        elif (twin := alike.setdefault(_without_accents(name), schedule)) is not schedule:
            message = f"`{name}` and `{twin.name}` at {twin.location} are one name for some databases"
            hint = "some collations of MariaDB and MySQL ignore accents, or which emoji it is; rename one of them"
            report(Finding("SS147", message, schedule.location, hint, "warning"))
        yield schedule


def _without_accents(name: str) -> str:
    """Return the text that a collation compares if it ignores case, accents and which emoji it is."""
    if name.isascii():
        return name.casefold()
    letters = unicodedata.normalize("NFKD", name.casefold())
    base = (letter for letter in letters if not unicodedata.combining(letter))
    return "".join("\N{REPLACEMENT CHARACTER}" if ord(letter) > 0xFFFF else letter for letter in base)


def _check_removed(desired: Desired, report: Callable[[Finding], None]) -> None:
    for name, place in desired.removed.items():
        if name in desired.schedules:
            message = f"`{name}` is removed here, but still defined at {desired.schedules[name].location}"
            report(Finding("SS145", message, place, "delete one of the two"))


def _check_renames(desired: Desired, report: Callable[[Finding], None]) -> None:
    renamed: dict[str, Schedule] = {}
    for schedule in desired.schedules.values():
        old = schedule.renamed_from
        if old is None:
            continue
        if old in desired.schedules:
            message = f"`{schedule.name}` is renamed from `{old}`, which is still defined in the set"
            report(Finding("SS146", message, schedule.location, rename_hint(schedule, desired.schedules)))
        elif (first := renamed.setdefault(old, schedule)) is not schedule:
            message = f"`{first.name}` is already renamed from `{old}`, at {first.location}"
            report(Finding("SS146", message, schedule.location))
