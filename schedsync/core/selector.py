"""A selector: the schedules that a verb is about, by names, globs, sets, queues, owners and labels."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from schedsync.core.adoption import is_glob, matches

Label = tuple[str, str]


class Candidate(NamedTuple):
    """A schedule as a selector sees it; ``set`` is None for a row that nobody manages."""

    name: str
    set: str | None = None
    queue: str | None = None
    owner: str | None = None
    labels: tuple[Label, ...] = ()


class Unmatched(NamedTuple):
    """A part of a selector that fits no candidate: its kind, its value, and the values that candidates have."""

    kind: str
    value: str
    known: Collection[str]


@dataclass(frozen=True, slots=True)
class Selector:
    """The schedules that a verb is about.

    Kinds narrow one another: a schedule must fit each kind that is given. Within names and globs, sets, queues and
    owners one value must fit, and within labels one value of each key. Without any kind it fits every schedule.
    ``everything`` says that the user asked for all.
    """

    names: frozenset[str] = frozenset()
    globs: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    everything: bool = False

    @classmethod
    def of(cls, patterns: Iterable[str], **kinds: Any) -> Selector:
        """Build a selector from names and globs as a user gives them, and further kinds."""
        given = tuple(dict.fromkeys(patterns))
        names = frozenset(pattern for pattern in given if not is_glob(pattern))
        return cls(names, tuple(pattern for pattern in given if is_glob(pattern)), **kinds)

    @property
    def is_empty(self) -> bool:
        """Whether no kind is given, and everything is not asked for either."""
        return self == Selector()

    @property
    def stands(self) -> bool:
        """Whether schedules that are not there yet can fit it: not where it names each schedule."""
        return bool(self.globs) or (not self.names and not self.is_empty)

    def among(self, names: Collection[str]) -> Selector:
        """Return the selector that means a name where a schedule has exactly that name, and a glob elsewhere."""
        exact = frozenset(glob for glob in self.globs if glob in names)
        globs = tuple(glob for glob in self.globs if glob not in exact)
        return replace(self, names=self.names | exact, globs=globs)

    def fits(self, candidate: Candidate) -> bool:
        """Say whether a schedule is selected."""
        return (
            self._fits_name(candidate.name)
            and (not self.sets or candidate.set in self.sets)
            and (not self.queues or candidate.queue in self.queues)
            and (not self.owners or candidate.owner in self.owners)
            and self._fits_labels(candidate.labels)
        )

    def _fits_name(self, name: str) -> bool:
        if not self.names and not self.globs:
            return True
        return name in self.names or any(matches(glob, name) for glob in self.globs)

    def _fits_labels(self, labels: Collection[Label]) -> bool:
        keys = {key for key, _ in self.labels}
        return {key for key, value in labels if (key, value) in self.labels} >= keys

    def unmatched(self, candidates: Collection[Candidate]) -> Iterator[Unmatched]:
        """Yield the parts that fit none of the candidates: they are typing errors."""
        names = {candidate.name for candidate in candidates}
        for name in sorted(self.names - names):
            yield Unmatched("name", name, names)
        for glob in self.globs:
            if not any(matches(glob, name) for name in names):
                yield Unmatched("glob", glob, names)
        for kind, wanted, known in self._values(candidates):
            for value in wanted:
                if value not in known:
                    yield Unmatched(kind, value, known)

    def _values(self, candidates: Collection[Candidate]) -> Iterator[tuple[str, Iterable[str], Collection[str]]]:
        """Yield each kind beside names with the values that are wanted, and those that the candidates have."""
        yield "set", self.sets, {candidate.set for candidate in candidates if candidate.set}
        yield "queue", self.queues, {candidate.queue for candidate in candidates if candidate.queue}
        yield "owner", self.owners, {candidate.owner for candidate in candidates if candidate.owner}
        known = {label_text(label) for candidate in candidates for label in candidate.labels}
        yield "label", map(label_text, self.labels), known


def label_text(label: Label) -> str:
    """Return a label as it is written on the command line."""
    return "=".join(label)


def selector_text(selector: Selector) -> str:
    """Return a selector as the words of a command line, quoted for a shell."""
    if selector.everything:
        return "--all"
    words = [*sorted(selector.names), *selector.globs]
    for flag, values in (("--set", selector.sets), ("--queue", selector.queues), ("--owner", selector.owners)):
        words += [word for value in values for word in (flag, value)]
    words += [word for label in selector.labels for word in ("--label", label_text(label))]
    return " ".join(map(shlex.quote, words))


#: Above this number of names, the record of each schedule has only its own: all would grow with their square.
_MOST_RECORDED = 100


def texts_in_records(selector: Selector, names: Iterable[str]) -> dict[str, str]:
    """Return, by the name of each schedule, the selector's text for its audit record."""
    if len(selector.names) > _MOST_RECORDED and not selector.stands:
        return {name: shlex.quote(name) for name in names}
    return dict.fromkeys(names, selector_text(selector))


_LISTS = ("names", "globs", "sets", "queues", "owners")


def selector_document(selector: Selector) -> dict[str, Any]:
    """Return a selector as JSON values, without the kinds that are not given."""
    kinds: dict[str, Any] = {kind: list(getattr(selector, kind)) for kind in _LISTS}
    kinds["names"].sort()
    kinds["labels"] = [list(label) for label in selector.labels]
    return {kind: values for kind, values in kinds.items() if values} | ({"all": True} if selector.everything else {})


def selector_from(values: Mapping[str, Any]) -> Selector:
    """Read a selector back; raises ValueError, KeyError or TypeError where it has another shape."""
    if unknown := values.keys() - {*_LISTS, "labels", "all"}:
        raise ValueError(f"unknown kinds: {sorted(unknown)}")
    kinds: dict[str, Any] = {kind: tuple(map(_text, values.get(kind, ()))) for kind in _LISTS}
    labels = tuple((_text(key), _text(value)) for key, value in values.get("labels", ()))
    return Selector(frozenset(kinds.pop("names")), **kinds, labels=labels, everything=values.get("all", False) is True)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"no text: {value!r}")
    return value
