"""Text is read back by our own reader before anybody gets it: it must say exactly what the tables hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from schedsync.core.finding import Finding
from schedsync.core.schedule import Desired, differing
from schedsync.files.bounds import TextBudget
from schedsync.files.discover import SourceFile
from schedsync.files.one_file import read_file
from schedsync.files.schedule_set import resolve_set, set_of
from schedsync.importers.draft import Draft, LeftOut
from schedsync.importers.layout import entry_text
from schedsync.planning.build import refused_by_celery

#: The number of schedules that are read as one text; only if something is wrong, each is read alone.
_TOGETHER = 200


def unreadable(drafts: Sequence[Draft]) -> list[LeftOut]:
    """Return the schedules that a file cannot say, each with the reason."""
    found: list[LeftOut] = []
    for start in range(0, len(drafts), _TOGETHER):
        chunk = drafts[start : start + _TOGETHER]
        texts = [entry_text(draft) for draft in chunk]
        if next(_problems("".join(texts), chunk), None) is not None:
            for draft, text in zip(chunk, texts, strict=True):
                if problem := next(_problems(text, [draft]), None):
                    found.append(LeftOut(draft.name, f"no file can have it: {problem}", draft.spec))
    return found


def problems(files: Mapping[str, str], drafts: Sequence[Draft]) -> Iterator[str]:
    """Yield what is wrong with files, given as text by path, that must say exactly these drafts."""
    desired, findings = _read(files)
    yield from (finding.message for finding in findings if finding.severity == "error")
    expected = {name: spec for draft in drafts for name, spec in draft.specs.items()}
    for name, spec in expected.items():
        schedule = desired.schedules.get(name)
        if schedule is None:
            yield f"`{name}` is not among what is read back"
        elif fields := differing(schedule.spec, spec):
            yield f"it is read back with another `{fields[0]}`"
    if others := sorted(desired.schedules.keys() - expected.keys()):
        yield f"`{others[0]}` is read back, and is no row"


def _problems(entries: str, drafts: Sequence[Draft]) -> Iterator[str]:
    return problems({"schedules.yaml": f"version: 1\nschedules:\n{entries}"}, drafts)


def _read(files: Mapping[str, str]) -> tuple[Desired, list[Finding]]:
    budget = TextBudget()
    sources = [_source(path, text) for path, text in files.items()]
    desired, findings = resolve_set(set_of(sources, (), (), lambda file: read_file(file, (), budget)), None)
    return desired, [*findings, *refused_by_celery(desired)]


def _source(path: str, text: str) -> SourceFile:
    data = text.encode("utf-8", "surrogatepass")
    return SourceFile(path, len(data), lambda: data, _nothing_beside)


def _nothing_beside(name: str) -> bytes:
    raise FileNotFoundError(name)
