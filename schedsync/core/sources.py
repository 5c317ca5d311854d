"""Sources: functions of the application that give the values of a ``for_each``, such as the names of its tenants.

Code of the application runs elsewhere. Here its answer is checked, so that a bad answer is a problem with a message
and never a set without schedules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from schedsync.core.finding import did_you_mean
from schedsync.core.names import shortened
from schedsync.core.schedule import LONGEST_NAME
from schedsync.core.secrets import MASK, is_secret_value, is_typed_mask, masked

#: The Django setting with the names of the sources, each with the path of its function.
SETTING: Final = "SCHEDSYNC_SOURCES"
#: As many as a set may have schedules.
MAX_VALUES: Final = 200_000
#: A whole number with more bits fits into no column of a database.
_MOST_BITS = 63

Value = str | int


@dataclass(frozen=True, slots=True)
class Source:
    """The values that a source gave, in order and each once; or the problem why it gave none, and its remedy."""

    values: tuple[Value, ...] = ()
    problem: str | None = None
    hint: str | None = None


#: A function that returns the values of a source by its name, in one environment; None if nothing knows them.
Sources = Callable[[str, str | None], Source | None]


def no_sources(_name: str, _environment: str | None) -> None:
    """Know no source: there is neither an application nor a snapshot."""


def source_of(name: str, given: object) -> Source:
    """Return the values that the source ``name`` gave, or what is wrong with them."""
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        hint = "return a list of texts or whole numbers"
        return Source((), f"the source `{name}` gives {_shown_type(given)}, not a list of values", hint)
    # A generator may never end.
    values = list(islice(given, MAX_VALUES + 1))
    if len(values) > MAX_VALUES:
        return Source((), f"the source `{name}` gives more than {MAX_VALUES:,} values", "give fewer, or split the set")
    if not values:
        hint = "no schedule is deleted because of that; to delete them all, remove the definition from the files"
        return Source((), f"the source `{name}` gives no value", hint)
    for value in values:
        if problem := _problem(value):
            return Source((), f"the source `{name}` gives {problem[0]}", problem[1])
    return _in_order(name, values)


def _in_order(name: str, values: Iterable[Value]) -> Source:
    """Return the values in an order of their own, because a database may give them in another order each time."""
    distinct = dict.fromkeys(values)
    if len({str(value) for value in distinct}) < len(distinct):
        twice = next(value for value in distinct if isinstance(value, int) and str(value) in distinct)
        hint = "two schedules would have the same name"
        return Source((), f"the source `{name}` gives {twice} both as a number and as text", hint)
    return Source(tuple(sorted(distinct, key=lambda value: (isinstance(value, str), value))))


def _problem(value: object) -> tuple[str, str | None] | None:
    """Return what is wrong with one value, as the object of a sentence, and the remedy."""
    if type(value) is int:
        return None if value.bit_length() <= _MOST_BITS else ("a number with more than 64 bits", None)
    if type(value) is not str:
        return f"a value of the type `{type(value).__name__}`", "give texts or whole numbers, such as `str(value)`"
    if not value or value != value.strip():
        return "a value that is empty, or begins or ends with white space", None
    if len(value) > LONGEST_NAME:
        return f"a value of {len(value):,} characters", f"the name of a schedule has at most {LONGEST_NAME}"
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        return f"a value with half a character, {ascii(value)[:60]}", None
    return _secret_problem(value)


def _secret_problem(value: str) -> tuple[str, str | None] | None:
    if is_typed_mask(value):
        return f"the value `{MASK}`", "that is how schedsync shows a secret"
    if is_secret_value(value):
        return "a value that looks like a secret", "names of schedules are shown everywhere"
    return None


def _shown_type(given: object) -> str:
    return "`None`" if given is None else f"a value of the type `{type(given).__name__}`"


def unknown_source(name: str, known: Iterable[str], holder: str, hint: str) -> Source:
    """Return the problem that ``holder`` names no such source; the hint is ``hint`` where no known name is near."""
    return Source((), f"{holder} has no source `{shortened(name)}`", did_you_mean(name, known) or hint)


def source_document(source: Source) -> dict[str, Any]:
    """Return a source as JSON values; a message may quote a connection string, which is masked, or half a character."""
    if source.problem is None:
        return {"values": list(source.values)}
    return {"problem": _safe(source.problem), "hint": source.hint and _safe(source.hint)}


def _safe(message: str) -> str:
    return str(masked(message)).encode("utf-8", "backslashreplace").decode()


def source_from(name: str, values: Mapping[str, Any]) -> Source:
    """Read a source from its document; its values are checked again, because anyone can edit a snapshot."""
    if "problem" in values:
        return Source((), values["problem"], values.get("hint"))
    return source_of(name, values["values"])
